"""The annual plan from CSV: a line for each month and team."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from budgets.audit.record import Actor
from budgets.models import PlanLine, Team
from budgets.pages.amounts import whole
from budgets.plan.edit import LONGEST_NOTE, MOST, InvalidPlan, PlanValue, StalePlan, set_lines, undo_together
from budgets.plan.year import month_words, written_month
from usage.imports.kind import THERE, Column, Kind, LineError, Written
from usage.models import Import

NANO = 1_000_000_000
MONTH, TEAM, AMOUNT, NOTE, CURRENCY = "month", "team", "amount", "note", "currency"


@dataclass(slots=True)
class Prepared:
    """Teams by short name and by name in small letters, what is planned now, and what the file stated before."""

    teams: Mapping[str, int]
    planned: Mapping[tuple[date, int | None], tuple[int, str]]
    seen: set[tuple[date, int | None]] = field(default_factory=set)


def prepare(run: Import) -> Prepared:
    """Two statements."""
    teams: dict[str, int] = {}
    for pk, slug, name in Team.objects.order_by("-pk").values_list("pk", "slug", "name"):
        teams[name.casefold()] = pk
        teams[slug] = pk
    rows = PlanLine.objects.values_list("month", "team_id", "amount", "note")
    return Prepared(teams, {(month, team): (amount, note) for month, team, amount, note in rows})


def read(line: Mapping[str, str], prepared: Prepared) -> PlanValue:
    """Raises LineError."""
    value = PlanValue(_month(line), _team(line, prepared), _amount(line), " ".join(line.get(NOTE, "").split()))
    if len(value.note) > LONGEST_NOTE or "\0" in value.note:
        raise LineError(NOTE, f"A note has at most {LONGEST_NOTE} characters.")
    if value.key in prepared.seen:
        raise LineError(MONTH, f"{month_words(value.month)} was stated before in this file for the same team.")
    prepared.seen.add(value.key)
    return value


def _month(line: Mapping[str, str]) -> date:
    try:
        return written_month(line.get(MONTH, ""))
    except ValueError as error:
        raise LineError(MONTH, str(error)) from error


def _team(line: Mapping[str, str], prepared: Prepared) -> int | None:
    name = line.get(TEAM, "").strip()
    if not name:
        return None
    found = prepared.teams.get(name) or prepared.teams.get(name.casefold())
    if found is None:
        raise LineError(TEAM, f"There is no team “{name}”. Add the team first, or leave it empty for no team.")
    return found


def _amount(line: Mapping[str, str]) -> int:
    currency = line.get(CURRENCY, "").strip().upper()
    if currency not in {"", "USD"}:
        raise LineError(CURRENCY, f"The plan is kept in US dollars, and this line is in {currency}. Convert it first.")
    try:
        exact = Decimal(line.get(AMOUNT, "")) * NANO
    except ArithmeticError:
        raise LineError(AMOUNT, "Write the amount like 1500.50; 0 plans nothing.") from None
    if not exact.is_finite() or not 0 <= exact <= MOST:
        raise LineError(AMOUNT, "Give an amount from zero up to a billion dollars.")
    if exact != exact.to_integral_value():
        raise LineError(AMOUNT, "Write at most nine digits after the point.")
    return int(exact)


def judge(values: Sequence[PlanValue], prepared: Prepared) -> Sequence[str | LineError | None]:
    """Lines that say what is planned already are there."""
    return [THERE if prepared.planned.get(value.key) == (value.amount, value.note) else None for value in values]


def write(actor: Actor, values: Sequence[PlanValue], run: Import) -> Written:
    """All lines of the chunk; those of one file are undone together."""
    try:
        saved = set_lines(actor, values, f"Import of {run.file_name}", together=_mark(run))
    except InvalidPlan as error:  # a team was removed meanwhile, say
        return Written(errors=[(i, LineError(name, said)) for i, name, said in error.problems])
    return Written(good=saved.count, skipped=len(values) - saved.count)


def undo(actor: Actor, run: Import) -> str:
    """Everything that the file changed; what somebody changed since stays."""
    try:
        saved = undo_together(actor, _mark(run), leave_changed=True)
    except StalePlan:
        return "The file had changed nothing."
    said = f"{saved.count} amount{' is' if saved.count == 1 else 's are'} as before."
    if saved.left:
        said += f" {saved.left} {'was changed since and stays' if saved.left == 1 else 'were changed since and stay'}."
    return said


def _mark(run: Import) -> str:
    return f"import-{run.pk}"


def summary(values: Sequence[Any]) -> Sequence[tuple[str, str]]:
    """Months, teams and the sum."""
    if not values:
        return ()
    months = sorted({value.month for value in values})
    return (
        ("Months", f"{month_words(months[0])} to {month_words(months[-1])}, {len(months)} in all"),
        ("Teams", str(len({value.team_id for value in values if value.team_id is not None}))),
        ("Planned in all", whole(sum(value.amount for value in values))),
    )


KIND = Kind(
    key="plan",
    title="Annual plan",
    noun="amount",
    columns=(
        Column(MONTH, "Month", "Like 2026-11", required=True, aliases=("period", "date", "month_start")),
        Column(TEAM, "Team", "Short name or name; empty for no team", aliases=("business_unit", "department", "unit")),
        Column(
            AMOUNT,
            "Amount",
            "In US dollars",
            required=True,
            aliases=("plan", "planned", "budget", "value", "amount_usd"),
            type="number",
        ),
        Column(NOTE, "Note", aliases=("comment", "remark")),
        Column(CURRENCY, "Currency", "Only USD is taken"),
    ),
    read=read,
    write=write,
    prepare=prepare,
    judge=judge,
    summary=summary,
    undo=undo,
    permission="budgets.change_planline",
    example="month,team,amount,note\n2026-11,brand,12000,Two campaigns\n2026-11,,1500.50,What no team answers for\n",
    about="What each team means to spend in each month.",
)
