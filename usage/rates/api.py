"""Currency rates over HTTP: list, add, change, remove. Many at once come as an import (`kind=rates`)."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers

from budgets.access.sent import Edited, EditedList, EditedRow
from budgets.audit.record import Actor
from budgets.currency.rates import InvalidRate, RateValues, RefusedRate
from budgets.models import CurrencyRate
from usage.rates import change


class RateSerializer(serializers.ModelSerializer[CurrencyRate]):
    """From `day` on, until the next day that has a rate, one US dollar buys `per_dollar` of `currency`."""

    per_dollar = serializers.SerializerMethodField(help_text="Decimal text without idle zeros.")

    class Meta:
        model = CurrencyRate
        fields = ["id", "currency", "day", "per_dollar", "origin", "created_at"]
        read_only_fields = fields

    def get_per_dollar(self, rate: CurrencyRate) -> str:
        return f"{rate.per_dollar.normalize():f}"


class RateValuesSerializer(serializers.Serializer[Any]):
    """What is stated about a rate. What a field may be is said by `budgets.currency.rates`, for pages too."""

    currency = serializers.CharField(max_length=3, help_text="Its code, such as EUR.")
    day = serializers.DateField()
    per_dollar = serializers.DecimalField(max_digits=18, decimal_places=8, help_text="Above zero.")
    origin = serializers.CharField(
        max_length=100, required=False, allow_blank=True, default="", help_text="Where it is from, for example ECB."
    )
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, help_text="Kept in the history.")


def stated(sent: dict[str, Any], before: CurrencyRate | None = None) -> RateValues:
    """Validated data as values, over those `before` where only a part was sent."""
    known = {name: getattr(before, name) for name in RateValues.__slots__} if before else {}
    return RateValues(**(known | {name: sent[name] for name in RateValues.__slots__ if name in sent}))


class Rated(Edited):
    permission = "budgets.change_currencyrate"
    values = RateValuesSerializer
    errors = (InvalidRate, RefusedRate)


@extend_schema_view(
    get=extend_schema(
        summary="List currency rates",
        description="By currency, the newest first.",
        parameters=[OpenApiParameter("currency", str, description="Its code, such as EUR.")],
        tags=["currency rates"],
    ),
    post=extend_schema(
        summary="Add a currency rate",
        description="Other costs in this currency that begin while it holds are converted anew. 422 where the day has"
        " a rate already.",
        request=RateValuesSerializer,
        responses={201: RateSerializer},
        tags=["currency rates"],
    ),
)
class RateListView(Rated, EditedList[CurrencyRate]):
    """All rates."""

    serializer_class = RateSerializer
    queryset = CurrencyRate.objects.order_by("currency", "-day")

    def get_queryset(self) -> QuerySet[CurrencyRate]:
        code = self.request.query_params.get("currency", "").replace("\0", "").strip().upper()
        return super().get_queryset().filter(currency=code) if code else super().get_queryset()

    def make(self, actor: Actor, sent: dict[str, Any], reason: str) -> CurrencyRate:
        return change.set_rate(actor, stated(sent), reason=reason)[0]


@extend_schema_view(
    get=extend_schema(summary="One currency rate", tags=["currency rates"]),
    patch=extend_schema(
        summary="Change a currency rate",
        description="Only what is sent changes; other costs that it concerns are converted anew.",
        request=RateValuesSerializer(partial=True),
        responses=RateSerializer,
        tags=["currency rates"],
    ),
    delete=extend_schema(
        summary="Remove a currency rate",
        description="The rate before holds again. 409 where pages show money by no other.",
        responses={204: None},
        tags=["currency rates"],
    ),
)
class RateView(Rated, EditedRow[CurrencyRate]):
    """One rate."""

    serializer_class = RateSerializer
    queryset = CurrencyRate.objects.all()

    def change(self, actor: Actor, row: CurrencyRate, sent: dict[str, Any], reason: str) -> CurrencyRate:
        try:
            return change.set_rate(actor, stated(sent, row), row, reason)[0]
        except CurrencyRate.DoesNotExist as error:
            raise Http404("This rate is removed already.") from error

    def remove(self, actor: Actor, row: CurrencyRate) -> None:
        change.remove_rate(actor, row)
