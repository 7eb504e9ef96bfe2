"""The budget form: from what people type to `BudgetValues`, and each field's error as a sentence.

What a budget may be is said by `budgets.limits.edit.validate`; here only writing is understood: "1,500", "50, 80, 100".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q, Value
from django.db.models.functions import Concat

from budgets.access.reachable import reachable
from budgets.limits.edit import BudgetValues, validate
from budgets.limits.scope import DIMENSIONS
from budgets.models import Budget, Team, Workflow
from budgets.pages import amounts

CONDITIONS = 3
MOST = len(DIMENSIONS)
COVERS = {"": "Everything", "workflow": "One workflow", "team": "One team", "environment": "One environment"} | {
    name: f"One {name}" for name in DIMENSIONS if name not in {"workflow", "team", "environment"}
}
ACTION_HINTS = {
    "alert": "Nothing changes",
    "throttle": "Calls wait their turn",
    "downgrade": "Work goes on, quality may drop",
    "summarize": "Older context is cut first",
    "human_review": "Results wait for a person",
    "require_approval": "Calls wait for a yes",
    "block": "Calls fail with a clear message",
}
TEXTS = ("name", "metric", "amount", "period", "starts_on", "ends_on", "thresholds", "on_exhausted", "per_minute")
MORE_TEXTS = ("tier", "hard", "carry_over", "pace", "owner", "reason", "version")
OFFERED = 50  # of workflows and teams at once; the others are found while typing
DEFAULTS = {
    "metric": "money",
    "period": "month",
    "thresholds": "50, 80, 100",
    "on_exhausted": "alert",
    "pace": "even",
    "carry_over": "0",
    "covers_0": "workflow",
}
CHECKED = {
    "name",
    "scope",
    "amount",
    "period",
    "starts_on",
    "ends_on",
    "thresholds",
    "on_exhausted",
    "action_settings",
    "carry_over",
    "owner",
}


@dataclass
class BudgetForm:
    """What was typed, field by field, and what is wrong with it. `values` is None while anything is."""

    typed: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    values: BudgetValues | None = None
    stated: BudgetValues | None = None  # as far as it was understood, whatever is wrong with it
    used_suggestion: bool = False

    @property
    def conditions(self) -> list[dict[str, Any]]:
        """The rows of "what it covers"."""
        return [
            {"i": i, "covers": self.typed.get(f"covers_{i}", ""), "value": self.typed.get(f"value_{i}", "")}
            for i in range(self.rows)
        ]

    @property
    def rows(self) -> int:
        """Three to fill in; as many as there are where the API made a budget of more."""
        return max(CONDITIONS, 1 + max((i for i in range(MOST) if self.typed.get(f"covers_{i}")), default=0))

    @property
    def has_more_conditions(self) -> bool:
        return any(self.typed.get(f"covers_{i}") for i in range(1, self.rows))


def empty_form(query: Mapping[str, str], owner: str = "") -> BudgetForm:
    """A new budget's form; the address may choose a workflow, a name and an amount. `owner` is a user name."""
    chosen = {"value_0": query.get("workflow", "")[:128], "name": query.get("name", "")[:128]}
    chosen |= {"amount": query.get("amount", "")[:40]}
    return BudgetForm(DEFAULTS | {"owner": owner} | {name: value for name, value in chosen.items() if value})


def copy_of(budget: Budget) -> BudgetForm:
    """A new budget's form that begins as another budget stands."""
    typed = form_of(budget).typed
    return BudgetForm(typed | {"name": f"Copy of {budget.name}"[:128], "version": ""})


def with_amount(post: Mapping[str, str], amount: str) -> BudgetForm:
    """What was typed, with a suggested amount in its place; nothing is checked yet."""
    typed = read_form(post).typed
    return BudgetForm(typed | {"amount": amount[:40].replace("\0", "")}, used_suggestion=True)


def form_of(budget: Budget) -> BudgetForm:
    """The form of a budget as it stands."""
    typed = {
        "name": budget.name,
        "metric": budget.metric,
        "amount": amounts.typed(budget.amount, budget.metric),
        "period": budget.period,
        "starts_on": budget.starts_on.isoformat() if budget.starts_on else "",
        "ends_on": budget.ends_on.isoformat() if budget.ends_on else "",
        "thresholds": ", ".join(map(str, budget.thresholds)),
        "on_exhausted": budget.on_exhausted,
        "per_minute": str(budget.action_settings.get("per_minute", "")),
        "tier": str(budget.action_settings.get("tier", "")),
        "hard": "on" if budget.is_hard else "",
        "carry_over": f"{budget.carry_over * 100:.1f}".removesuffix(".0"),
        "pace": budget.pace,
        "owner": budget.owner.get_username() if budget.owner else "",
        "version": str(budget.edit_version),
    }
    for i, (dimension, value) in enumerate(budget.scope.items()):
        typed |= {f"covers_{i}": dimension, f"value_{i}": value}
    return BudgetForm(typed)


def read_form(post: Mapping[str, str], owner_id: int | None = None, edited: Budget | None = None) -> BudgetForm:
    """Understand what was typed; every error at once, by field.

    The amount of the budget that is `edited` stays to the last digit where it was not touched: the API takes more
    digits than people write.
    """
    names = [*TEXTS, *MORE_TEXTS, *(f"{kind}_{i}" for i in range(MOST) for kind in ("covers", "value"))]
    form = BudgetForm({name: post.get(name, "")[:500].replace("\0", "") for name in names})
    typed, errors = form.typed, form.errors
    metric = typed["metric"] if typed["metric"] in Budget.Metric.values else "money"
    values = BudgetValues(
        name=typed["name"].strip(),
        scope=_scope(form),
        metric=metric,
        amount=edited.amount if edited and untouched(typed, edited) else _amount(typed["amount"], metric, errors),
        period=typed["period"],
        starts_on=_date(typed, "starts_on", errors),
        ends_on=_date(typed, "ends_on", errors),
        carry_over=_share(typed["carry_over"], errors),
        thresholds=read_thresholds(typed["thresholds"], errors),
        on_exhausted=typed["on_exhausted"],
        action_settings=_action_settings(typed, errors),
        pace=typed["pace"],
        owner_id=_owner(typed["owner"].strip(), edited, errors) if "owner" in post else owner_id,
    )
    form.errors = validate(values) | errors
    form.values, form.stated = None if form.errors else values, values
    return form


def untouched(typed: Mapping[str, str], budget: Budget) -> bool:
    """Whether the amount stands in the form as `form_of` wrote it."""
    return (typed["metric"], typed["amount"]) == (budget.metric, amounts.typed(budget.amount, budget.metric))


def _amount(text: str, metric: str, errors: dict[str, str]) -> int:
    try:
        return amounts.written(text, metric)
    except ValueError as error:
        errors["amount"] = str(error)
        return 1


def _date(typed: dict[str, str], name: str, errors: dict[str, str]) -> date | None:
    """The date of a fixed period; other periods have none, whatever a hidden field says."""
    if typed["period"] != Budget.Period.FIXED:
        return None
    if not typed[name].strip():
        errors[name] = "Choose a day."
        return None
    try:
        return date.fromisoformat(typed[name].strip())
    except ValueError:
        errors[name] = "Write the day as year-month-day, for example 2026-12-31."
        return None


def _share(text: str, errors: dict[str, str]) -> Decimal:
    try:
        share = Decimal(text.strip().removesuffix("%").strip() or "0") / 100
    except ArithmeticError:  # no number, or one beyond what a Decimal counts with
        share = Decimal(-1)
    if not (share.is_finite() and 0 <= share <= 1):
        errors["carry_over"] = "Enter a share from 0 to 100 percent."
        return Decimal(0)
    return round(share, 3)


def read_thresholds(text: str, errors: dict[str, str]) -> tuple[int, ...]:
    """Whole percents with anything usual between; what cannot be read puts a sentence into `errors`."""
    parts = text.replace("%", " ").replace(",", " ").replace(";", " ").split()
    if not all(part.isascii() and part.isdecimal() and len(part) < 6 for part in parts):
        errors["thresholds"] = "Write whole percents with commas between, for example 50, 80, 100."
        return (100,)
    return tuple(sorted({int(part) for part in parts}))


def _action_settings(typed: dict[str, str], errors: dict[str, str]) -> dict[str, int | bool]:
    if typed["on_exhausted"] == Budget.Action.BLOCK and typed["metric"] == Budget.Metric.MONEY and typed["hard"]:
        return {"hard": True}
    wanted = {"throttle": "per_minute", "downgrade": "tier"}.get(typed["on_exhausted"])
    if wanted is None:
        return {}
    text = typed[wanted].strip().replace(",", "")
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) > 0):
        words = {"per_minute": "Enter how many calls a minute it may make.", "tier": "Choose a tier."}
        errors["action_settings"] = words[wanted]
        return {}
    return {wanted: int(text)}


def _scope(form: BudgetForm) -> dict[str, str]:
    """Dimension → value. Workflows and teams may be given by name; what does not exist is refused."""
    scope: dict[str, str] = {}
    for row in form.conditions:
        covers, value = row["covers"], row["value"].strip()
        if not covers:
            continue
        if not value:
            form.errors["scope"] = f"Say which {covers}."
        elif covers in scope:
            form.errors["scope"] = f"A budget covers one {covers}. Set another budget for the other."
        else:
            scope[covers] = _slug(covers, value, form.errors)
    return scope


def _owner(text: str, edited: Budget | None, errors: dict[str, str]) -> int | None:
    """Whoever this user name, full name or address is; nobody where it is empty. Who left stays where they stood."""
    if not text:
        return None
    if edited and edited.owner and text == edited.owner.get_username():
        return int(edited.owner.pk)
    try:
        return person(text)
    except ValueError as error:
        errors["owner"] = str(error)
        return None


def person(text: str) -> int:
    """The id of an active user; ValueError carries the sentence to show."""
    users = get_user_model().objects.filter(is_active=True)
    exact = users.filter(username=text).values_list("pk", flat=True).first()
    if exact is not None:
        return int(exact)
    called = users.annotate(full=Concat("first_name", Value(" "), "last_name")).filter(
        Q(username__iexact=text) | Q(full__iexact=text) | Q(email__iexact=text)
    )
    found = list(called.values_list("pk", flat=True)[:2])
    if not found:
        raise ValueError(f"There is nobody called “{text[:60]}” here who may sign in.")
    if len(found) > 1:
        raise ValueError(f"More than one person is called “{text[:60]}”. Write the user name.")
    return int(found[0])


def _slug(covers: str, value: str, errors: dict[str, str]) -> str:
    model: Any = {"workflow": Workflow, "team": Team}.get(covers)
    if model is None:
        return value
    found = model.objects.filter(slug=value).first() or model.objects.filter(name__iexact=value).first()
    if found is None:
        errors["scope"] = f"There is no {covers} called “{value}”."
        return value
    return str(found.slug)


def suggestions(kind: str, who: Any, text: str = "") -> list[tuple[str, str]]:
    """(slug, name) of workflows or teams that `who` reaches, whose slug or name holds `text`. One statement."""
    model: Any = {"workflow": Workflow, "team": Team}.get(kind)
    if model is None:
        return []
    found = reachable(model, who)
    if text:
        found = found.filter(Q(slug__icontains=text) | Q(name__icontains=text))
    if kind == "workflow":
        found = found.exclude(status__in=[Workflow.Status.RESERVED, Workflow.Status.MERGED])
    return list(found.values_list("slug", "name")[:OFFERED])


def people() -> list[tuple[str, str]]:
    """(user name, full name) of who may own a budget. One statement."""
    users = get_user_model().objects.filter(is_active=True).order_by("username")[:OFFERED]
    return [(one.get_username(), one.get_full_name()) for one in users]
