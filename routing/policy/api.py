"""Policies over HTTP: what is in force, versions, drafts, checking, comparing, publishing, going back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from budgets.access.problems import Problem
from budgets.access.roles import CHANGE_POLICY, PUBLISH_POLICY
from budgets.access.sent import asked, body, invalid
from budgets.audit.record import Actor
from routing.models import PolicyVersion
from routing.policy import edit, publish
from routing.policy.compare import differences
from routing.policy.document import read
from routing.policy.known import read_known
from routing.policy.serializers import (
    BeginSerializer,
    CheckedSerializer,
    ComparedSerializer,
    PublishSerializer,
    RollBackSerializer,
    SaveSerializer,
    VersionSerializer,
    WholeVersionSerializer,
)
from routing.policy.shape import InvalidPolicy, parsed
from routing.policy.validate import remarks

State = PolicyVersion.State
WITH = OpenApiParameter("with", int, description="Number of a published version; by default the one in force.")
IF_MATCH = OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, description="The draft's ETag.")


class Policies:
    """Reading needs the scope `read`, changing `admin`; people need the right to change, or to publish, policies."""

    required_scope = "admin"
    read_scope = "read"
    permission = CHANGE_POLICY


@contextmanager
def as_problems() -> Iterator[None]:
    """What the room refuses, as problem documents; `errors` of a 422 are by path in the document."""
    try:
        yield
    except InvalidPolicy as error:
        raise invalid(error.problems) from error
    except edit.StaleEdit as error:
        raise Problem(
            409, "changed-meanwhile", "Changed meanwhile", str(error), edit_version=error.version.edit_version
        ) from error
    except publish.LiveMoved as error:
        raise Problem(
            409, "published-meanwhile", "Another was published", str(error), live=error.live.number
        ) from error
    except edit.RefusedEdit as error:
        raise Problem(409, "refused", "Not possible now", str(error)) from error


def rows() -> QuerySet[PolicyVersion]:
    return PolicyVersion.objects.select_related("based_on")


def published() -> QuerySet[PolicyVersion]:
    return rows().filter(number__isnull=False).order_by("-number")


def shown(version: PolicyVersion, code: int = 200) -> Response:
    """All of a version as it is now; a draft with its ETag."""
    row = rows().get(pk=version.pk)
    answer = Response(WholeVersionSerializer(row).data, status=code)
    answer["ETag"] = f'"{row.edit_version}"'
    return answer


@extend_schema_view(get=extend_schema(summary="The policy in force", tags=["policy"]))
class LiveView(Policies, generics.RetrieveAPIView[PolicyVersion]):
    """404 before any was published."""

    serializer_class = WholeVersionSerializer
    queryset = PolicyVersion.objects.all()

    def get_object(self) -> PolicyVersion:
        return get_object_or_404(rows(), live=True)


@extend_schema_view(get=extend_schema(summary="List published versions", description="Newest first.", tags=["policy"]))
class VersionListView(Policies, generics.ListAPIView[PolicyVersion]):
    """Without their documents."""

    serializer_class = VersionSerializer
    queryset = PolicyVersion.objects.all()

    def get_queryset(self) -> QuerySet[PolicyVersion]:
        return published().defer("document")


@extend_schema_view(get=extend_schema(summary="One published version", tags=["policy"]))
class VersionView(Policies, generics.RetrieveAPIView[PolicyVersion]):
    """It never changes; `live` may."""

    serializer_class = WholeVersionSerializer
    queryset = PolicyVersion.objects.filter(number__isnull=False).select_related("based_on")
    lookup_field = "number"


class RollBackView(Policies, APIView):
    """Undoing it is another roll back."""

    permission = PUBLISH_POLICY

    @extend_schema(
        summary="Put an earlier version in force again",
        description="Its document is published under a new number. Nobody has to approve it. 409 where `over` is stated"
        " and another version is in force by now.",
        request=RollBackSerializer,
        responses={201: WholeVersionSerializer},
        tags=["policy"],
    )
    def post(self, request: Request, number: int) -> Response:
        sent = body(RollBackSerializer, request)
        earlier = get_object_or_404(PolicyVersion, number=number)
        with as_problems():
            again = publish.roll_back(Actor.of_request(request), earlier, sent["reason"], over=sent.get("over"))
        return shown(again, status.HTTP_201_CREATED)


def compared(request: Request, version: PolicyVersion) -> Response:
    """The version beside the one that the query string names."""
    number = request.query_params.get("with", "")
    if number and not (number.isascii() and number.isdecimal() and len(number) < 10):
        raise serializers.ValidationError({"with": ["Give the number of a published version."]})
    old = get_object_or_404(PolicyVersion, number=int(number)) if number else edit.live_version()
    found = differences(edit.policy_of(old), edit.policy_of(version))
    told = {"old": old.number if old else None, "differences": found}
    return Response(ComparedSerializer(told).data)


class CompareVersionsView(Policies, APIView):
    """In sentences, and as values."""

    @extend_schema(
        summary="Compare a version with another", parameters=[WITH], responses=ComparedSerializer, tags=["policy"]
    )
    def get(self, request: Request, number: int) -> Response:
        return compared(request, get_object_or_404(PolicyVersion, number=number))


class CompareDraftView(Policies, APIView):
    """In sentences, and as values."""

    @extend_schema(
        summary="Compare a draft with a version", parameters=[WITH], responses=ComparedSerializer, tags=["policy"]
    )
    def get(self, request: Request, pk: int) -> Response:
        return compared(request, get_object_or_404(PolicyVersion, pk=pk))


@extend_schema_view(
    get=extend_schema(
        summary="List drafts",
        description="Those that are edited or wait for a second person; others by `state`.",
        parameters=[OpenApiParameter("state", str, enum=["draft", "waiting", "discarded"])],
        tags=["policy"],
    )
)
class DraftListView(Policies, generics.ListAPIView[PolicyVersion]):
    """Without their documents."""

    serializer_class = VersionSerializer
    queryset = PolicyVersion.objects.all()

    def get_queryset(self) -> QuerySet[PolicyVersion]:
        wanted = asked(self.request, "state", ["draft", "waiting", "discarded"])
        found = rows().exclude(state=State.PUBLISHED).defer("document").order_by("-pk")
        return found.filter(state=wanted) if wanted else found.exclude(state=State.DISCARDED)

    @extend_schema(
        summary="Begin a draft",
        request=BeginSerializer,
        responses={201: WholeVersionSerializer},
        tags=["policy"],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        sent = body(BeginSerializer, request)
        based_on = None
        if "based_on" in sent:
            based_on = PolicyVersion.objects.filter(number=sent["based_on"]).first()
            if based_on is None:
                raise serializers.ValidationError({"based_on": [f"There is no version {sent['based_on']}."]})
        with as_problems():
            policy = parsed(sent["document"]) if "document" in sent else None
            draft = edit.begin_draft(Actor.of_request(request), sent["title"], based_on, sent["note"], policy)
        return shown(draft, status.HTTP_201_CREATED)


class DraftView(Policies, APIView):
    """A draft with its ETag. A published one is found here by its id, too, and is refused every change."""

    @extend_schema(summary="One draft", responses=WholeVersionSerializer, tags=["policy"])
    def get(self, request: Request, pk: int) -> Response:
        return shown(get_object_or_404(PolicyVersion, pk=pk))

    @extend_schema(
        summary="Save a draft",
        description="All of it. Say what was read, by `If-Match` or `edit_version`: 409 where somebody saved since,"
        " 428 where nothing is said, 422 with a sentence for each path in the document that cannot be.",
        parameters=[IF_MATCH],
        request=SaveSerializer,
        responses=WholeVersionSerializer,
        tags=["policy"],
    )
    def put(self, request: Request, pk: int) -> Response:
        draft, sent = get_object_or_404(PolicyVersion, pk=pk), body(SaveSerializer, request)
        seen = seen_version(request, sent.get("edit_version"))
        if seen is None:
            raise Problem(
                428, "say-what-was-read", "Say what was read", "Send the draft's ETag as If-Match, or its edit_version."
            )
        with as_problems():
            policy = parsed(sent["document"])
            saved = edit.save_draft(
                Actor.of_request(request), draft, policy, seen, sent.get("title"), sent.get("note"), sent["reason"]
            )
        return shown(saved)

    @extend_schema(
        summary="Discard a draft",
        description="It can be brought back.",
        parameters=[IF_MATCH],
        responses={204: None},
        tags=["policy"],
    )
    def delete(self, request: Request, pk: int) -> Response:
        draft = get_object_or_404(PolicyVersion, pk=pk)
        with as_problems():
            edit.discard_draft(Actor.of_request(request), draft, seen_version(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


def seen_version(request: Request, stated: int | None = None) -> int | None:
    """The version that a client says it read: by `If-Match`, else as `stated`; None where it says none."""
    tag = request.headers.get("If-Match", "").strip().removeprefix("W/").strip('"')
    if not tag or tag == "*":
        return stated
    if not (tag.isascii() and tag.isdecimal() and len(tag) < 10):
        raise Problem(412, "unknown-etag", "Another ETag", "If-Match is not the ETag of this draft.")
    return int(tag)


class RestoreView(Policies, APIView):
    """Undo of discarding."""

    @extend_schema(
        summary="Bring a discarded draft back", request=None, responses=WholeVersionSerializer, tags=["policy"]
    )
    def post(self, request: Request, pk: int) -> Response:
        draft = get_object_or_404(PolicyVersion, pk=pk)
        with as_problems():
            return shown(edit.restore_draft(Actor.of_request(request), draft))


class ValidateView(Policies, APIView):
    """Changes nothing."""

    @extend_schema(
        summary="Check a draft",
        description="What is wrong or odd about it with the workflows, prices and budgets as they are now.",
        request=None,
        responses=CheckedSerializer,
        tags=["policy"],
    )
    def post(self, request: Request, pk: int) -> Response:
        policy = read(get_object_or_404(PolicyVersion, pk=pk).document)
        found = remarks(policy, read_known(policy))
        told = {"can_publish": not any(one.is_problem for one in found), "remarks": found}
        return Response(CheckedSerializer(told).data)


class PublishView(Policies, APIView):
    """Puts it in force, or asks for a second person."""

    permission = PUBLISH_POLICY

    @extend_schema(
        summary="Publish a draft",
        description="The `state` of the answer says what happened: `published`, or `waiting` where a second person has"
        " to approve; then `request` is the approval request. 409 where another version was put in force since the"
        " draft was begun: compare, then send that one's number as `over`. 422 with what refuses it, by path.",
        request=PublishSerializer,
        responses={200: WholeVersionSerializer, 202: WholeVersionSerializer},
        tags=["policy"],
    )
    def post(self, request: Request, pk: int) -> Response:
        draft, sent = get_object_or_404(PolicyVersion, pk=pk), body(PublishSerializer, request)
        with as_problems():
            version = publish.publish(
                Actor.of_request(request),
                draft,
                over=sent.get("over"),
                edit_version=seen_version(request, sent.get("edit_version")),
                reason=sent["reason"],
            )
        return shown(version, 202 if version.state == State.WAITING else 200)
