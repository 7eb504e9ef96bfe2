"""Other AI costs over HTTP: list, enter, change, remove."""

from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers

from budgets.access.sent import Edited, EditedList, EditedRow, named
from budgets.audit.record import Actor
from budgets.models import NANO, Organisation, Team, Workflow
from usage.costs import edit
from usage.costs.listing import PERIODS, chosen
from usage.costs.values import CostValues
from usage.models import OtherCost


def plain(amount: int) -> str:
    """Decimal text of billionths, without idle zeros."""
    return f"{(Decimal(amount) / NANO).normalize():f}"


class CostSerializer(serializers.ModelSerializer[OtherCost]):
    """What is paid for AI beside metered calls. It counts evenly over its days; a credit is below zero."""

    amount = serializers.SerializerMethodField(help_text="In `currency`.")
    cost = serializers.SerializerMethodField(help_text="US dollars, at the rate of the first day.")
    team = serializers.CharField(source="team.slug", allow_null=True, default=None)
    workflow = serializers.CharField(source="workflow.slug", allow_null=True, default=None)

    class Meta:
        model = OtherCost
        fields = [
            "id", "name", "kind", "vendor", "team", "workflow", "amount", "currency", "cost", "first_day", "last_day",
            "reference", "note", "created_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_amount(self, cost: OtherCost) -> str:
        return plain(cost.amount)

    def get_cost(self, cost: OtherCost) -> str:
        return plain(cost.cost)


class CostValuesSerializer(serializers.Serializer[Any]):
    """What is stated about a cost. What a field may be is said by `usage.costs.values`, for pages too."""

    name = serializers.CharField(max_length=200)
    kind = serializers.ChoiceField(OtherCost.Kind.choices, default=OtherCost.Kind.SUBSCRIPTION.value)
    amount = serializers.DecimalField(max_digits=28, decimal_places=9, help_text="In `currency`; a credit below zero.")
    currency = serializers.CharField(max_length=3, default="USD", help_text="Another than USD needs a rate.")
    first_day = serializers.DateField()
    last_day = serializers.DateField(help_text="Included.")
    vendor = serializers.CharField(max_length=128, required=False, allow_blank=True, default="")
    team = serializers.CharField(max_length=128, required=False, allow_null=True, default=None, help_text="Short name.")
    workflow = serializers.CharField(
        max_length=128, required=False, allow_null=True, default=None, help_text="Short name."
    )
    reference = serializers.CharField(max_length=128, required=False, allow_blank=True, default="")
    note = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, help_text="Kept in the history.")


def stated(sent: dict[str, Any], before: CostValues | None = None) -> CostValues:
    """Validated data as values, over those `before` where only a part was sent."""
    values = {name: sent[name] for name in CostValues.__slots__ if name in sent}
    if "amount" in sent:
        values["amount"] = int(sent["amount"] * NANO)
    for name, model in (("team", Team), ("workflow", Workflow)):
        if name in sent:
            values[f"{name}_id"] = named(name, model, sent[name])
    known = {name: getattr(before, name) for name in CostValues.__slots__} if before else {}
    return CostValues(**(known | values))


class Costed(Edited):
    permission = "usage.change_othercost"
    values = CostValuesSerializer
    errors = (edit.InvalidCost, edit.RefusedCost)


@extend_schema_view(
    get=extend_schema(
        summary="List other AI costs",
        description="The newest first. `period` keeps those that touch it.",
        parameters=[
            OpenApiParameter("kind", str, enum=OtherCost.Kind.values),
            OpenApiParameter("team", str),
            OpenApiParameter("period", str, enum=[key for key in PERIODS if key]),
            OpenApiParameter("q", str, description="Words in name, vendor, reference or note."),
        ],
        tags=["other costs"],
    ),
    post=extend_schema(
        summary="Enter an other AI cost",
        request=CostValuesSerializer,
        responses={201: CostSerializer},
        tags=["other costs"],
    ),
)
class CostListView(Costed, EditedList[OtherCost]):
    """All that count."""

    serializer_class = CostSerializer
    queryset = OtherCost.objects.all()

    def get_queryset(self) -> QuerySet[OtherCost]:
        wanted = chosen(self.request.query_params.dict(), Organisation.get())
        if wanted.note:
            raise serializers.ValidationError({"query": [wanted.note.replace("; it was ignored", "")]})
        return wanted.rows()

    def make(self, actor: Actor, sent: dict[str, Any], reason: str) -> OtherCost:
        return edit.create_costs(actor, [stated(sent)], reason)[0]


@extend_schema_view(
    get=extend_schema(summary="One other AI cost", tags=["other costs"]),
    patch=extend_schema(
        summary="Change an other AI cost",
        description="Only what is sent changes.",
        request=CostValuesSerializer(partial=True),
        responses=CostSerializer,
        tags=["other costs"],
    ),
    delete=extend_schema(summary="Remove an other AI cost", responses={204: None}, tags=["other costs"]),
)
class CostView(Costed, EditedRow[OtherCost]):
    """A cost that counts; a removed one is gone."""

    serializer_class = CostSerializer
    queryset = OtherCost.objects.filter(removed_at=None).select_related("team", "workflow")

    def change(self, actor: Actor, row: OtherCost, sent: dict[str, Any], reason: str) -> OtherCost:
        return edit.change_cost(actor, row, stated(sent, CostValues.of_row(row)), reason)

    def remove(self, actor: Actor, row: OtherCost) -> None:
        edit.remove_cost(actor, row)
