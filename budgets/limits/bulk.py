"""One act on several budgets: previewed with before and after, then done in one transaction, undone as one."""

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal

from django.db import transaction

from budgets.access.reachable import reachable
from budgets.access.roles import CHANGE_BUDGET
from budgets.audit.record import TOGETHER, Actor
from budgets.limits.edit import (
    ARCHIVE,
    OBJECT_TYPE,
    PAUSE,
    RESUME,
    RefusedEdit,
    change_budgets,
    changing_pools_too,
    pools_in_words,
    turn_budgets,
    undo_changes,
    validate,
    values_of,
)
from budgets.limits.values import BudgetValues
from budgets.models import NANO, AuditEntry, Budget
from budgets.pools.within import problems_with

MOST = 500  # budgets in one act: while it runs, usage that arrives waits
CENT = NANO // 100
ACTS = ("pause", "resume", "archive", "change")
TURNS = {"pause": PAUSE, "resume": RESUME, "archive": ARCHIVE}
NOT_ONE_ACT = "These changes were not one act. Undo them one by one, each on its budget’s page."
ARCHIVED = "It is archived. Restore it first."
LEAST_PERCENT, MOST_PERCENT = Decimal("-99.9"), Decimal(1000)


@dataclass(frozen=True, slots=True)
class BulkAct:
    """What is to be done. For `change`: only what is given here changes; `owner_id` 0 takes the owner away.

    `percent` raises (or, negative, lowers) each amount, rounded to cents, tokens or calls.
    """

    act: str
    percent: Decimal | None = None
    thresholds: tuple[int, ...] | None = None
    on_exhausted: str | None = None
    action_settings: Mapping[str, int | bool] | None = None
    owner_id: int | None = None

    @property
    def changes_nothing(self) -> bool:
        given = (self.percent, self.thresholds, self.on_exhausted, self.owner_id)
        return self.act == "change" and all(one is None for one in given)


@dataclass(frozen=True, slots=True)
class Line:
    """One budget of the preview. `problem` says why it is left out; then `after` is as before."""

    budget: Budget
    before: BudgetValues
    after: BudgetValues
    problem: str = ""

    @property
    def is_done(self) -> bool:
        return not self.problem


def problem_with(act: BulkAct, count: int) -> str | None:
    """What is wrong with the act itself, as a sentence."""
    if act.act not in ACTS:
        return f"Choose what to do from: {', '.join(ACTS)}."
    if not count:
        return "Choose at least one budget."
    if count > MOST:
        return f"Choose at most {MOST} budgets at once; these are {count:,}."
    if act.changes_nothing:
        return "Say what to change: amounts, warnings, what happens when they run out, or the owner."
    percent = act.percent
    if percent is not None and not (percent.is_finite() and LEAST_PERCENT <= percent <= MOST_PERCENT and percent):
        return "Amounts can be raised by up to 1,000 percent and lowered by up to 99.9."
    return None


def preview(act: BulkAct, budgets: Sequence[Budget]) -> list[Line]:
    """What the act would do to each budget, and what it would leave out and why."""
    chosen = {budget.pk for budget in budgets}
    # Where a pool and budgets of it change together, only doing it shows whether they fit.
    together = {budget.pool_id for budget in budgets if budget.pool_id in chosen}
    return [_line(act, budget, budget.pk in together or budget.pool_id in together) for budget in budgets]


def _line(act: BulkAct, budget: Budget, together: bool) -> Line:
    before = values_of(budget)
    if act.act in TURNS:
        return Line(
            budget, before, before, _why_not_turned(act.act, budget) or _pool_problem(act, budget, before, together)
        )
    if budget.status == Budget.Status.ARCHIVED:
        return Line(budget, before, before, ARCHIVED)
    after = changed(act, before)
    if after == before:
        return Line(budget, before, before, "It is so already.")
    problem = " ".join(validate(after).values()) or _pool_problem(act, budget, after, together)
    return Line(budget, before, before if problem else after, problem)


def _pool_problem(act: BulkAct, budget: Budget, after: BudgetValues, together: bool) -> str:
    if together or act.act not in {"archive", "change"}:
        return ""
    row = copy(budget)
    row.amount = after.amount
    if act.act == "archive":
        row.status = Budget.Status.ARCHIVED
    return " ".join(problems_with(row).values())


def _why_not_turned(act: str, budget: Budget) -> str:
    if budget.status == TURNS[act][1]:
        return {"pause": "It is paused already.", "resume": "It is active already.", "archive": "It is archived."}[act]
    return ARCHIVED if budget.status == Budget.Status.ARCHIVED else ""


def changed(act: BulkAct, before: BudgetValues) -> BudgetValues:
    """The values after a change."""
    after = before
    if act.percent is not None:
        after = replace(after, amount=by_percent(before.amount, act.percent, before.metric))
    if act.thresholds is not None:
        after = replace(after, thresholds=act.thresholds)
    if act.on_exhausted is not None:
        same = before.action_settings if act.on_exhausted == before.on_exhausted else {}
        after = replace(after, on_exhausted=act.on_exhausted, action_settings=act.action_settings or same)
    if act.owner_id is not None:
        after = replace(after, owner_id=act.owner_id or None)
    return after.tidied()


def by_percent(amount: int, percent: Decimal, metric: str) -> int:
    """The amount raised or lowered, rounded to whole cents, tokens or calls; at least one of them."""
    step = CENT if metric == Budget.Metric.MONEY else 1
    exact = Decimal(amount) * (100 + percent) / 100 / step
    return max(1, int(exact.to_integral_value(ROUND_HALF_UP))) * step


def apply(actor: Actor, act: BulkAct, versions: Mapping[int, int], reason: str = "") -> list[AuditEntry]:
    """Do it to the budgets with these ids, at the versions that were previewed; their rows of history, oldest first.

    Those that the preview left out are left out here. Raises StaleEdit, RefusedEdit or InvalidBudget; then nothing was
    done to any. RefusedEdit too where nothing is left to do.
    """
    problem = problem_with(act, len(versions))
    if problem:
        raise RefusedEdit(problem)
    lines = [one for one in preview(act, list(Budget.objects.filter(pk__in=versions).order_by("pk"))) if one.is_done]
    if not lines:
        raise RefusedEdit("There is nothing to do: none of these budgets would change.")
    done = {line.budget.pk: versions[line.budget.pk] for line in lines}
    actor = actor.in_one_act()
    with pools_in_words(), transaction.atomic():
        if act.act in TURNS:
            turn_budgets(actor, TURNS[act.act], done, reason, done)
        else:
            change_budgets(actor, {line.budget.pk: line.after for line in lines}, reason, done)
        return told_in(actor, done)


def told_in(actor: Actor, budget_ids: Collection[int]) -> list[AuditEntry]:
    """The rows of history of the actor's act on these budgets, oldest first."""
    of_these = AuditEntry.objects.filter(object_type=OBJECT_TYPE, object_id__in=[str(one) for one in budget_ids])
    return list(of_these.filter(after__together=actor.together).order_by("position"))


def undo(actor: Actor, first: int, last: int) -> list[Budget]:
    """Take back a whole act, whose rows of history stand from position `first` to `last`: all of it or nothing.

    What stands there must be of one act, whether it changed budgets or made some of them. Raises StaleEdit, RefusedEdit
    or InvalidBudget.
    """
    if last - first >= MOST:
        raise RefusedEdit(f"At most {MOST} changes can be undone at once.")
    entries = list(AuditEntry.objects.filter(position__gte=first, position__lte=last, object_type=OBJECT_TYPE))
    if not entries:
        raise RefusedEdit("There is no such change to undo.")
    if actor.who is not None:
        ids = {int(entry.object_id) for entry in entries}
        if reachable(Budget, actor.who, CHANGE_BUDGET).filter(pk__in=ids).count() != len(ids):
            raise RefusedEdit("There is no such change to undo.")
    marks = {(entry.after or {}).get(TOGETHER) for entry in entries}
    if len(entries) > 1 and (len(marks) > 1 or None in marks):
        raise RefusedEdit(NOT_ONE_ACT)
    actor = actor.in_one_act()
    with changing_pools_too():
        acts = sorted({entry.act for entry in entries})
        back = [undo_changes(actor, [entry for entry in entries if entry.act == act]) for act in acts]
    return [budget for budgets in back for budget in budgets]
