"""Approved texts over HTTP: gateways read them by the ids and digests of the bundle, people and scripts keep them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from budgets.access.drf import READ_METHODS, Scoped
from budgets.access.problems import Problem
from budgets.access.sent import asked, body, invalid, named
from budgets.audit.record import Actor
from budgets.models import Team, Workflow
from routing.bundle.answer import shown_etags
from routing.models import Snippet
from routing.snippets import edit
from routing.snippets.listing import STATES, with_newest
from routing.snippets.reaching import CHANGE, reach_of, snippets_for
from routing.snippets.values import LONGEST_NAME, LONGEST_NOTE, LONGEST_SLUG, LONGEST_TEXT, SnippetValues

TAGS = ["snippets"]
IF_NONE_MATCH = OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER, description="ETag of what you have.")
IF_MATCH = OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, description="ETag of what you looked at.")
MOST_WORKFLOWS = 2000


class MayKeep(Scoped):
    """Keys that fetch bundles may read the texts of the ids in them."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if request.method in READ_METHODS:
            return bool(reach_of(request.user))
        return super().has_permission(request, view)


class SnippetSerializer(serializers.ModelSerializer[Snippet]):
    """An approved text without its text. `digest` is the text's SHA-256, `tokens` an estimate."""

    id = serializers.CharField(source="slug")
    team = serializers.CharField(source="team.slug", allow_null=True, default=None)
    owner = serializers.CharField(source="owner.username", allow_null=True, default=None)
    version = serializers.IntegerField(source="newest_number")
    digest = serializers.CharField(source="newest_digest")
    tokens = serializers.IntegerField(source="newest_tokens")
    written_at = serializers.DateTimeField(source="newest_created_at")

    class Meta:
        model = Snippet
        fields = ["id", "name", "kind", "team", "owner", "version", "digest", "tokens", "written_at", "archived_at"]
        read_only_fields = fields


class WholeSnippetSerializer(SnippetSerializer):
    """With its text, and the workflows that may use it."""

    text = serializers.SerializerMethodField()
    workflows = serializers.SerializerMethodField()

    class Meta(SnippetSerializer.Meta):
        fields = [*SnippetSerializer.Meta.fields, "text", "workflows"]
        read_only_fields = fields

    def get_text(self, row: Any) -> str:
        return edit.newest_of(row).text

    def get_workflows(self, row: Snippet) -> list[str]:
        return list(row.workflows.order_by("slug").values_list("slug", flat=True))


class SnippetValuesSerializer(serializers.Serializer[Any]):
    """What is stated about an approved text. Whatever PUT leaves out is emptied; `id` is for POST only."""

    id = serializers.CharField(max_length=LONGEST_SLUG, required=False, help_text="Short name; never changes.")
    name = serializers.CharField(max_length=LONGEST_NAME)
    kind = serializers.ChoiceField(Snippet.Kind.choices)
    text = serializers.CharField(max_length=LONGEST_TEXT, trim_whitespace=False)
    team = serializers.CharField(max_length=128, required=False, allow_null=True, default=None, help_text="Short name.")
    owner = serializers.CharField(max_length=150, required=False, allow_null=True, default=None, help_text="User name.")
    workflows = serializers.ListField(
        child=serializers.CharField(max_length=128), required=False, default=list, max_length=MOST_WORKFLOWS
    )
    note = serializers.CharField(max_length=LONGEST_NOTE, required=False, allow_blank=True, default="")


@contextmanager
def refusals() -> Iterator[None]:
    """What an edit refuses, as problem documents, by the fields' names here."""
    try:
        yield
    except edit.InvalidSnippet as error:
        raise invalid({"id" if name == "slug" else name: said for name, said in error.problems.items()}) from error
    except edit.RefusedSnippet as error:
        raise Problem(409, "refused", "Not possible now", str(error)) from error


class Kept:
    """Reading needs the scope `bundle` or `read`, changing `admin`; people need the right to change approved texts."""

    permission_classes: Any = [MayKeep]
    required_scope = "admin"
    read_scope = "read"
    permission = CHANGE
    narrowed = True


def etag(row: Snippet) -> str:
    return f'"{row.pk}-{row.edit_version}"'


def whole(row: Snippet, code: int = status.HTTP_200_OK) -> Response:
    """All of a text as it is now, with its ETag."""
    found = with_newest(Snippet.objects.all()).get(pk=row.pk)
    answer = Response(WholeSnippetSerializer(found).data, status=code)
    answer["ETag"] = etag(found)
    answer["Cache-Control"] = "private, no-cache"
    return answer


def stated(sent: dict[str, Any], slug: str) -> SnippetValues:
    """Validated data as values; 422 where somebody or something named is not there."""
    slugs = {one.replace("\0", "") for one in sent["workflows"]}
    found = dict(Workflow.objects.filter(slug__in=slugs).values_list("slug", "pk"))
    if missing := sorted(slugs - found.keys()):
        raise invalid({"workflows": f"There is no workflow with the short name “{missing[0]}”."})
    owner = None
    if sent["owner"]:
        rows = User.objects.filter(username=sent["owner"].replace("\0", ""), is_active=True)
        owner = rows.values_list("pk", flat=True).first()
        if owner is None:
            raise invalid({"owner": "There is nobody with this user name."})
    team = named("team", Team, (sent["team"] or "").replace("\0", ""))
    return SnippetValues(slug, sent["name"], sent["kind"], sent["text"], team, owner, tuple(found.values()))


@extend_schema_view(
    get=extend_schema(
        summary="List approved texts",
        description="By id, without the texts. Archived ones only when asked for.",
        parameters=[
            OpenApiParameter("kind", str, enum=Snippet.Kind.values),
            OpenApiParameter("state", str, enum=["archived"]),
        ],
        tags=TAGS,
    ),
    post=extend_schema(
        summary="Add an approved text",
        request=SnippetValuesSerializer,
        responses={201: WholeSnippetSerializer},
        tags=TAGS,
    ),
)
class SnippetListView(Kept, generics.ListCreateAPIView[Snippet]):
    """What is in reach, and one more."""

    serializer_class = SnippetSerializer
    queryset = Snippet.objects.none()

    def get_queryset(self) -> QuerySet[Snippet]:
        kind = asked(self.request, "kind", Snippet.Kind.values)
        state = asked(self.request, "state", [key for key in STATES if key])
        rows = snippets_for(self.request.user).filter(archived_at__isnull=state != "archived")
        return with_newest(rows.filter(kind=kind) if kind else rows).order_by("slug")

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        sent = body(SnippetValuesSerializer, request)
        if not sent.get("id"):
            raise invalid({"id": "Give it a short name, such as tone-of-voice."})
        values = stated(sent, sent["id"])
        with refusals():
            made = edit.make_snippet(Actor.of_request(request), values, sent["note"])
        return whole(made, status.HTTP_201_CREATED)


class SnippetView(Kept, APIView):
    """One text."""

    def row(self, request: Request, slug: str) -> Snippet:
        found = get_object_or_404(snippets_for(request.user), slug=slug)
        self.check_object_permissions(request, found)
        return found

    @extend_schema(
        summary="Read an approved text",
        description="`digest` is what the bundle says under `snippets`. Keys need the scope bundle or read.",
        parameters=[IF_NONE_MATCH],
        responses={200: WholeSnippetSerializer, 304: OpenApiResponse(description="What you have is the newest.")},
        tags=TAGS,
    )
    def get(self, request: Request, slug: str) -> Response:
        row = self.row(request, slug)
        shown = request.headers.get("If-None-Match", "")
        if shown.strip() == "*" or etag(row) in shown_etags(shown):
            return Response(status=304, headers={"ETag": etag(row), "Cache-Control": "private, no-cache"})
        return whole(row)

    @extend_schema(
        summary="Replace an approved text",
        description="Another text makes a new version. With If-Match, 412 where somebody changed it meanwhile.",
        parameters=[IF_MATCH],
        request=SnippetValuesSerializer,
        responses={200: WholeSnippetSerializer, 412: OpenApiResponse(description="Changed meanwhile.")},
        tags=TAGS,
    )
    def put(self, request: Request, slug: str) -> Response:
        row = self.row(request, slug)
        sent = body(SnippetValuesSerializer, request)
        if sent.get("id", slug) != slug:
            raise invalid({"id": "The short name of a text never changes."})
        shown = request.headers.get("If-Match", "").strip()
        if shown not in ("", "*") and etag(row) not in shown_etags(shown):
            raise changed_meanwhile(row)
        try:
            with refusals():
                seen = row.edit_version if shown not in ("", "*") else None
                saved = edit.save_snippet(Actor.of_request(request), row, stated(sent, slug), seen, sent["note"])
        except Problem as problem:
            if isinstance(problem.__cause__, edit.StaleSnippet):
                raise changed_meanwhile(problem.__cause__.snippet) from None
            raise
        return whole(saved)

    @extend_schema(
        summary="Archive an approved text",
        description="Out of the bundle; its versions stay.",
        request=None,
        responses={204: None},
        tags=TAGS,
    )
    def delete(self, request: Request, slug: str) -> Response:
        row = self.row(request, slug)
        with refusals():
            edit.archive_snippet(Actor.of_request(request), row)
        return Response(status=status.HTTP_204_NO_CONTENT)


def changed_meanwhile(row: Snippet) -> Problem:
    return Problem(412, "changed-meanwhile", "Changed meanwhile", str(edit.StaleSnippet(row)), etag=etag(row))
