"""The archive's place in the API description; under a server `BundleFront` answers before Django."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from routing.bundle.views import as_response
from routing.opa.serve import opa_archive_for


class OpaArchiveView(APIView):
    """The key is checked by `opa_archive_for`."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]

    @extend_schema(
        summary="The policy bundle for Open Policy Agent",
        description="A signed, gzipped tarball with the bundle as data and the decision as Rego. Needs a key with the "
        "scope `bundle`. See docs/opa.md.",
        tags=["bundle"],
        auth=[{"ApiKey": []}],  # type: ignore[list-item]  # a security requirement is an object, whatever the stubs say
        parameters=[
            OpenApiParameter(
                "If-None-Match", str, OpenApiParameter.HEADER, description="ETag of the archive that you have."
            )
        ],
        responses={
            (200, "application/gzip"): OpenApiTypes.BINARY,
            304: OpenApiResponse(description="What you have is the newest."),
        },
    )
    def get(self, request: Request) -> HttpResponse:
        return as_response(opa_archive_for(request.META))
