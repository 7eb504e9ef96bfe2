"""Where one budget stands after its charges were folded: the next state of each period concerned. No queries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from budgets.limits import thresholds
from budgets.limits.calendar import Period, day_of, next_period, period_bounds, previous_period
from budgets.limits.folding import Folded, Locked, State
from budgets.models import Budget


@dataclass(frozen=True, slots=True)
class Clock:
    """The organisation's calendar, and the moment of evaluation."""

    now: datetime
    zone: ZoneInfo
    fiscal_year_starts: int

    def period_at(self, budget: Locked, when: datetime) -> Period:
        """The budget's period that `when` lies in; its one period where its dates are fixed."""
        day = day_of(when, self.zone)
        return period_bounds(
            budget.period, day, self.zone, budget.starts_on, budget.ends_on, fiscal_year_starts=self.fiscal_year_starts
        )

    def before(self, budget: Locked, period: Period) -> Period | None:
        return previous_period(budget.period, period, self.zone, self.fiscal_year_starts)

    def after(self, budget: Locked, period: Period) -> Period | None:
        return next_period(budget.period, period, self.zone, self.fiscal_year_starts)


@dataclass(slots=True)
class Task:
    """One budget under evaluation: the periods to look at, in order, and what was folded into each just now."""

    budget: Locked
    current: Period
    periods: dict[date, Period]
    added: dict[date, tuple[int, int]]  # amount, calls


@dataclass(frozen=True, slots=True)
class Verdict:
    """A budget's new states, and what they mean to others."""

    changed: tuple[State, ...]
    newly_crossed: tuple[tuple[State, int], ...]  # state, threshold
    maybe_resolved: tuple[State, ...]
    is_published_change: bool
    is_urgent: bool


def keeps(budget: Locked, period: Period) -> bool:
    """Whether the budget's series is complete over the period."""
    return budget.opened_from is None or period.starts_at >= budget.opened_from


def plan(budget: Locked, folded: Sequence[Folded], clock: Clock) -> Task:
    """The periods that were charged, and the present one; the one before it where that may matter."""
    current = clock.period_at(budget, clock.now)
    task = Task(budget, current, {}, {})
    if budget.status != Budget.Status.ARCHIVED:
        task.periods[current.first] = current
        if budget.opened_from is not None:  # read where a period began, or something may be carried over
            before = clock.before(budget, current)
            if before and keeps(budget, before):
                task.periods[before.first] = before
    for one in folded:
        period = current if current.contains(one.bucket) else clock.period_at(budget, one.bucket)
        if not period.contains(one.bucket):
            continue  # outside fixed dates: in the series, in no state
        task.periods[period.first] = period
        amount, calls = task.added.get(period.first, (0, 0))
        task.added[period.first] = (amount + one.amount, calls + one.calls)
    return task


def next_look(budget: Locked, current: Period, now: datetime) -> datetime | None:
    """When the budget must be looked at although nothing was charged: as its period ends, or fixed dates begin."""
    if budget.status == Budget.Status.ARCHIVED:
        return None
    if now < current.starts_at:
        return current.starts_at
    return current.ends_at if now < current.ends_at else None


def judge(
    task: Task,
    states: Mapping[tuple[int, date], State],
    sums: Mapping[tuple[int, datetime], tuple[int, int]],
    clock: Clock,
) -> Verdict:
    """The new states. Those there are grow by what was folded; those missing are summed from the series (`sums`)."""
    budget = task.budget
    new: dict[date, State] = {}
    for first in sorted(task.periods):
        period = task.periods[first]
        old = states.get((budget.id, first))
        if old is not None:
            amount, calls = task.added.get(first, (0, 0))
            spent, calls = old.spent + amount, old.calls + calls
        else:
            spent, calls = sums[budget.id, period.starts_at]
        limit, limit_version = budget.amount, budget.limit_version
        if old is not None and period.is_over(clock.now):
            limit, limit_version = old.limit, old.limit_version  # what was allowed is history
        elif budget.carry_over:
            before = clock.before(budget, period)
            previous = before and (new.get(before.first) or states.get((budget.id, before.first)))
            limit += _carried(budget, previous, clock.now) if previous else 0
        highest = max(thresholds.crossed(spent, limit, budget.thresholds), default=0)
        status = thresholds.status(spent, limit, highest)
        new[first] = State(
            old.id if old else None, budget.id, period, limit, spent, calls, highest, status, limit_version
        )
    return _verdict(task, states, new, clock)


def _carried(budget: Locked, previous: State, now: datetime) -> int:
    """Nothing from a period that still runs, or that was over before the budget was made."""
    if not previous.period.is_over(now) or budget.created_at is None or previous.period.is_over(budget.created_at):
        return 0
    return thresholds.carried_over(previous.limit, previous.spent, budget.amount, budget.carry_over)


def _verdict(task: Task, old: Mapping[tuple[int, date], State], new: Mapping[date, State], clock: Clock) -> Verdict:
    budget = task.budget
    changed = tuple(state for first, state in new.items() if old.get((budget.id, first)) != state)
    newly_crossed: list[tuple[State, int]] = []
    maybe_resolved: list[State] = []
    if budget.status == Budget.Status.ACTIVE:
        for first, state in new.items():
            before = old.get((budget.id, first))
            if state.period.is_over(budget.told_from):
                continue
            if budget.was_due or before is None or state.crossed > before.crossed:
                newly_crossed += [
                    (state, percent) for percent in thresholds.crossed(state.spent, state.limit, budget.thresholds)
                ]
            if budget.was_due or (before is not None and state.crossed < before.crossed):
                maybe_resolved.append(state)
    published, urgent = _publishes(task, old, new.get(task.current.first), clock)
    return Verdict(changed, tuple(newly_crossed), tuple(maybe_resolved), published, urgent)


def _publishes(task: Task, old: Mapping[tuple[int, date], State], now: State | None, clock: Clock) -> tuple[bool, bool]:
    """Whether the policy bundle says something else now, and whether that cannot wait."""
    budget = task.budget
    if budget.status != Budget.Status.ACTIVE or now is None:
        return False, False
    before = old.get((budget.id, now.period.first))
    if before is None and (previous := clock.before(budget, task.current)):
        before = old.get((budget.id, previous.first))
    published = budget.was_due or before is None or _said(before) != _said(now)
    was_exhausted = before is not None and before.is_exhausted
    turned = was_exhausted != now.is_exhausted or (budget.was_due and now.is_exhausted)
    return published, turned and budget.on_exhausted != Budget.Action.ALERT


def _said(state: State) -> tuple[object, ...]:
    """What the bundle says of a state."""
    steps = thresholds.remaining_steps(state.spent, state.limit)
    return state.period.first, state.limit, state.status, steps


def wanted(tasks: Iterable[Task]) -> list[tuple[int, Period]]:
    """Every budget and period under evaluation."""
    return [(task.budget.id, period) for task in tasks for period in task.periods.values()]
