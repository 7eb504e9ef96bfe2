"""The bundle's place in the API description.

Under a server these addresses are answered by `BundleFront`, before Django. Here is the same answer for whatever runs
the Django application without the wrapper (the test client), and what the API page says of it.
"""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from routing.bundle.answer import MAX_WAIT, Answer
from routing.bundle.front import bundle_for, keys_for, notices_for

HEADERS = [
    OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER, description="ETag of the bundle that you have."),
    OpenApiParameter(
        "Prefer", str, OpenApiParameter.HEADER, description=f"wait=N: answer when there is a newer one, N ≤ {MAX_WAIT}."
    ),
]


class PolicyBundleView(APIView):
    """The key is checked by `bundle_for`."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]

    @extend_schema(
        summary="The signed policy bundle",
        description="Canonical JSON with a detached signature in `TokenOps-Signature` and a freshness token in "
        "`TokenOps-Freshness`, on 304 too. Needs a key with the scope `bundle`. See docs/policy-bundle.md.",
        tags=["bundle"],
        auth=[{"ApiKey": []}],  # type: ignore[list-item]  # a security requirement is an object, whatever the stubs say
        parameters=HEADERS,
        responses={
            200: OpenApiTypes.OBJECT,
            304: OpenApiResponse(description="What you have is the newest."),
            307: OpenApiResponse(description="Wait at this address."),
        },
    )
    def get(self, request: Request) -> HttpResponse:
        return as_response(bundle_for(request.META))


class NoticesView(APIView):
    """The key is checked by `notices_for`."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]

    @extend_schema(
        summary="Notices of new revisions (server-sent events)",
        description="An event `revision` with epoch, number and ETag for the newest bundle and for each new one; then "
        "ask for the bundle as ever. Held by the push server, to which this address leads with a ticket. Needs a key "
        "with the scope `bundle`.",
        tags=["bundle"],
        auth=[{"ApiKey": []}],  # type: ignore[list-item]  # a security requirement is an object, whatever the stubs say
        parameters=[
            OpenApiParameter("Last-Event-ID", str, OpenApiParameter.HEADER, description="The last event's id: 1:42.")
        ],
        responses={307: OpenApiResponse(description="Listen at this address.")},
    )
    def get(self, request: Request) -> HttpResponse:
        return as_response(notices_for(request.META))


class SigningKeysView(APIView):
    """Public."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]

    @extend_schema(
        summary="Public keys that bundles are signed with (JWKS)", tags=["bundle"], responses=OpenApiTypes.OBJECT
    )
    def get(self, request: Request) -> HttpResponse:
        return as_response(keys_for(request.META))


def as_response(answer: Answer) -> HttpResponse:
    """The same answer as a Django response."""
    return HttpResponse(answer.body, status=answer.status, headers=dict(answer.headers))
