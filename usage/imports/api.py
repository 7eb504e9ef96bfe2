"""Imports over HTTP: send a file, see what is wrong with it, confirm, undo. The same functions as the pages."""

from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import generics, serializers, status
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.access.keys import KeyHolder
from budgets.access.problems import Problem
from budgets.access.sent import body, invalid
from budgets.audit.record import Actor
from usage.imports import decide
from usage.imports.kind import Kind
from usage.imports.kinds import all_kinds
from usage.imports.sheet import Unreadable
from usage.imports.upload import TOO_LARGE, refusal_of_size, take_file
from usage.models import Import, ImportProblem

PIECE = 1 << 16


class CsvParser(BaseParser):
    """`text/csv` as the whole body, read in pieces; a longer body than allowed is refused as it comes in."""

    media_type = "text/csv"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return self.pieces(stream)

    def pieces(self, stream: Any) -> Iterator[bytes]:
        while piece := stream.read(PIECE):
            yield piece


class ImportSerializer(serializers.ModelSerializer[Import]):
    """One import with how far it is; `summary` are pairs of a label and a text."""

    class Meta:
        model = Import
        fields = (
            "id", "kind", "status", "file_name", "header", "mapping", "options", "rows", "rows_done", "good", "bad",
            "skipped", "left_out", "undo_rows", "undo_done", "summary", "problem", "requested_by_text", "created_at",
            "finished_at",
        )  # fmt: skip
        read_only_fields = fields


class ProblemSerializer(serializers.ModelSerializer[ImportProblem]):
    """What is wrong with one line."""

    class Meta:
        model = ImportProblem
        fields = ("line", "column", "value", "sentence")
        read_only_fields = fields


class ColumnsSerializer(serializers.Serializer[Any]):
    """Field → column of the file, and options; what is not stated stays as guessed."""

    mapping = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)
    options = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)


class Imported:
    """Reading needs the scope `read`, the others `admin`; a person needs the right that the kind names."""

    required_scope = "admin"
    read_scope = "read"
    permission = ""  # whoever is signed in may come so far; `allowed` asks for the kind's own


def allowed(request: Request, kind: Kind) -> Kind:
    """Problem 403 for a person without the kind's right; a key's scope was asked for already."""
    user: Any = request.user
    if not isinstance(user, KeyHolder) and not user.has_perm(kind.permission):
        raise Problem(403, "forbidden", "Not allowed", f"Importing {kind.title.lower()} needs the right to change it.")
    return kind


def run_of(request: Request, pk: int) -> Import:
    run = get_object_or_404(Import.objects.defer("file"), pk=pk)
    allowed(request, decide.kind_of(run))
    return run


@extend_schema_view(
    get=extend_schema(summary="List imports", description="The newest first.", tags=["imports"]),
    post=extend_schema(
        summary="Send a file",
        description="As `text/csv`, or as a form with the file under `file`. Where every required column is recognised"
        " the file is checked at once; else the answer says `mapping`, and columns are to be chosen. Nothing is"
        " imported before it is confirmed.",
        parameters=[
            OpenApiParameter("kind", str, description="`usage` unless stated."),
            OpenApiParameter("name", str, description="The file's name, where the body is the file."),
        ],
        request={"text/csv": str},
        responses={201: ImportSerializer},
        tags=["imports"],
    ),
)
class ImportListView(Imported, generics.ListAPIView[Import]):
    """All imports, and a new one."""

    serializer_class = ImportSerializer
    parser_classes = [MultiPartParser, CsvParser]
    queryset = Import.objects.defer("file").order_by("-id")

    @property
    def permission(self) -> str:  # type: ignore[override]
        """Of the kind that is sent."""
        key = self.request.query_params.get("kind", "usage")
        kind = all_kinds().get(key)
        return kind.permission if kind else ""

    def get_queryset(self) -> QuerySet[Import]:
        user: Any = self.request.user
        if isinstance(user, KeyHolder):
            return super().get_queryset()
        return (
            super()
            .get_queryset()
            .filter(kind__in=[kind.key for kind in all_kinds().values() if user.has_perm(kind.permission)])
        )

    def post(self, request: Request) -> Response:
        kind = all_kinds().get(request.query_params.get("kind", "usage"))
        if kind is None:
            raise Problem(422, "unknown-kind", "Unknown kind", f"Choose from: {', '.join(all_kinds())}.")
        if (length := request.META.get("CONTENT_LENGTH") or "").isdigit() and int(
            length
        ) > 2 * settings.IMPORT_MAX_BYTES:
            raise Problem(413, "too-large", "The file is too large", refusal_of_size())
        body: Any = request.data
        name = request.query_params.get("name", "")
        if hasattr(body, "getlist"):
            sent = body.get("file")
            if request.META.get(TOO_LARGE):
                raise Problem(413, "too-large", "The file is too large", refusal_of_size())
            if sent is None or not hasattr(sent, "chunks"):
                raise Problem(422, "no-file", "No file", "Send the file as the form's field `file`, or as text/csv.")
            name, body = name or sent.name or "", sent.chunks()
        actor = Actor.of_request(request)
        try:
            run = take_file(actor, kind, name, body)
        except Unreadable as error:
            raise Problem(422, "unreadable", "The file cannot be read", str(error)) from None
        try:
            run = decide.choose(actor, run.pk, run.mapping, {})
        except decide.InvalidChoice:  # columns are to be chosen
            run.refresh_from_db()
        return Response(ImportSerializer(run).data, status=status.HTTP_201_CREATED)


@extend_schema_view(get=extend_schema(summary="One import", tags=["imports"]))
class ImportView(Imported, generics.GenericAPIView[Import]):
    """How far it is and what it brought."""

    serializer_class = ImportSerializer
    queryset = Import.objects.all()

    def get(self, request: Request, pk: int) -> Response:
        return Response(ImportSerializer(run_of(request, pk)).data)


@extend_schema_view(
    get=extend_schema(summary="What is wrong with an import's lines", responses=ProblemSerializer, tags=["imports"])
)
class ProblemsView(Imported, generics.ListAPIView[ImportProblem]):
    """The bad lines in the order of the file."""

    serializer_class = ProblemSerializer
    queryset = ImportProblem.objects.all()

    def get_queryset(self) -> QuerySet[ImportProblem]:
        return run_of(self.request, self.kwargs["pk"]).problems.all()


class KindGuarded(Imported):
    """A person's right is asked for by `run_of`, which knows the kind; here whoever is signed in comes in."""

    def check_permissions(self, request: Request) -> None:
        if isinstance(request.user, KeyHolder) or not request.user.is_authenticated:
            super().check_permissions(request)  # type: ignore[misc]


class ColumnsView(KindGuarded, generics.GenericAPIView[Import]):
    """Which column is what."""

    serializer_class = ColumnsSerializer
    queryset = Import.objects.all()

    @extend_schema(
        summary="Choose an import's columns", request=ColumnsSerializer, responses=ImportSerializer, tags=["imports"]
    )
    def post(self, request: Request, pk: int) -> Response:
        run = run_of(request, pk)
        sent = body(ColumnsSerializer, request)
        mapping = {**run.mapping, **sent.get("mapping", {})}
        try:
            run = decide.choose(Actor.of_request(request), pk, mapping, sent.get("options", {}))
        except decide.InvalidChoice as error:
            raise invalid(error.problems) from None
        return Response(ImportSerializer(run).data)


class ActView(KindGuarded, generics.GenericAPIView[Import]):
    """One decision; the work is done in the background."""

    serializer_class = ImportSerializer
    queryset = Import.objects.all()
    act: Callable[[Actor, int], Import]

    def post(self, request: Request, pk: int) -> Response:
        run_of(request, pk)
        run = type(self).act(Actor.of_request(request), pk)
        return Response(ImportSerializer(run).data, status=status.HTTP_202_ACCEPTED)


def told(summary: str) -> Callable[[type[ActView]], type[ActView]]:
    """The schema of one act."""
    schema = extend_schema(summary=summary, request=None, responses={202: ImportSerializer}, tags=["imports"])
    return extend_schema_view(post=schema)


@told("Import the good lines of a checked file")
class ConfirmView(ActView):
    act = staticmethod(decide.confirm)


@told("Take up an import that failed on the way")
class GoOnView(ActView):
    act = staticmethod(decide.go_on)


@told("Discard a file that is not imported")
class DiscardView(ActView):
    act = staticmethod(decide.discard)


@told("Take back what an import brought")
class UndoView(ActView):
    act = staticmethod(decide.begin_undo)
