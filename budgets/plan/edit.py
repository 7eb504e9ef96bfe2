"""Change the annual plan: any number of its lines in one transaction, a row of history for each, and undo of the whole.

A line is an amount for a month and a team, or for a month and no team. The lines that one act changed are told apart in
the history by a mark of their own ("together"), by which they are taken back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeAlias
from uuid import uuid4

from django.db import connection, transaction

from budgets.access.roles import EVERYTHING, reach
from budgets.audit.record import Actor, record
from budgets.models import NANO, AuditEntry, PlanLine, Team
from budgets.plan.year import FIRST_YEAR, LAST_YEAR, month_after, month_words

PERMISSION = "budgets.change_planline"
PLAN_LOCK = 7_061_031  # advisory lock number: one editor of the plan at a time
OBJECT_TYPE = "budgets.planline"
MOST = 10**18  # nano-dollars, as for budgets
LONGEST_NOTE = 200
CENT = NANO // 100
Key: TypeAlias = tuple[date, int | None]
Stands: TypeAlias = tuple[int | None, str]  # amount and note


@dataclass(frozen=True, slots=True)
class PlanValue:
    """What a month (its first day) and a team (id, None: no team) shall have, in nano-dollars; None: no line."""

    month: date
    team_id: int | None
    amount: int | None
    note: str = ""

    @property
    def key(self) -> Key:
        return self.month, self.team_id


@dataclass(frozen=True, slots=True)
class Saved:
    """How many lines were made, changed or removed, and the mark by which that is undone ("" where none was).

    `left`: how many an undo left alone, since they were changed meanwhile.
    """

    count: int
    together: str
    left: int = 0


class InvalidPlan(ValueError):
    """`problems`: (index of the value, field, sentence)."""

    def __init__(self, problems: Sequence[tuple[int, str, str]]) -> None:
        super().__init__(" ".join(said for *_, said in problems))
        self.problems = problems


class StalePlan(Exception):
    """Somebody else changed these lines meanwhile; nothing was saved."""

    def __init__(self) -> None:
        super().__init__("Somebody changed this part of the plan meanwhile. Nothing was saved; look at it and repeat.")


def set_lines(
    actor: Actor,
    values: Sequence[PlanValue],
    reason: str = "",
    seen: Mapping[Key, Stands] | None = None,
    together: str = "",
) -> Saved:
    """Save these lines; others stay. `seen`: what the editor saw, which must still stand.

    `together` marks rows of history that shall be undone with those of other calls. Raises InvalidPlan, StalePlan.
    """
    values = [_tidied(value) for value in values]
    _check(values)
    _refuse_outside(actor, values)
    with transaction.atomic():
        lines = _locked(values)
        if any(_stands(lines.get(key)) != stood for key, stood in (seen or {}).items()):
            raise StalePlan
        return _save(actor, values, lines, reason, together or uuid4().hex)


def undo_together(actor: Actor, together: str, leave_changed: bool = False) -> Saved:
    """Take back everything marked so.

    Raises StalePlan where one of those lines was changed since (unless `leave_changed`) or none is known.
    """
    entries = AuditEntry.objects.filter(object_type=OBJECT_TYPE, after__together=together).order_by("id")
    before: dict[Key, PlanValue] = {}
    after: dict[Key, Stands] = {}
    teams: dict[str, int] = dict(Team.objects.values_list("slug", "pk"))
    for entry in entries:
        was, became = _value(entry.before or {}, teams), _value(entry.after or {}, teams)
        before.setdefault(was.key, was)
        after[became.key] = (became.amount, became.note)
    if not before:
        raise StalePlan
    reason = f"Undo of a change by {entries[0].who_text}"
    with transaction.atomic():
        lines = _locked(list(before.values()))
        stale = {key for key, stood in after.items() if _stands(lines.get(key)) != stood}
        if stale and not leave_changed:
            raise StalePlan
        saved = set_lines(actor, [value for value in before.values() if value.key not in stale], reason)
        return replace(saved, left=len(stale))


def _stands(line: PlanLine | None) -> Stands:
    return (line.amount, line.note) if line else (None, "")


def copied(source: Iterable[PlanLine], months: int, percent: Decimal, taken: set[Key] | None = None) -> list[PlanValue]:
    """The same lines so many months later at this percentage, to the cent; those in `taken` are left out."""
    found = []
    for line in source:
        cents = (Decimal(line.amount) * percent / 100 / CENT).quantize(Decimal(1), ROUND_HALF_UP)
        value = PlanValue(month_after(line.month, months), line.team_id, int(cents) * CENT, line.note)
        if value.key not in (taken or set()):
            found.append(value)
    return found


def _tidied(value: PlanValue) -> PlanValue:
    note = " ".join(value.note.split()) if value.amount is not None else ""
    return PlanValue(value.month, value.team_id, value.amount, note)


def _check(values: Sequence[PlanValue]) -> None:
    problems: list[tuple[int, str, str]] = []
    keys: set[Key] = set()
    for i, value in enumerate(values):
        if value.month.day != 1 or not FIRST_YEAR <= value.month.year <= LAST_YEAR:
            problems.append((i, "month", f"Give a month between {FIRST_YEAR} and {LAST_YEAR}."))
        if value.amount is not None and not 0 <= value.amount <= MOST:
            problems.append((i, "amount", "Give an amount from zero up to a billion dollars."))
        if len(value.note) > LONGEST_NOTE or "\0" in value.note:
            problems.append((i, "note", f"A note has at most {LONGEST_NOTE} characters."))
        if value.key in keys:
            problems.append((i, "month", f"{month_words(value.month)} is stated twice for the same team."))
        keys.add(value.key)
    if problems:
        raise InvalidPlan(problems)


def _refuse_outside(actor: Actor, values: Sequence[PlanValue]) -> None:
    """Whose role is for a team plans for that team."""
    reached = EVERYTHING if actor.who is None else reach(actor.who, PERMISSION)
    if not reached.everything:
        said = "Your role does not let you plan for this team."
        outside = [i for i, value in enumerate(values) if value.team_id not in reached.team_ids]
        if outside:
            raise InvalidPlan([(i, "amount", said) for i in outside])


def _locked(values: Sequence[PlanValue]) -> dict[Key, PlanLine]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [PLAN_LOCK])
    lines = PlanLine.objects.filter(month__in={value.month for value in values}).select_related("team")
    return {(line.month, line.team_id): line for line in lines}


def _save(
    actor: Actor, values: Sequence[PlanValue], lines: Mapping[Key, PlanLine], reason: str, together: str
) -> Saved:
    changed = [value for value in values if _differs(value, lines.get(value.key))]
    teams = Team.objects.in_bulk({value.team_id for value in changed if value.team_id is not None})
    made: list[PlanLine] = []
    kept: list[PlanLine] = []
    gone: list[PlanLine] = []
    before: dict[Key, dict[str, Any]] = {}
    for value in changed:
        line = lines.get(value.key)
        before[value.key] = _stated(value, teams, together, line)
        if value.amount is None:
            assert line is not None  # else nothing differs
            gone.append(line)
            continue
        (made if line is None else kept).append(
            row := line or PlanLine(month=value.month, team=teams.get(value.team_id) if value.team_id else None)
        )
        row.amount, row.note = value.amount, value.note
    made = PlanLine.objects.bulk_create(made)
    PlanLine.objects.bulk_update(kept, ["amount", "note"], batch_size=500)
    for act, rows in (("created", made), ("changed", kept), ("removed", gone)):
        for row in rows:
            key = (row.month, row.team_id)
            after = before[key] | (
                {"amount": None, "note": ""} if act == "removed" else {"amount": row.amount, "note": row.note}
            )
            record(actor, act, row, before[key], after, reason)
    PlanLine.objects.filter(pk__in=[row.pk for row in gone]).delete()
    return Saved(len(changed), together if changed else "")


def _differs(value: PlanValue, line: PlanLine | None) -> bool:
    return _stands(line) != (value.amount, value.note)


def _stated(value: PlanValue, teams: Mapping[int, Team], together: str, line: PlanLine | None) -> dict[str, Any]:
    """A line as history keeps it; it comes back by `_value`."""
    return {
        "month": value.month.isoformat(),
        "team": teams[value.team_id].slug if value.team_id else None,
        "amount": line.amount if line else None,
        "note": line.note if line else "",
        "together": together,
    }


def _value(stated: Mapping[str, Any], teams: Mapping[str, int]) -> PlanValue:
    team = stated["team"]
    if team is not None and team not in teams:
        raise StalePlan
    return PlanValue(date.fromisoformat(stated["month"]), teams.get(team or ""), stated["amount"], stated["note"])
