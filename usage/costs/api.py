"""Other AI costs over HTTP: list, enter, change, remove."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.access.problems import Problem
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


@contextmanager
def as_problems() -> Iterator[None]:
    try:
        yield
    except edit.InvalidCost as error:
        raise serializers.ValidationError({name: [said] for name, said in error.problems.items()}) from error
    except edit.RefusedCost as error:
        raise Problem(409, "refused", "Not possible now", str(error)) from error


def stated(sent: dict[str, Any], before: CostValues | None = None) -> CostValues:
    """Validated data as values, over those `before` where only a part was sent."""
    values = {name: sent[name] for name in CostValues.__slots__ if name in sent}
    if "amount" in sent:
        values["amount"] = int(sent["amount"] * NANO)
    for name, model in (("team", Team), ("workflow", Workflow)):
        if name in sent:
            values[f"{name}_id"] = _named(name, model, sent[name])
    known = {name: getattr(before, name) for name in CostValues.__slots__} if before else {}
    return CostValues(**(known | values))


def _named(name: str, model: Any, slug: str | None) -> int | None:
    if not slug:
        return None
    found = model.objects.filter(slug=slug).values_list("pk", flat=True).first()
    if found is None:
        raise serializers.ValidationError({name: [f"There is no {name} with the short name “{slug}”."]})
    return int(found)


class Costed:
    """Reading needs the scope `read`, changing `admin`."""

    required_scope = "admin"
    read_scope = "read"
    permission = "usage.change_othercost"


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
    )
)
class CostListView(Costed, generics.ListCreateAPIView[OtherCost]):
    """All that count."""

    serializer_class = CostSerializer
    queryset = OtherCost.objects.all()

    def get_queryset(self) -> QuerySet[OtherCost]:
        wanted = chosen(self.request.query_params.dict(), Organisation.get())
        if wanted.note:
            raise serializers.ValidationError({"query": [wanted.note.replace("; it was ignored", "")]})
        return wanted.rows()

    @extend_schema(
        summary="Enter an other AI cost",
        request=CostValuesSerializer,
        responses={201: CostSerializer},
        tags=["other costs"],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        sent = CostValuesSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        with as_problems():
            (made,) = edit.create_costs(
                Actor.of_request(request), [stated(sent.validated_data)], sent.validated_data.get("reason", "")
            )
        return Response(CostSerializer(made).data, status=status.HTTP_201_CREATED)


@extend_schema_view(get=extend_schema(summary="One other AI cost", tags=["other costs"]))
class CostView(Costed, generics.RetrieveAPIView[OtherCost]):
    """A cost that counts; a removed one is gone."""

    serializer_class = CostSerializer
    queryset = OtherCost.objects.filter(removed_at=None).select_related("team", "workflow")

    @extend_schema(
        summary="Change an other AI cost",
        description="Only what is sent changes.",
        request=CostValuesSerializer(partial=True),
        responses=CostSerializer,
        tags=["other costs"],
    )
    def patch(self, request: Request, pk: int) -> Response:
        sent = CostValuesSerializer(data=request.data, partial=True)
        sent.is_valid(raise_exception=True)
        cost, values = self.get_object(), sent.validated_data
        with as_problems():
            saved = edit.change_cost(
                Actor.of_request(request), cost, stated(values, CostValues.of_row(cost)), values.get("reason", "")
            )
        return Response(CostSerializer(saved).data)

    @extend_schema(summary="Remove an other AI cost", responses={204: None}, tags=["other costs"])
    def delete(self, request: Request, pk: int) -> Response:
        with as_problems():
            edit.remove_cost(Actor.of_request(request), self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)
