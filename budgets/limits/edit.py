"""Make, change, pause, resume, archive a budget, and undo that: each in one transaction with its row of history.

While one of these holds the configuration lock, neither ingest nor evaluation runs. So an edit of the amount is judged
within the edit: what a top-up resolves is resolved at the spend of that very moment, and whatever crosses later is new.
"""

from dataclasses import replace
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.text import slugify

from budgets.audit.record import Actor, record
from budgets.limits.evaluate import evaluate_here, publish_change
from budgets.limits.opening import reopen
from budgets.limits.values import BudgetValues, validate, values_of
from budgets.models import AuditEntry, Budget
from budgets.notices.hint import hint_settle
from budgets.organisation.configuration import changing_configuration

__all__ = [
    "BudgetValues",
    "InvalidBudget",
    "RefusedEdit",
    "StaleEdit",
    "archive_budget",
    "change_budget",
    "create_budget",
    "last_change",
    "pause_budget",
    "resume_budget",
    "undo_change",
    "validate",
    "values_of",
]

REOPENED_BY = ("scope", "metric", "period", "starts_on", "ends_on")
LIMITED_BY = (*REOPENED_BY, "amount", "thresholds", "carry_over")
OBJECT_TYPE = "budgets.budget"
PAUSE = ("paused", Budget.Status.PAUSED)
RESUME = ("resumed", Budget.Status.ACTIVE)
ARCHIVE = ("archived", Budget.Status.ARCHIVED)


class InvalidBudget(ValueError):
    """`problems`: field → sentence."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


class StaleEdit(Exception):
    """Somebody else changed the budget since it was read; `budget` is how it is now. Nothing was saved."""

    def __init__(self, budget: Budget) -> None:
        super().__init__("Somebody changed this budget meanwhile. Nothing was saved; look at it again and repeat.")
        self.budget = budget


class RefusedEdit(Exception):
    """What the budget's status does not allow; the message says why, for a reader."""


def create_budget(actor: Actor, values: BudgetValues, reason: str = "") -> Budget:
    """Make a budget; its opening follows within a sweep. Raises InvalidBudget."""
    values = _checked(values)
    with changing_configuration() as generation:
        budget = Budget(slug=_free_slug(values), generation=generation, opened_generation=0)
        _state(budget, values)
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
    values = _checked(replace(values, slug=budget.slug))
    with changing_configuration() as generation:
        row = _lock(budget, expected_version)
        _refuse_archived(row)
        before = values_of(row)
        _state(row, values)
        after = values_of(row)
        changed = {name for name in before.__slots__ if getattr(before, name) != getattr(after, name)}
        if not changed:
            return row
        if changed.intersection(LIMITED_BY):
            row.limit_version += 1
        _save(row)
        if changed.intersection(REOPENED_BY):
            reopen([row.pk], generation)
        record(actor, "changed", row, before.as_json(), after.as_json(), reason)
        _judge(row)
    return row


def pause_budget(actor: Actor, budget: Budget, reason: str = "", expected_version: int | None = None) -> Budget:
    """Have it say nothing and stop nothing; it goes on counting."""
    return _turn(actor, budget, PAUSE, reason, expected_version)


def resume_budget(actor: Actor, budget: Budget, reason: str = "", expected_version: int | None = None) -> Budget:
    """Have it speak again; what it crossed meanwhile and still stands is told now."""
    return _turn(actor, budget, RESUME, reason, expected_version)


def archive_budget(actor: Actor, budget: Budget, reason: str = "", expected_version: int | None = None) -> Budget:
    """Take it out of use: it counts no more. Its past stays."""
    return _turn(actor, budget, ARCHIVE, reason, expected_version)


def last_change(budget: Budget) -> AuditEntry | None:
    """The newest row of the budget's history."""
    entries = AuditEntry.objects.filter(object_type=OBJECT_TYPE, object_id=str(budget.pk))
    return entries.order_by("-at", "-id").first()


def undo_change(actor: Actor, budget: Budget, entry: AuditEntry | None = None) -> Budget:
    """Restore how the budget was before its last change, which must be `entry` where that is given.

    Making it is undone by archiving it. Raises StaleEdit when something happened after `entry`, and RefusedEdit when
    there is nothing to go back to.
    """
    with changing_configuration() as generation:
        row = _lock(budget, None)
        newest = last_change(row)
        if newest is None:
            raise RefusedEdit("This budget has no earlier version to go back to.")
        if entry is not None and entry.pk != newest.pk:
            raise StaleEdit(row)
        reason = f"Undo of “{newest.act}” by {newest.who_text}"
        if newest.act in {"created", "restored"}:
            return archive_budget(actor, row, reason)
        if newest.act == "paused":
            return resume_budget(actor, row, reason)
        if newest.act == "resumed":
            return pause_budget(actor, row, reason)
        if newest.act == "archived":
            return _take_back(actor, row, (newest.before or {}).get("status", Budget.Status.ACTIVE), generation, reason)
        if newest.before is None:
            raise RefusedEdit("This budget has no earlier version to go back to.")
        return change_budget(actor, row, BudgetValues.of_json(newest.before), reason)


def _checked(values: BudgetValues) -> BudgetValues:
    problems = validate(values)
    if problems:
        raise InvalidBudget(problems)
    return values.tidied()


def _lock(budget: Budget, expected_version: int | None) -> Budget:
    row = Budget.objects.select_for_update(no_key=True).get(pk=budget.pk)
    if expected_version is not None and row.edit_version != expected_version:
        raise StaleEdit(row)
    return row


def _refuse_archived(row: Budget) -> None:
    if row.status == Budget.Status.ARCHIVED:
        raise RefusedEdit("This budget is archived and can no longer be changed. Make a new one instead.")


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


def _judge(row: Budget) -> None:
    """Evaluate within this transaction; a budget that waits for its opening is evaluated after that."""
    with connection.cursor() as cursor:
        evaluate_here(cursor, [row.pk])
        publish_change(cursor)
    row.refresh_from_db()
    transaction.on_commit(hint_settle)


def _turn(actor: Actor, budget: Budget, turn: tuple[str, str], reason: str, expected_version: int | None) -> Budget:
    act, status = turn
    with changing_configuration():
        row = _lock(budget, expected_version)
        if row.status == status:
            return row
        _refuse_archived(row)
        before = row.status
        with connection.cursor() as cursor:
            if status == Budget.Status.ARCHIVED:
                evaluate_here(cursor, [row.pk])
                cursor.execute("DELETE FROM budgets_budgetcharge WHERE budget_id = %s", [row.pk])
        row.status = status
        _save(row)
        record(actor, act, row, {"status": before}, {"status": status}, reason)
        _judge(row)
    return row


def _take_back(actor: Actor, row: Budget, status: str, generation: int, reason: str) -> Budget:
    """Out of the archive: nothing was charged meanwhile, so it is read from the ledger anew."""
    before, row.status = row.status, status
    _save(row)
    reopen([row.pk], generation)
    record(actor, "restored", row, {"status": before}, {"status": status}, reason)
    _judge(row)
    return row


def _free_slug(values: BudgetValues) -> str:
    """The wanted slug, or one made from the name; with a number where that is taken."""
    wanted = (values.slug or slugify(values.name))[:110].strip("-_.") or "budget"
    taken: set[Any] = set(Budget.objects.filter(slug__startswith=wanted).values_list("slug", flat=True))
    if values.slug and values.slug in taken:
        raise InvalidBudget({"slug": f"There is already a budget with the short name “{values.slug}”."})
    if wanted not in taken:
        return wanted
    return next(f"{wanted}-{n}" for n in range(2, len(taken) + 3) if f"{wanted}-{n}" not in taken)
