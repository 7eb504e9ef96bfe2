"""What a person states about a budget, and what is wrong with it in sentences that help."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model

from budgets.limits import scope as scopes
from budgets.models import Budget, Team, Workflow
from budgets.models.workflows import check_slug

MOST = 10**18  # a billion dollars in nano-dollars: far from what a bigint holds, so that sums never overflow
MOST_THRESHOLDS = 12
DAYS_AT_MOST = 3_660
HARD = "hard"
DEFAULT_THRESHOLDS = (50, 80, 100)


@dataclass(frozen=True, slots=True)
class BudgetValues:
    """`amount` in nano-dollars, tokens or calls, as `metric` says; thresholds in percent; `carry_over` 0 to 1.

    `action_settings`: `tier` for downgrade, `per_minute` for throttle, `hard` (true) for block: callers reserve money
    at the server before they call, so that all of them together stay within the amount.

    `slug` counts when the budget is made (empty: from its name); it never changes later.
    """

    name: str
    amount: int
    scope: Mapping[str, str] = field(default_factory=dict)
    metric: str = "money"
    period: str = "month"
    starts_on: date | None = None
    ends_on: date | None = None
    carry_over: Decimal = Decimal(0)
    thresholds: tuple[int, ...] = DEFAULT_THRESHOLDS
    on_exhausted: str = "alert"
    action_settings: Mapping[str, int | bool] = field(default_factory=dict)
    pace: str = "even"
    owner_id: int | None = None
    slug: str = ""

    def tidied(self) -> "BudgetValues":
        """The same in its one written form, which is what is stored and compared."""
        fixed = self.period == Budget.Period.FIXED
        kept = ACTION_SETTINGS.get(self.on_exhausted)
        return replace(
            self,
            name=" ".join(self.name.split()),
            scope=scopes.clean(self.scope),
            starts_on=self.starts_on if fixed else None,
            ends_on=self.ends_on if fixed else None,
            thresholds=tuple(sorted(set(self.thresholds))),
            action_settings={
                name: value for name, value in self.action_settings.items() if name == kept and value is not False
            },
        )

    def as_json(self) -> dict[str, Any]:
        """For the history: dates and shares as text."""
        stated = asdict(self) | {"scope": dict(self.scope), "action_settings": dict(self.action_settings)}
        return {
            name: str(value)
            if isinstance(value, date | Decimal)
            else list(value)
            if isinstance(value, tuple)
            else value
            for name, value in stated.items()
        }

    @classmethod
    def of_json(cls, stated: Mapping[str, Any]) -> "BudgetValues":
        """Back from the history. Raises TypeError or ValueError where that holds something else."""
        known = {one.name for one in fields(cls)}
        values = {name: value for name, value in stated.items() if name in known}
        for name in ("starts_on", "ends_on"):
            if values.get(name):
                values[name] = date.fromisoformat(values[name])
        values["carry_over"] = Decimal(values.get("carry_over", "0"))
        values["thresholds"] = tuple(values.get("thresholds", DEFAULT_THRESHOLDS))
        return cls(**values)


# What each consequence needs to be told, or may be, and nothing else is kept.
ACTION_SETTINGS = {
    Budget.Action.DOWNGRADE.value: "tier",
    Budget.Action.THROTTLE.value: "per_minute",
    Budget.Action.BLOCK.value: HARD,
}


def values_of(budget: Budget) -> BudgetValues:
    """What is stated about a budget now."""
    return BudgetValues(
        name=budget.name,
        amount=budget.amount,
        scope=dict(budget.scope),
        metric=budget.metric,
        period=budget.period,
        starts_on=budget.starts_on,
        ends_on=budget.ends_on,
        # As the column holds it, so that a value read back equals the one that was written.
        carry_over=Decimal(budget.carry_over).quantize(Decimal("0.001")),
        thresholds=tuple(budget.thresholds),
        on_exhausted=budget.on_exhausted,
        action_settings=dict(budget.action_settings),
        pace=budget.pace,
        owner_id=budget.owner_id,
        slug=budget.slug,
    )


def validate(values: BudgetValues) -> dict[str, str]:
    """Field → sentence for what cannot be saved; empty when all is well. Three small queries at most."""
    values = values.tidied()
    found = {
        "name": _problem_with_name(values.name),
        "slug": _problem_with_slug(values.slug),
        "amount": _problem_with_amount(values),
        "scope": scopes.problem_with(values.scope) or _problem_with_subject(values.scope),
        "metric": _not_one_of(values.metric, Budget.Metric, "what it counts"),
        "period": _not_one_of(values.period, Budget.Period, "a period"),
        "pace": _not_one_of(values.pace, Budget.Pace, "a pace"),
        "on_exhausted": _not_one_of(values.on_exhausted, Budget.Action, "what happens when it is used up"),
        "action_settings": _problem_with_settings(values),
        "thresholds": _problem_with_thresholds(values.thresholds),
        "carry_over": _problem_with_carry_over(values),
        "owner_id": _problem_with_owner(values.owner_id),
        **_problems_with_dates(values),
    }
    return {name: problem for name, problem in found.items() if problem}


def _problem_with_name(name: str) -> str | None:
    if not name:
        return "Give the budget a name that its readers know, for example “SEO briefs, November”."
    if "\0" in name:
        return "The name holds a character that cannot be stored."
    return "The name is too long: at most 128 characters." if len(name) > 128 else None


def _problem_with_slug(slug: str) -> str | None:
    if slug and (not check_slug.regex.fullmatch(slug) or len(slug) > 128):  # type: ignore[union-attr]
        return str(check_slug.message)
    return None


def _problem_with_amount(values: BudgetValues) -> str | None:
    if isinstance(values.amount, bool) or not isinstance(values.amount, int) or values.amount <= 0:
        return "Give an amount above zero. To stop all spending, pause the workflow instead."
    return "This amount is larger than a budget can hold." if values.amount > MOST else None


def _problem_with_subject(scope: Mapping[str, str]) -> str | None:
    """Teams and workflows are ours, so a misspelt one would be a budget that nothing ever counts against."""
    team, workflow = scope.get("team"), scope.get("workflow")
    if team is not None and not Team.objects.filter(slug=team).exists():
        return f"There is no team “{team}”. Add the team first, or choose another."
    if workflow is None:
        return None
    found = Workflow.objects.filter(slug=workflow).values_list("merged_into__slug", flat=True).first()
    if found:
        return f"“{workflow}” counts under “{found}” since they were merged. Choose that one."
    if found is None and not Workflow.objects.filter(slug=workflow).exists():
        return f"There is no workflow “{workflow}”. Workflows appear when they first send usage, or add it first."
    return None


def _not_one_of(value: str, choices: type[Any], words: str) -> str | None:
    return None if value in choices.values else f"Choose {words} from: {', '.join(choices.values)}."


def _problem_with_settings(values: BudgetValues) -> str | None:
    needed = ACTION_SETTINGS.get(values.on_exhausted)
    if needed is None:
        return None
    value = values.action_settings.get(needed)
    if needed == HARD:
        return _problem_with_hard(value, values.metric)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if needed == "tier":
        good = is_number and 1 <= int(value or 0) <= 99
        return None if good else "Say which models to use instead: give the number of their tier, 1 for Economy."
    good = is_number and 1 <= int(value or 0) <= 1_000_000
    return None if good else "Say how many calls a minute are still allowed, at least 1."


def _problem_with_hard(value: object, metric: str) -> str | None:
    if value is None:
        return None
    if value is not True:
        return "Say true to hold this limit exactly, or leave it out."
    if metric != Budget.Metric.MONEY:
        return "Only a budget of money can be held exactly: callers reserve money before they call."
    return None


def _problem_with_thresholds(percents: tuple[int, ...]) -> str | None:
    if not percents:
        return "Say at which share you want to be told, for example 80 percent."
    if len(percents) > MOST_THRESHOLDS:
        return f"Choose at most {MOST_THRESHOLDS} shares to be told at."
    if any(isinstance(one, bool) or not isinstance(one, int) or not 1 <= one <= 1000 for one in percents):
        return "Give each share as a whole percent from 1 to 1000."
    return None


def _problem_with_carry_over(values: BudgetValues) -> str | None:
    share = values.carry_over
    if not share.is_finite() or not 0 <= share <= 1 or share != share.quantize(Decimal("0.001")):
        return "What may be carried over is a share of the amount: 0 to 100 percent, in steps of 0.1."
    if share and values.period == Budget.Period.FIXED:
        return "A budget with fixed dates has no next period to carry anything over to."
    return None


def _problem_with_owner(owner_id: int | None) -> str | None:
    """Somebody who left may stay an owner: else nobody could change their budgets."""
    if owner_id is None or get_user_model().objects.filter(pk=owner_id).exists():
        return None
    return "This person is not known here."


def _problems_with_dates(values: BudgetValues) -> dict[str, str | None]:
    if values.period != Budget.Period.FIXED:
        return {}
    if values.starts_on is None or values.ends_on is None:
        return {
            "starts_on": None if values.starts_on else "Give the first day.",
            "ends_on": None if values.ends_on else "Give the last day.",
        }
    if not 2000 <= values.starts_on.year <= 2200:
        return {"starts_on": "Give a first day between the years 2000 and 2200."}
    if values.ends_on < values.starts_on:
        return {"ends_on": "The last day lies before the first."}
    if (values.ends_on - values.starts_on).days >= DAYS_AT_MOST:
        return {"ends_on": "A budget can run for ten years at most."}
    return {}
