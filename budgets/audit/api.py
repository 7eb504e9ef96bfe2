"""The history over HTTP."""

from typing import Any

from django.http import QueryDict
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from budgets.audit import search
from budgets.models import AuditEntry, Organisation

MOST = 1_000


class AuditEntrySerializer(serializers.ModelSerializer[AuditEntry]):
    """One change; `digest` is SHA-256 in hexadecimal, see docs/history.md."""

    who = serializers.CharField(source="who_text")
    digest = serializers.SerializerMethodField()

    class Meta:
        model = AuditEntry
        fields = (
            "position", "at", "who", "origin", "act", "object_type", "object_id", "object_name", "before", "after",
            "reason", "digest",
        )  # fmt: skip

    def get_digest(self, entry: AuditEntry) -> str:
        return bytes(entry.digest).hex()


class HistoryPageSerializer(serializers.Serializer[dict[str, Any]]):
    """Newest first; `next` is the address of the older rows, null at the end."""

    next = serializers.CharField(allow_null=True)
    results = AuditEntrySerializer(many=True)


class HistoryView(APIView):
    """Reading needs the scope `read`."""

    required_scope = "admin"
    read_scope = "read"

    @extend_schema(
        summary="The history of changes",
        description="Newest first. Filters as on the page; a value that makes no sense is refused with 422.",
        parameters=[
            OpenApiParameter("who", str),
            OpenApiParameter("type", str, description="such as budgets.budget"),
            OpenApiParameter("object", str, description="kind:id"),
            OpenApiParameter("act", str),
            OpenApiParameter("origin", str, enum=AuditEntry.Origin.values),
            OpenApiParameter("from", str, description="first day, in the organisation's time zone"),
            OpenApiParameter("to", str, description="last day"),
            OpenApiParameter("q", str, description="words that begin so, in names and reasons"),
            OpenApiParameter("before", int, description="rows before this position"),
            OpenApiParameter("limit", int, description="rows, at most 1,000"),
        ],
        responses=HistoryPageSerializer,
        tags=["history"],
    )
    def get(self, request: Request) -> Response:
        asked = search.read(request.query_params.dict())
        wrong = {name: [said.partition(";")[0].rstrip(".") + "."] for name, said in asked.notes.items()}
        limit = request.query_params.get("limit", "100")
        if not (limit.isascii() and limit.isdecimal() and 1 <= int(limit[:9]) <= MOST):
            wrong["limit"] = [f"Write a number from 1 to {MOST:,}."]
        if wrong:
            raise serializers.ValidationError(wrong)
        page = search.page_of(asked, Organisation.get(), int(limit))
        return Response(
            {
                "next": self._address(request, page.older_before),
                "results": AuditEntrySerializer(page.rows, many=True).data,
            }
        )

    def _address(self, request: Request, before: int | None) -> str | None:
        if before is None:
            return None
        query: QueryDict = request.query_params.copy()
        query.pop("after", None)
        query["before"] = str(before)
        return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
