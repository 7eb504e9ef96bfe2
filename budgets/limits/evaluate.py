"""Evaluation: fold what was charged and say where each budget stands, exactly, whatever runs at the same time.

A budget's row is locked first and its charges are read after that, so two writers who cross a threshold only together
are seen together by whoever holds the lock second. Charges, series, state, alerts and the state version change in one
transaction. It holds the configuration lock shared, so that no edit, zone change or generation falls in between, and so
that it never waits for an edit that waits for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from budgets.alerts.crossings import Level, Reached, raise_crossings, resolve_crossings
from budgets.limits import folding
from budgets.limits.calendar import Period
from budgets.limits.folding import State
from budgets.limits.judging import Clock, Task, Verdict, judge, keeps, next_look, plan, wanted
from budgets.organisation.configuration import HOLD_CONFIGURATION

CHUNK = 500  # budgets in one transaction: a commit costs as much as folding dozens of them
PASSES = 2  # the second finds what another evaluator left because this one held it


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What was done. `urgent`: a budget with consequences was exhausted or became free again."""

    budget_ids: tuple[int, ...] = ()
    published_change: bool = False
    urgent: bool = False

    def __add__(self, other: "Evaluated") -> "Evaluated":
        return Evaluated(
            self.budget_ids + other.budget_ids,
            self.published_change or other.published_change,
            self.urgent or other.urgent,
        )


def evaluate_due(limit: int = 20_000, now: datetime | None = None) -> Evaluated:
    """Evaluate the opened budgets that have charges waiting or whose period began; at most `limit` in one pass.

    Budgets that another evaluator holds are left to it. To be called outside a transaction.
    """
    done = Evaluated()
    for _ in range(PASSES):
        with connection.cursor() as cursor:
            due = folding.find_due(cursor, now or datetime.now(UTC))[:limit]
        before = len(done.budget_ids)
        for start in range(0, len(due), CHUNK):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(HOLD_CONFIGURATION)
                done += evaluate_here(cursor, due[start : start + CHUNK], now)
        if len(done.budget_ids) == before:
            break
    return done


def evaluate_here(cursor: Any, budget_ids: Sequence[int], now: datetime | None = None) -> Evaluated:
    """Evaluate in the caller's transaction, which holds the configuration lock, shared or exclusive."""
    # Taken after the configuration lock was waited for; the rows are not waited for.
    now = now or datetime.now(UTC)
    locked = folding.lock(cursor, budget_ids, now)
    if not locked:
        return Evaluated()
    clock = _clock(cursor, now)
    folded = folding.fold(cursor, [budget.id for budget in locked])
    tasks = [plan(budget, folded.get(budget.id, ()), clock) for budget in locked]
    states = folding.read_states(cursor, wanted(tasks))
    _fill_gaps(cursor, tasks, states, clock)
    missing = [(budget_id, period) for budget_id, period in wanted(tasks) if (budget_id, period.first) not in states]
    sums = folding.sum_series(cursor, missing)
    verdicts = [judge(task, states, sums, clock) for task in tasks]
    _write(cursor, tasks, verdicts, clock)
    return Evaluated(
        tuple(budget.id for budget in locked),
        any(verdict.is_published_change for verdict in verdicts),
        any(verdict.is_urgent for verdict in verdicts),
    )


def _clock(cursor: Any, now: datetime) -> Clock:
    cursor.execute("SELECT time_zone, fiscal_year_starts FROM budgets_organisation WHERE id = 1")
    zone, fiscal_year_starts = cursor.fetchone()
    return Clock(now, ZoneInfo(zone), fiscal_year_starts)


def _fill_gaps(cursor: Any, tasks: Sequence[Task], states: dict[tuple[int, Any], State], clock: Clock) -> None:
    """After a standstill over whole periods: have the states between the newest and the present one made too.

    Each of them may carry over into the next, and a history without holes is what reports rely on.
    """
    behind: dict[int, tuple[Task, Period]] = {}
    for task in tasks:
        before = clock.before(task.budget, task.current) if task.budget.was_due else None
        if before and before.first in task.periods and (task.budget.id, before.first) not in states:
            behind[task.budget.id] = (task, before)
    if not behind:
        return
    newest = folding.newest_states(cursor, list(behind))
    gaps: list[tuple[int, Period]] = []
    for budget_id, since in newest.items():
        task, period = behind[budget_id]
        gap: Period | None = period
        while gap and keeps(task.budget, gap) and gap.first >= since:
            task.periods[gap.first] = gap
            gaps.append((budget_id, gap))
            gap = clock.before(task.budget, gap)
    states.update(folding.read_states(cursor, gaps))


def _write(cursor: Any, tasks: Sequence[Task], verdicts: Sequence[Verdict], clock: Clock) -> None:
    folding.write_states(cursor, [state for verdict in verdicts for state in verdict.changed])
    # Resolved first: a crossing is told again only when the one before it no longer stands.
    resolve_crossings(
        cursor,
        [
            Level(state.budget_id, state.period.first, state.spent, state.limit)
            for verdict in verdicts
            for state in verdict.maybe_resolved
        ],
    )
    raise_crossings(
        cursor,
        [
            Reached(state.budget_id, state.period.first, percent, state.limit_version, state.spent, state.limit)
            for verdict in verdicts
            for state, percent in verdict.newly_crossed
        ],
    )
    looks = {task.budget.id: next_look(task.budget, task.current, clock.now) for task in tasks if task.budget.was_due}
    folding.write_next_looks(cursor, looks)
    if any(verdict.is_published_change for verdict in verdicts):
        publish_change(cursor)


def publish_change(cursor: Any) -> None:
    """Say that a new bundle is due. Last in a transaction: this row is shared by all evaluators."""
    cursor.execute("UPDATE budgets_organisation SET state_version = state_version + 1 WHERE id = 1")
