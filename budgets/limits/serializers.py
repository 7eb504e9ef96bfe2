"""How budgets look in the API: dollars, tokens and calls as decimal text, shares as text, days as YYYY-MM-DD."""

from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from budgets.limits.thresholds import remaining_steps
from budgets.limits.values import DEFAULT_THRESHOLDS, BudgetValues
from budgets.models import NANO, Budget, BudgetState

SCOPE_HELP = (
    "What it covers: team, workflow, environment, user, application, customer, model, provider, tier, tag"
    " (key=value). All must hold; {} is the whole company."
)


def in_units(amount: int, metric: str) -> Decimal:
    """Dollars for nano-dollars, exactly; tokens and calls as they are."""
    return Decimal(amount) / NANO if metric == Budget.Metric.MONEY else Decimal(amount)


def in_nano(amount: Decimal, metric: str) -> int:
    """The other way round; raises a validation error where that would lose something."""
    exact = amount * NANO if metric == Budget.Metric.MONEY else amount
    if exact != exact.to_integral_value():
        money = metric == Budget.Metric.MONEY
        raise serializers.ValidationError(
            {"amount": ["At most nine decimals." if money else f"Give a whole number of {metric}."]}
        )
    return int(exact)


def plain(amount: Decimal) -> str:
    """Decimal text without an exponent or idle zeros: "1200.5"."""
    return f"{amount.normalize():f}"


@extend_schema_field({"oneOf": [{"type": "integer", "minimum": 0, "maximum": 10**6}, {"type": "boolean"}]})
class SettingField(serializers.IntegerField):
    """A number, or yes or no."""

    def __init__(self) -> None:
        super().__init__(min_value=0, max_value=10**6)

    def to_internal_value(self, data: Any) -> Any:
        return data if isinstance(data, bool) else super().to_internal_value(data)

    def to_representation(self, value: Any) -> Any:
        return value if isinstance(value, bool) else super().to_representation(value)


SETTINGS_HELP = (
    '{"tier": 1} for downgrade, {"per_minute": 60} for throttle; {"hard": true} for block, of money: callers reserve'
    " money by leases before they call."
)


class StateSerializer(serializers.Serializer[BudgetState]):
    """Where a budget stands in the period that runs now. Amounts in dollars, tokens or calls, as its metric says."""

    period_start = serializers.DateField()
    period_end = serializers.DateField(help_text="Last day, included.")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(help_text="First instant after the period.")
    limit = serializers.SerializerMethodField(help_text="The amount with what was carried over.")
    spent = serializers.SerializerMethodField()
    remaining = serializers.SerializerMethodField(help_text="Never below zero.")
    remaining_twentieths = serializers.SerializerMethodField(help_text="As the policy bundle says it: 0 to 20.")
    calls = serializers.IntegerField()
    crossed = serializers.IntegerField(help_text="Highest threshold crossed, percent; 0 for none.")
    status = serializers.ChoiceField(BudgetState.Status.choices)

    def get_limit(self, state: BudgetState) -> str:
        return plain(in_units(state.limit, state.budget.metric))

    def get_spent(self, state: BudgetState) -> str:
        return plain(in_units(state.spent, state.budget.metric))

    def get_remaining(self, state: BudgetState) -> str:
        return plain(in_units(max(0, state.limit - state.spent), state.budget.metric))

    def get_remaining_twentieths(self, state: BudgetState) -> int:
        return remaining_steps(state.spent, state.limit)


class BudgetSerializer(serializers.ModelSerializer[Budget]):
    """A budget and its state; `state` is null until its past is read from the ledger, a moment after it was made."""

    amount = serializers.SerializerMethodField(help_text="Dollars, tokens or calls, as `metric` says.")
    scope = serializers.DictField(child=serializers.CharField(), help_text=SCOPE_HELP)
    carry_over = serializers.DecimalField(max_digits=4, decimal_places=3)
    thresholds = serializers.ListField(child=serializers.IntegerField())
    action_settings = serializers.DictField(child=SettingField(), help_text=SETTINGS_HELP)
    owner = serializers.CharField(source="owner.username", allow_null=True, default=None)
    state = serializers.SerializerMethodField()

    class Meta:
        model = Budget
        fields = [
            "slug", "name", "status", "scope", "metric", "amount", "period", "starts_on", "ends_on", "carry_over",
            "thresholds", "on_exhausted", "action_settings", "pace", "owner", "edit_version", "created_at",
            "updated_at", "state",
        ]  # fmt: skip
        read_only_fields = fields

    def get_amount(self, budget: Budget) -> str:
        return plain(in_units(budget.amount, budget.metric))

    @extend_schema_field(StateSerializer(allow_null=True))
    def get_state(self, budget: Budget) -> dict[str, Any] | None:
        state: BudgetState | None = next(iter(getattr(budget, "running", ())), None)
        return StateSerializer(state).data if state else None


class BudgetValuesSerializer(serializers.Serializer[Any]):
    """What is stated about a budget. What a field may be is said by `budgets.limits.values`, for pages too."""

    name = serializers.CharField(max_length=200)
    slug = serializers.CharField(required=False, max_length=128, help_text="Short name; never changes. From the name.")
    amount = serializers.DecimalField(max_digits=28, decimal_places=9, help_text="Dollars, tokens or calls.")
    metric = serializers.ChoiceField(Budget.Metric.choices, default=Budget.Metric.MONEY.value)
    scope = serializers.DictField(child=serializers.CharField(allow_blank=True), default=dict, help_text=SCOPE_HELP)
    period = serializers.ChoiceField(Budget.Period.choices, default=Budget.Period.MONTH.value)
    starts_on = serializers.DateField(default=None, allow_null=True, help_text="Fixed dates only.")
    ends_on = serializers.DateField(default=None, allow_null=True, help_text="Last day, included; fixed dates only.")
    carry_over = serializers.DecimalField(max_digits=4, decimal_places=3, default=Decimal(0), help_text="0 to 1.")
    thresholds = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=1000), default=list(DEFAULT_THRESHOLDS), max_length=50
    )
    on_exhausted = serializers.ChoiceField(Budget.Action.choices, default=Budget.Action.ALERT.value)
    action_settings = serializers.DictField(child=SettingField(), default=dict, help_text=SETTINGS_HELP)
    pace = serializers.ChoiceField(Budget.Pace.choices, default=Budget.Pace.EVEN.value)
    owner = serializers.CharField(default=None, allow_null=True, max_length=150, help_text="A user name.")
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, help_text="Kept in the history.")


class BudgetChangeSerializer(BudgetValuesSerializer):
    """Only what is sent changes. `edit_version`, as it was read, refuses to overwrite what somebody else saved."""

    slug = None  # type: ignore[assignment]  # DRF's way to leave a field of the parent out
    edit_version = serializers.IntegerField(required=False, min_value=1)


class ReasonSerializer(serializers.Serializer[Any]):
    """Why, for the history; and what was seen."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")
    edit_version = serializers.IntegerField(required=False, min_value=1)


def stated(sent: dict[str, Any], before: BudgetValues | None = None) -> BudgetValues:
    """Validated data as values, over those `before` where only a part was sent."""
    values = {name: sent[name] for name in BudgetValues.__slots__ if name in sent}
    metric = sent.get("metric") or (before.metric if before else Budget.Metric.MONEY)
    if "amount" in sent:
        values["amount"] = in_nano(sent["amount"], metric)
    elif before is not None and metric != before.metric:
        raise serializers.ValidationError({"amount": ["Give the amount too when what is counted changes."]})
    if "thresholds" in sent:
        values["thresholds"] = tuple(sent["thresholds"])
    if "owner" in sent:
        values["owner_id"] = owner_id_of(sent["owner"])
    if before is None:
        return BudgetValues(**values)
    known = {name: getattr(before, name) for name in BudgetValues.__slots__}
    return BudgetValues(**(known | values))


def owner_id_of(username: str | None) -> int | None:
    """The id of an active user; None for nobody. Raises a validation error for a name that is not known."""
    if not username:
        return None
    found = get_user_model().objects.filter(username=username, is_active=True).values_list("pk", flat=True).first()
    if found is None:
        raise serializers.ValidationError({"owner": ["This person is not known here, or may no longer sign in."]})
    return int(found)
