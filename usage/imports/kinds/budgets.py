"""Budgets from CSV: a line for each. A short name that is there already is changed, another is made.

Identity: the short name, or the one that the name gives. Columns that a file does not have leave things as they are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.utils.text import slugify

from budgets.audit.record import Actor
from budgets.limits import edit
from budgets.limits.scope import DIMENSIONS, in_words
from budgets.limits.values import BudgetValues, validate, values_of
from budgets.models import NANO, AuditEntry, Budget
from budgets.pages.amounts import amount as in_metric
from usage.imports.edits import differences, first_problem, undo_each, write_each
from usage.imports.kind import THERE, Column, Kind, LineError, Written
from usage.models import Import

MOST_SHOWN = 40  # changed budgets named one by one in the dry run
ACTIONS = {label.casefold(): key for key, label in Budget.Action.choices} | {key: key for key in Budget.Action.values}
COLUMN_OF = {"scope": "team", "action_settings": "on_exhausted", "owner_id": "owner"}


@dataclass(slots=True)
class Prepared:
    """Budgets by short name, people by user name, and which short names came up before."""

    budgets: Mapping[str, Budget]
    people: Mapping[str, int]
    seen: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """What one line states, and what it makes of the budget that is there (`before`), for the dry run."""

    slug: str
    stated: Mapping[str, Any]
    before: BudgetValues | None
    after: BudgetValues


def prepare(run: Import) -> Prepared:
    people = get_user_model().objects.values_list("username", "pk")
    return Prepared({one.slug: one for one in Budget.objects.all()}, dict(people))


def read(line: Mapping[str, str], prepared: Prepared) -> BudgetLine:
    """Raises LineError."""
    slug = line.get("slug") or slugify(line.get("name", ""))[:110].strip("-_.")
    if not slug:
        raise LineError("name", "Give the budget a name or a short name.")
    if slug in prepared.seen:
        raise LineError("slug" if "slug" in line else "name", f"“{slug}” was in this file before.")
    prepared.seen.add(slug)
    budget = prepared.budgets.get(slug)
    if budget is not None and budget.status == Budget.Status.ARCHIVED:
        raise LineError("slug" if "slug" in line else "name", f"The budget “{slug}” is archived. Restore it first.")
    stated = _stated(line, prepared, budget.metric if budget else "money")
    before = values_of(budget) if budget else None
    after = applied(stated, slug, before)
    problems = validate(after)
    if problems:
        raise first_problem(problems, COLUMN_OF)
    return BudgetLine(slug, stated, before, after.tidied())


def applied(stated: Mapping[str, Any], slug: str, before: BudgetValues | None) -> BudgetValues:
    """The values that a line asks for."""
    if before is not None:
        if stated.get("on_exhausted") == before.on_exhausted and not stated["action_settings"]:
            stated = {**stated, "action_settings": before.action_settings}
        return replace(before, **stated)
    if "amount" not in stated:
        raise LineError("amount", "A new budget needs an amount.")
    return BudgetValues(**{"name": slug, **stated, "slug": slug})


def _stated(line: Mapping[str, str], prepared: Prepared, metric: str) -> dict[str, Any]:
    stated: dict[str, Any] = {name: line[name] for name in ("name",) if name in line}
    for name in ("metric", "period", "pace"):
        if name in line:
            stated[name] = line[name].casefold().replace(" ", "_")
    if "amount" in line:
        stated["amount"] = _amount(line["amount"], stated.get("metric", metric))
    scope = {name: line[name] for name in DIMENSIONS if name in line}
    if scope:
        stated["scope"] = scope
    for name in ("starts_on", "ends_on"):
        if name in line:
            stated[name] = date.fromisoformat(line[name])
    if "starts_on" in stated and "period" not in stated:
        stated["period"] = "fixed"
    if "thresholds" in line:
        stated["thresholds"] = tuple(_percents(line["thresholds"]))
    if "carry_over" in line:
        stated["carry_over"] = Decimal(line["carry_over"]) / 100
    stated |= _action(line)
    if "owner" in line:
        if line["owner"] not in prepared.people:
            raise LineError("owner", f"Nobody here has the user name “{line['owner'][:150]}”.")
        stated["owner_id"] = prepared.people[line["owner"]]
    return stated


def _amount(text: str, metric: str) -> int:
    number = Decimal(text) * (NANO if metric == "money" else 1)
    if number != number.to_integral_value():
        raise LineError("amount", "Write a whole number, or dollars with at most nine digits after the point.")
    return int(number)


def _percents(text: str) -> list[int]:
    parts = [part.strip(" %") for part in text.replace(";", ",").replace("|", ",").split(",")]
    if not all(part.isascii() and part.isdecimal() and len(part) <= 4 for part in parts if part):
        raise LineError("thresholds", "Write whole percents with commas between, like 50, 80, 100.")
    return [int(part) for part in parts if part]


def _action(line: Mapping[str, str]) -> dict[str, Any]:
    if "on_exhausted" not in line:
        return {}
    action = ACTIONS.get(line["on_exhausted"].casefold(), line["on_exhausted"])
    settings = {}
    for name, key in (("downgrade_to", "tier"), ("per_minute", "per_minute")):
        if name in line:
            if Decimal(line[name]) != Decimal(line[name]).to_integral_value():
                raise LineError(name, "Write a whole number.")
            settings[key] = int(Decimal(line[name]))
    return {"on_exhausted": action, "action_settings": settings}


def judge(values: Sequence[BudgetLine], prepared: Prepared) -> list[str | LineError | None]:
    """Lines that state what is so already change nothing."""
    return [THERE if value.before == value.after else None for value in values]


def write(actor: Actor, values: Sequence[BudgetLine], run: Import) -> Written:
    def apply(value: BudgetLine) -> str:
        budget = Budget.objects.filter(slug=value.slug).first()
        try:
            if budget is None:
                made = edit.create_budget(actor, applied(value.stated, value.slug, None), _reason(run))
                return str(made.pk)
            wanted = applied(value.stated, value.slug, values_of(budget))
            after = edit.change_budget(actor, budget, wanted, _reason(run))
        except edit.InvalidBudget as error:
            raise first_problem(error.problems, COLUMN_OF) from error
        except edit.RefusedEdit as error:
            raise LineError("", str(error)) from error
        return str(after.pk) if after.edit_version != budget.edit_version else ""

    return write_each(values, apply, edit.OBJECT_TYPE)


def _reason(run: Import) -> str:
    return f"Import of {run.file_name}"


def undo(actor: Actor, run: Import) -> str:
    """Made ones are archived, changed ones are as they were before."""

    def take_back(entry: AuditEntry, is_last: bool) -> object:
        return edit.undo_change(actor, Budget.objects.get(pk=entry.object_id), entry)

    refused = (edit.StaleEdit, edit.RefusedEdit, edit.InvalidBudget, Budget.DoesNotExist)
    return undo_each(run, take_back, refused)


def summary(values: Sequence[BudgetLine]) -> list[tuple[str, str]]:
    """New ones in a line, changed ones with before and after."""
    new = [value.after for value in values if value.before is None]
    changed = [(value.before, value.after) for value in values if value.before is not None]
    found = [("New budgets", f"{len(new):,}"), ("Changed budgets", f"{len(changed):,}")]
    for one in new[:MOST_SHOWN]:
        found.append(
            (f"New: {one.name}", f"{in_metric(one.amount, one.metric)} each {one.period}, {in_words(one.scope)}")
        )
    for before, after in changed[:MOST_SHOWN]:
        words: dict[str, Callable[[Any], str]] = {
            "name": str, "amount": partial(in_metric, metric=after.metric), "scope": in_words,
            "metric": str, "period": str, "starts_on": str, "ends_on": str, "carry_over": str, "pace": str,
            "thresholds": lambda shares: ", ".join(map(str, shares)), "on_exhausted": str, "owner_id": str,
            "action_settings": lambda settings: ", ".join(f"{name} {value}" for name, value in settings.items()),
        }  # fmt: skip
        fields = {name: getattr(before, name) for name in words}, {name: getattr(after, name) for name in words}
        found.append((f"Changed: {after.name}", differences(*fields, words)))
    left = max(0, len(new) - MOST_SHOWN) + max(0, len(changed) - MOST_SHOWN)
    return [*found, ("And more", f"{left:,}")] if left else found


COVERS = tuple(
    Column(name, f"Covers: {name}", "Empty: all", aliases=(f"scope_{name}", f"covers_{name}")) for name in DIMENSIONS
)
KIND = Kind(
    key="budgets",
    title="Budgets",
    noun="budget",
    about="New budgets, and other amounts for those that are there. You see before and after first.",
    columns=(
        Column("name", "Name", "What its readers know it by.", aliases=("budget", "title")),
        Column("slug", "Short name", "One that is there already is changed.", aliases=("short_name", "id", "key")),
        Column("amount", "Amount", "US dollars, tokens or calls.", aliases=("limit", "budget_amount"), type="number"),
        Column("metric", "Counted in", "money, tokens or calls; money unless stated.", aliases=("unit",)),
        Column("period", "Period", "day, week, month, quarter, year or fixed; month unless stated."),
        *COVERS,
        Column("starts_on", "First day", aliases=("from", "start"), type="day"),
        Column("ends_on", "Last day", aliases=("to", "end"), type="day"),
        Column("thresholds", "Warn at, percent", "Like 50, 80, 100.", aliases=("warn_at", "alerts")),
        Column("on_exhausted", "When used up", "alert, throttle, downgrade, summarize, … block.", aliases=("action",)),
        Column("downgrade_to", "Tier to go down to", type="number"),
        Column("per_minute", "Calls a minute", type="number"),
        Column("carry_over", "Carry over, percent", type="number"),
        Column("pace", "Pace", "even or working_days."),
        Column("owner", "Owner", "User name.", aliases=("username", "responsible")),
    ),
    prepare=prepare,
    read=read,
    judge=judge,
    write=write,
    undo=undo,
    summary=summary,
    permission="budgets.change_budget",
    example="name,amount,period,team,workflow,thresholds,on_exhausted\n"
    'SEO briefs,1500,month,,,"50, 80, 100",alert\nWhole year,20000,year,,,80,alert\n',
    chunk=50,
    most=5_000,
)
