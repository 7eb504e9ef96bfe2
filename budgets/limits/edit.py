"""Make, change, pause, resume, archive, restore budgets, and undo that: one transaction, a row of history for each.

What may be done to one may be done to several: all of them or none. While one of these holds the configuration lock,
neither ingest nor evaluation runs. So an edit of the amount is judged within the edit: what a top-up resolves is
resolved at the spend of that very moment, and whatever crosses later is new.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.text import slugify

from budgets.access.reachable import outside
from budgets.access.roles import CHANGE_BUDGET
from budgets.audit.record import Actor, record
from budgets.limits.evaluate import evaluate_here, publish_change
from budgets.limits.opening import reopen
from budgets.limits.values import BudgetValues, validate, values_of
from budgets.models import AuditEntry, Budget
from budgets.notices.hint import hint_settle
from budgets.organisation.configuration import changing_configuration
from budgets.pools.within import PoolChangedMeanwhile, problems_with, told_in_words

__all__ = [
    "BudgetValues",
    "InvalidBudget",
    "RefusedEdit",
    "StaleEdit",
    "archive_budget",
    "change_budget",
    "change_budgets",
    "create_budget",
    "last_change",
    "pause_budget",
    "restore_budget",
    "resume_budget",
    "turn_budgets",
    "undo_change",
    "undo_changes",
    "validate",
    "values_of",
]

REOPENED_BY = ("scope", "metric", "period", "starts_on", "ends_on")
LIMITED_BY = (*REOPENED_BY, "amount", "thresholds", "carry_over")
OBJECT_TYPE = "budgets.budget"
PAUSE = ("paused", Budget.Status.PAUSED)
RESUME = ("resumed", Budget.Status.ACTIVE)
ARCHIVE = ("archived", Budget.Status.ARCHIVED)
RESTORE = "restored"
RESERVED = {"new", "check", "bulk", "offers"}  # addresses of pages and of the API
Turn = tuple[str, str]  # the act as history names it, the status it leads to


class InvalidBudget(ValueError):
    """`problems`: field → sentence."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


class StaleEdit(Exception):
    """Somebody else changed the budget since it was read; `budget` is how it is now. Nothing was saved."""

    def __init__(self, budget: Budget, among_others: bool = False) -> None:
        which = f"“{budget.name}”" if among_others else "this budget"
        super().__init__(f"Somebody changed {which} meanwhile. Nothing was saved; look at it again and repeat.")
        self.budget = budget


class RefusedEdit(Exception):
    """What the budget's status does not allow; the message says why, for a reader."""


@contextmanager
def pools_in_words() -> Iterator[None]:
    """Around a whole transaction: what a pool's trigger refuses at its very end is a RefusedEdit."""
    try:
        with told_in_words():
            yield
    except PoolChangedMeanwhile as error:
        raise RefusedEdit(str(error)) from error


@contextmanager
def changing_pools_too() -> Iterator[int]:
    """As `changing_configuration`, with what pools refuse in words."""
    with pools_in_words(), changing_configuration() as generation:
        yield generation


def create_budget(actor: Actor, values: BudgetValues, reason: str = "") -> Budget:
    """Make a budget; its opening follows within a sweep. Raises InvalidBudget."""
    values = _checked(values)
    with changing_pools_too() as generation:
        budget = Budget(slug=_free_slug(values), generation=generation, opened_generation=0)
        _state(budget, values)
        _refuse_outside(actor, budget)
        budget.save(force_insert=True)
        record(actor, "created", budget, None, values_of(budget).as_json(), reason)
        transaction.on_commit(hint_settle)
    return budget


def change_budget(
    actor: Actor, budget: Budget, values: BudgetValues, reason: str = "", expected_version: int | None = None
) -> Budget:
    """Save new values; `expected_version` is the `Budget.edit_version` that the editor saw.

    Raises InvalidBudget, StaleEdit, or RefusedEdit for an archived budget. Values that change nothing leave no history.
    """
    wanted = {budget.pk: replace(values, slug=budget.slug)}
    return change_budgets(actor, wanted, reason, _seen(budget, expected_version))[0]


def change_budgets(
    actor: Actor, wanted: Mapping[int, BudgetValues], reason: str = "", versions: Mapping[int, int] | None = None
) -> list[Budget]:
    """The same for several, all or none. `wanted`: budget id → values; `versions`: id → version that was seen.

    They come back by id, as they are now.
    """
    checked = {budget_id: _checked(values) for budget_id, values in wanted.items()}
    with changing_pools_too() as generation:
        rows = _lock(checked, versions)
        _refuse_archived(rows)
        changes = [(row, values_of(row), _changed(row, checked[row.pk])) for row in rows]
        changes = sorted((one for one in changes if one[2]), key=lambda one: _turn_in_pool(one[0], one[1].amount))
        for row, _, names in changes:
            if "scope" in names:
                _refuse_outside(actor, row)
            _fit_pool(row)
            if names.intersection(LIMITED_BY):
                row.limit_version += 1
            _save(row)
        if anew := [row.pk for row, _, names in changes if names.intersection(REOPENED_BY)]:
            reopen(anew, generation)
        for row, before, _ in changes:
            record(actor, "changed", row, before.as_json(), values_of(row).as_json(), reason)
        return _judged(rows, [row.pk for row, *_ in changes])


def pause_budget(actor: Actor, budget: Budget, reason: str = "", expected_version: int | None = None) -> Budget:
    """Have it say nothing and stop nothing; it goes on counting."""
    return turn_budgets(actor, PAUSE, [budget.pk], reason, _seen(budget, expected_version))[0]


def resume_budget(actor: Actor, budget: Budget, reason: str = "", expected_version: int | None = None) -> Budget:
    """Have it speak again; what it crossed meanwhile and still stands is told now."""
    return turn_budgets(actor, RESUME, [budget.pk], reason, _seen(budget, expected_version))[0]


def archive_budget(actor: Actor, budget: Budget, reason: str = "", expected_version: int | None = None) -> Budget:
    """Take it out of use: it counts no more. Its past stays."""
    return turn_budgets(actor, ARCHIVE, [budget.pk], reason, _seen(budget, expected_version))[0]


def restore_budget(actor: Actor, budget: Budget, reason: str = "", expected_version: int | None = None) -> Budget:
    """Out of the archive, active or paused as it was; what was spent meanwhile counts. Others are left as they are."""
    with changing_pools_too() as generation:
        row = _lock([budget.pk], _seen(budget, expected_version))[0]
        if row.status != Budget.Status.ARCHIVED:
            return row
        return _take_back(actor, [row], {row.pk: _status_before(row)}, generation, reason)[0]


def turn_budgets(
    actor: Actor, turn: Turn, budget_ids: Iterable[int], reason: str = "", versions: Mapping[int, int] | None = None
) -> list[Budget]:
    """Pause, resume or archive several, all or none; those that are it already are left as they are.

    Raises StaleEdit, or RefusedEdit for archived ones.
    """
    act, status = turn
    with changing_pools_too():
        rows = _lock(budget_ids, versions)
        turning = [row for row in rows if row.status != status]
        _refuse_archived(turning)
        ids = [row.pk for row in turning]
        if status == Budget.Status.ARCHIVED:
            with connection.cursor() as cursor:
                evaluate_here(cursor, ids)
                cursor.execute("DELETE FROM budgets_budgetcharge WHERE budget_id = ANY(%s)", [ids])
        for row in sorted(turning, key=lambda one: one.pool_id is None):
            before, row.status = row.status, status
            if status == Budget.Status.ARCHIVED:
                _fit_pool(row)
            _save(row)
            record(actor, act, row, {"status": before}, {"status": status}, reason)
        return _judged(rows, ids)


def last_change(budget: Budget) -> AuditEntry | None:
    """The newest row of the budget's history."""
    return AuditEntry.objects.filter(object_type=OBJECT_TYPE, object_id=str(budget.pk)).order_by("-position").first()


def undo_change(actor: Actor, budget: Budget, entry: AuditEntry | None = None) -> Budget:
    """Restore how the budget was before its last change, which must be `entry` where that is given.

    Making it is undone by archiving it. Raises StaleEdit when something happened after `entry`, and RefusedEdit when
    there is nothing to go back to.
    """
    with changing_pools_too():
        newest = last_change(budget)
        if newest is None:
            raise RefusedEdit("This budget has no earlier version to go back to.")
        if entry is not None and entry.pk != newest.pk:
            raise StaleEdit(_lock([budget.pk])[0])
        return undo_changes(actor, [newest])[0]


def undo_changes(actor: Actor, entries: Sequence[AuditEntry]) -> list[Budget]:
    """Take back one act on several budgets: `entries` are its rows of history, all of the same `act`. All or none.

    Raises StaleEdit when something happened to one of them since, and RefusedEdit when there is nothing to go back to.
    """
    acts = {entry.act for entry in entries}
    if len(acts) != 1 or any(entry.object_type != OBJECT_TYPE for entry in entries):
        raise ValueError("Rows of other acts or objects.")
    told = {int(entry.object_id): entry for entry in entries}
    with changing_pools_too() as generation:
        rows = _lock(told)
        _refuse_older(rows, told)
        reason = f"Undo of “{acts.pop()}” by {entries[0].who_text}"
        act = entries[0].act
        from budgets.pools.undo import ACTS, undo_of_pools  # it goes by the functions of this module

        if act in ACTS:
            return [undo_of_pools(actor, row, told[row.pk], reason) for row in rows]
        if act in {"created", RESTORE}:
            return turn_budgets(actor, ARCHIVE, told, reason)
        if act in {"paused", "resumed"}:
            return turn_budgets(actor, RESUME if act == "paused" else PAUSE, told, reason)
        before = {budget_id: entry.before or {} for budget_id, entry in told.items()}
        if act == "archived":
            statuses = {one: stated.get("status", Budget.Status.ACTIVE) for one, stated in before.items()}
            return _take_back(actor, rows, statuses, generation, reason)
        if not all(before.values()):
            raise RefusedEdit("This budget has no earlier version to go back to.")
        # What a row of history does not state stays as it is.
        values = {row.pk: BudgetValues.of_json(values_of(row).as_json() | before[row.pk]) for row in rows}
        return change_budgets(actor, values, reason)


def _seen(budget: Budget, expected_version: int | None) -> dict[int, int]:
    return {} if expected_version is None else {budget.pk: expected_version}


def _checked(values: BudgetValues) -> BudgetValues:
    problems = validate(values)
    if problems:
        raise InvalidBudget(problems)
    return values.tidied()


def _lock(budget_ids: Iterable[int], versions: Mapping[int, int] | None = None) -> list[Budget]:
    ids = list(budget_ids)
    rows = list(Budget.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk"))
    if len(rows) != len(ids):
        raise Budget.DoesNotExist
    for row in rows:
        if (versions or {}).get(row.pk, row.edit_version) != row.edit_version:
            raise StaleEdit(row, len(ids) > 1)
    return rows


def _refuse_outside(actor: Actor, row: Budget) -> None:
    """Whose role is for a team makes budgets of that team only; the row is stated anew and not saved yet."""
    if sentence := outside(actor.who, CHANGE_BUDGET, row):
        raise InvalidBudget({"scope": sentence})


def _refuse_archived(rows: Sequence[Budget]) -> None:
    for row in rows:
        if row.status == Budget.Status.ARCHIVED:
            which = f"“{row.name}”" if len(rows) > 1 else "This budget"
            raise RefusedEdit(f"{which} is archived and can no longer be changed. Restore it first, or make a new one.")


def _refuse_older(rows: Sequence[Budget], told: Mapping[int, AuditEntry]) -> None:
    """Only the newest change of each can be taken back: an older one would take others back with it, unseen."""
    entries = AuditEntry.objects.filter(object_type=OBJECT_TYPE, object_id__in=[str(one) for one in told])
    newest = dict(entries.order_by().values_list("object_id").annotate(Max("position")))
    for row in rows:
        if newest[str(row.pk)] != told[row.pk].position:
            raise StaleEdit(row, len(rows) > 1)


def _turn_in_pool(row: Budget, before: int) -> int:
    """Budgets of a pool get less before it does, and more only after it: so each step fits."""
    if row.pool_id is None:
        return 1
    return 0 if row.amount <= before else 2


def _fit_pool(row: Budget) -> None:
    """Refuse what would break a pool: the row is stated anew and not saved yet."""
    problems = problems_with(row)
    if problems:
        raise InvalidBudget(problems)


def _changed(row: Budget, values: BudgetValues) -> set[str]:
    """State the values on the row; the names of those that differ."""
    before = values_of(row)
    _state(row, values)
    after = values_of(row)
    return {name for name in before.__slots__ if getattr(before, name) != getattr(after, name)}


def _state(budget: Budget, values: BudgetValues) -> None:
    budget.name, budget.amount, budget.scope = values.name, values.amount, dict(values.scope)
    budget.metric, budget.period = values.metric, values.period
    budget.starts_on, budget.ends_on = values.starts_on, values.ends_on
    budget.carry_over, budget.thresholds = values.carry_over, list(values.thresholds)
    budget.on_exhausted, budget.action_settings = values.on_exhausted, dict(values.action_settings)
    budget.pace, budget.owner_id = values.pace, values.owner_id


def _save(row: Budget) -> None:
    row.edit_version += 1
    row.due_at = timezone.now()
    row.save()


def _judged(rows: Sequence[Budget], changed: Sequence[int]) -> list[Budget]:
    """Evaluate within this transaction; a budget that waits for its opening is evaluated after that."""
    if not changed:
        return list(rows)
    with connection.cursor() as cursor:
        evaluate_here(cursor, changed)
        publish_change(cursor)
    transaction.on_commit(hint_settle)
    return list(Budget.objects.filter(pk__in=[row.pk for row in rows]).order_by("pk"))


def _take_back(
    actor: Actor, rows: Sequence[Budget], statuses: Mapping[int, str], generation: int, reason: str
) -> list[Budget]:
    """Out of the archive: nothing was charged meanwhile, so they are read from the ledger anew."""
    ids = [row.pk for row in rows]
    befores = {row.pk: row.status for row in rows}
    for row in sorted(rows, key=lambda one: one.pool_id is not None):
        row.status = statuses[row.pk]
        _fit_pool(row)
        _save(row)
    reopen(ids, generation)
    for row in rows:
        record(actor, RESTORE, row, {"status": befores[row.pk]}, {"status": row.status}, reason)
    return _judged(rows, ids)


def _status_before(row: Budget) -> str:
    """What an archived budget was before: paused, or else active."""
    entries = AuditEntry.objects.filter(object_type=OBJECT_TYPE, object_id=str(row.pk), act="archived")
    before = (entries.order_by("-position").values_list("before", flat=True).first() or {}).get("status")
    return before if before == Budget.Status.PAUSED else Budget.Status.ACTIVE


def _free_slug(values: BudgetValues) -> str:
    """The wanted slug, or one made from the name; with a number where that is taken."""
    if values.slug in RESERVED:
        raise InvalidBudget({"slug": f"“{values.slug}” is an address of its own. Choose another short name."})
    wanted = (values.slug or slugify(values.name))[:110].strip("-_.") or "budget"
    wanted = f"{wanted}-budget" if wanted in RESERVED else wanted
    taken: set[Any] = set(Budget.objects.filter(slug__startswith=wanted).values_list("slug", flat=True))
    if values.slug and values.slug in taken:
        raise InvalidBudget({"slug": f"There is already a budget with the short name “{values.slug}”."})
    if wanted not in taken:
        return wanted
    return next(f"{wanted}-{n}" for n in range(2, len(taken) + 3) if f"{wanted}-{n}" not in taken)
