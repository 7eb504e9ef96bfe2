"""The plan over HTTP: a fiscal year's lines with what was spent, and setting lines."""

from decimal import Decimal
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.access.reachable import reachable
from budgets.access.sent import body
from budgets.audit.record import Actor
from budgets.limits.calendar import day_of
from budgets.limits.serializers import in_nano, in_units, plain
from budgets.models import Organisation, PlanLine, Team
from budgets.plan.edit import InvalidPlan, PlanValue, set_lines
from budgets.plan.year import FIRST_YEAR, LAST_YEAR, written_month, year_of
from usage.planning.figures import Cell, plan_year

MONEY = "money"
MOST_LINES = 5_000


class PlanCellSerializer(serializers.Serializer[Any]):
    """A month of a team, in US dollars."""

    month = serializers.CharField(help_text="YYYY-MM.")
    team = serializers.CharField(allow_null=True, help_text="Short name; null for what no team answers for.")
    amount = serializers.CharField(allow_null=True, help_text="Planned; null where nothing is.")
    note = serializers.CharField()
    metered = serializers.CharField(help_text="Spend by the ledger; of the running month so far.")
    other_costs = serializers.CharField(help_text="Other AI costs on the days until today.")
    expected = serializers.CharField(allow_null=True, help_text="By the end of the running month at an even pace.")


class PlanYearSerializer(serializers.Serializer[Any]):
    """A fiscal year, named by the calendar year it begins in. Only months with anything in them."""

    year = serializers.IntegerField()
    planned = serializers.CharField()
    actual = serializers.CharField()
    lines = PlanCellSerializer(many=True)


class PlanLineSerializer(serializers.Serializer[Any]):
    """A line to set; `amount` null removes it."""

    month = serializers.CharField(max_length=20, help_text="YYYY-MM.")
    team = serializers.CharField(max_length=128, allow_null=True, default=None)
    amount = serializers.DecimalField(max_digits=28, decimal_places=9, min_value=Decimal(0), allow_null=True)
    note = serializers.CharField(max_length=200, allow_blank=True, default="")


class PlanChangeSerializer(serializers.Serializer[Any]):
    """Lines to set; all others stay."""

    lines = PlanLineSerializer(many=True, allow_empty=False, max_length=MOST_LINES)  # type: ignore[call-arg]  # for the list
    reason = serializers.CharField(required=False, allow_blank=True, max_length=400, default="")


class PlanSavedSerializer(serializers.Serializer[Any]):
    changed = serializers.IntegerField(help_text="Lines made, changed or removed.")


class PlanView(generics.GenericAPIView[PlanLine]):
    """The annual plan."""

    required_scope = "admin"
    read_scope = "read"
    permission = "budgets.change_planline"
    narrowed = True
    serializer_class = PlanYearSerializer
    queryset = PlanLine.objects.all()

    @extend_schema(
        summary="The plan of a fiscal year, with what was spent",
        parameters=[OpenApiParameter("year", int, description="In which it begins; the present one by default.")],
        responses=PlanYearSerializer,
        tags=["plan"],
    )
    def get(self, request: Request) -> Response:
        organisation, now = Organisation.get(), timezone.now()
        text = request.query_params.get("year", "")
        if text and not (text.isascii() and text.isdecimal() and FIRST_YEAR <= int(text[:5]) < LAST_YEAR):
            raise serializers.ValidationError({"year": [f"Give a year from {FIRST_YEAR} to {LAST_YEAR - 1}."]})
        year = int(text) if text else year_of(day_of(now, organisation.zone), organisation.fiscal_year_starts)
        table = plan_year(organisation, year, now, who=request.user)
        return Response(
            {
                "year": year,
                "planned": _text(table.total.plan or 0),
                "actual": _text(table.total.actual),
                "lines": [
                    _shown(row.team, cell)
                    for row in table.rows
                    for cell in row.cells
                    if cell.plan is not None or cell.actual
                ],
            }
        )

    @extend_schema(
        summary="Set lines of the plan",
        description="All or none. What is not sent stays.",
        request=PlanChangeSerializer,
        responses=PlanSavedSerializer,
        tags=["plan"],
    )
    def put(self, request: Request) -> Response:
        sent = body(PlanChangeSerializer, request)
        lines = sent["lines"]
        teams: dict[str, int] = dict(
            reachable(Team, request.user)
            .filter(slug__in=[one["team"] for one in lines if one["team"]])
            .values_list("slug", "pk")
        )
        values = [_value(i, one, teams) for i, one in enumerate(lines)]
        try:
            saved = set_lines(Actor.of_request(request), values, sent["reason"])
        except InvalidPlan as error:
            raise serializers.ValidationError(
                {"lines": [f"Line {i + 1}: {said}" for i, _, said in error.problems]}
            ) from error
        return Response({"changed": saved.count})


def _value(i: int, line: dict[str, Any], teams: dict[str, int]) -> PlanValue:
    try:
        month = written_month(line["month"])
    except ValueError as error:
        raise serializers.ValidationError({"lines": [f"Line {i + 1}: {error}"]}) from error
    if line["team"] and line["team"] not in teams:
        raise serializers.ValidationError({"lines": [f"Line {i + 1}: there is no team “{line['team']}”."]})
    amount = None if line["amount"] is None else in_nano(line["amount"], MONEY)
    return PlanValue(month, teams.get(line["team"] or ""), amount, line["note"])


def _text(nano: int) -> str:
    return plain(in_units(nano, MONEY))


def _shown(team: str, cell: Cell) -> dict[str, Any]:
    return {
        "month": f"{cell.month:%Y-%m}",
        "team": team or None,
        "amount": None if cell.plan is None else _text(cell.plan),
        "note": cell.note,
        "metered": _text(cell.metered),
        "other_costs": _text(cell.other),
        "expected": None if cell.expected is None else _text(cell.expected),
    }
