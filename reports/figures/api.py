"""The figures over HTTP, to be read by other programs."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, views
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.models import Organisation
from budgets.pages.amounts import dollars
from reports.asking.scope import DIMENSIONS, NAMES
from reports.asking.window import COMPARISONS, CUSTOM, PERIODS
from reports.figures.asked import asked_of
from reports.figures.documents import document
from reports.figures.gather import gather
from reports.figures.showing import MONIES, in_file

EVERY = 1_000  # users, customers, applications


class FigureSerializer(serializers.Serializer[Any]):
    """One figure. Money in US dollars and ratios as decimal text, shares as parts of one; null cannot be said."""

    group = serializers.CharField()
    name = serializers.CharField()
    title = serializers.CharField()
    unit = serializers.CharField(help_text="each, money: US dollars; share: part of one; the rest plain numbers.")
    value = serializers.CharField(allow_null=True)
    complete_days = serializers.CharField(allow_null=True, help_text="Of the days that are over, to be compared.")
    before = serializers.CharField(allow_null=True, help_text="Of the days compared with.")
    why_not = serializers.CharField(help_text="Why there is no value; empty where there is.")


class FiguresSerializer(serializers.Serializer[Any]):
    """All figures of a stretch of days and a part of the spend."""

    to = serializers.DateField()
    compared_from = serializers.DateField(allow_null=True)
    compared_to = serializers.DateField(allow_null=True)
    time_zone = serializers.CharField()
    currency = serializers.CharField(help_text="Always USD.")
    spend = serializers.CharField(allow_null=True)
    calls = serializers.IntegerField(allow_null=True)
    runs = serializers.IntegerField(allow_null=True)
    figures = FigureSerializer(many=True)
    tables = serializers.DictField(child=serializers.ListField(child=serializers.DictField()))
    notes = serializers.ListField(child=serializers.CharField(), help_text="What of the address was left out.")

    def get_fields(self) -> dict[str, Any]:
        return {"from": serializers.DateField(), **super().get_fields()}


def in_dollars(value: Any, unit: str) -> Any:
    """As files have it, money in US dollars."""
    if unit not in MONIES or value is None:
        return in_file(value, unit)
    whole, _, rest = f"{dollars(round(value)):.9f}".rstrip("0").partition(".")
    return f"{whole}.{rest:0<2}"


class FiguresView(views.APIView):
    """Figures and answers."""

    required_scope = "admin"
    read_scope = "read"
    narrowed = True

    @extend_schema(
        operation_id="figures",
        summary="All figures of a stretch of days",
        description="What a result costs, what it is worth, models, caches, repeats, what input is made of; with the "
        "days before. A filter may be given several times: any of its values. What is not understood is left out, "
        "and `notes` says so.",
        parameters=[
            OpenApiParameter("period", str, enum=[*PERIODS, CUSTOM], description="this-month by default."),
            OpenApiParameter("from", str, description="The first day, with `period=custom`: 2026-11-01."),
            OpenApiParameter("to", str, description="The last day, included."),
            OpenApiParameter("compare", str, enum=list(COMPARISONS), description="previous by default."),
            *(OpenApiParameter(one, str, many=True, description=f"Only this {NAMES[one].lower()}; “-” for calls "
                               "that state none.") for one in DIMENSIONS),
        ],
        responses=FiguresSerializer,
        tags=["figures"],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        query = request._request.GET
        found = gather(asked_of(query, request.user, Organisation.get(), timezone.now()), EVERY)
        return Response(document(found, "USD", in_dollars))
