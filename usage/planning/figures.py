"""The plan against what was spent: by team and month of the organisation's zone, in a fixed number of statements.

Actual is metered spend (from the rollups) and other AI costs (evenly over their days). Spend of teams that are not in
the list of teams counts under no team.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any, TypeAlias

from django.db import connection
from django.db.models import Min

from budgets.access.reachable import reachable
from budgets.access.roles import VIEW, reach
from budgets.limits.calendar import DAY, day_of, day_starts_at
from budgets.models import Organisation, PlanLine, Team
from budgets.pages import pace
from budgets.plan.year import month_after, months_of
from usage.costs.figures import other_costs_by_team_month
from usage.models import QuarterHour

PAST, RUNNING, AHEAD = "past", "running", "ahead"
# Months by their first instants: no time zone is computed for any of the many rows.
METERED = """
SELECT team, width_bucket(bucket, %s::timestamptz[]), sum(cost)::bigint
FROM usage_quarterhour WHERE bucket >= %s AND bucket < %s GROUP BY 1, 2
"""
ByTeamMonth: TypeAlias = Mapping[tuple[str, date], int]


@dataclass(frozen=True, slots=True)
class Cell:
    """One team in one month, in nano-dollars. `plan` None: no line. `expected`: by the end of the running month."""

    month: date
    when: str
    plan: int | None = None
    note: str = ""
    metered: int = 0
    other: int = 0
    expected: int | None = None

    @property
    def actual(self) -> int:
        return self.metered + self.other

    @property
    def is_shown(self) -> bool:
        """Whether there is anything actual to show: not for months ahead."""
        return self.when != AHEAD

    @property
    def over(self) -> int:
        """How far above the plan it is, or, in the running month, is expected to come; 0 where it is not."""
        if self.plan is None or not self.is_shown:
            return 0
        ends_at = self.actual if self.expected is None else max(self.actual, self.expected)
        return max(0, ends_at - self.plan)


@dataclass(frozen=True, slots=True)
class Row:
    """A team's year; `team` "" is what no team answers for. Sums are over all twelve months."""

    team: str
    name: str
    cells: tuple[Cell, ...]

    @property
    def plan(self) -> int | None:
        stated = [cell.plan for cell in self.cells if cell.plan is not None]
        return sum(stated) if stated else None

    @property
    def actual(self) -> int:
        return sum(cell.actual for cell in self.cells)

    @property
    def metered(self) -> int:
        return sum(cell.metered for cell in self.cells)

    @property
    def other(self) -> int:
        return sum(cell.other for cell in self.cells)

    @property
    def is_idle(self) -> bool:
        return self.plan is None and not self.actual


@dataclass(frozen=True, slots=True)
class Year:
    """The whole table. `total` sums all rows, also those that a page does not show."""

    year: int
    months: tuple[date, ...]
    today: date
    rows: tuple[Row, ...]
    total: Row


@dataclass
class _Read:
    """What the statements gave, by team ("" none) and month."""

    plan: dict[tuple[str, date], tuple[int, str]] = field(default_factory=dict)
    metered: dict[tuple[str, date], int] = field(default_factory=lambda: defaultdict(int))
    other: dict[tuple[str, date], int] = field(default_factory=lambda: defaultdict(int))
    other_whole: dict[tuple[str, date], int] = field(default_factory=lambda: defaultdict(int))


def plan_year(organisation: Organisation, year: int, now: datetime, only: str | None = None, who: Any = None) -> Year:
    """Every team's year, by name, and last what no team answers for; `only` one team's ("" no team's).

    Of the teams that `who` reaches, where it is given; totals are of what is shown.

    At most six statements, whatever the number of teams.
    """
    months = months_of(year, organisation.fiscal_year_starts)
    today = day_of(now, organisation.zone)
    names: dict[str, str] = dict(Team.objects.order_by("name").values_list("slug", "name"))
    read = _read(organisation, months, today, names)
    share = _Pace(organisation, today, now) if today.replace(day=1) in months else None
    shown = [*names.items(), ("", "No team")]
    if who is not None and not reach(who, VIEW).everything:
        shown = list(reachable(Team, who).order_by("name").values_list("slug", "name"))
    wanted = [(slug, name) for slug, name in shown if only in {None, slug}]
    rows = tuple(Row(slug, name, _cells(slug, months, today, read, share)) for slug, name in wanted)
    return Year(year, months, today, rows, Row("", "All teams", _sums(months, rows)))


def metered_by_team_month(organisation: Organisation, months: Sequence[date]) -> dict[tuple[str, date], int]:
    """(team as the ledger names it, first day of the month) → cost. One statement."""
    starts = [day_starts_at(month, organisation.zone) for month in (*months, month_after(months[-1]))]
    with connection.cursor() as cursor:
        cursor.execute(METERED, [starts, starts[0], starts[-1]])
        return {(team, months[number - 1]): int(total) for team, number, total in cursor.fetchall()}


def _read(organisation: Organisation, months: Sequence[date], today: date, names: Mapping[str, str]) -> _Read:
    found = _Read()
    lines = PlanLine.objects.filter(month__gte=months[0], month__lte=months[-1])
    for team, month, amount, note in lines.order_by().values_list("team__slug", "month", "amount", "note"):
        found.plan[team or "", month] = (amount, note)
    last = month_after(months[-1]) - DAY
    _add(found.metered, metered_by_team_month(organisation, months), names)
    if today >= months[0]:
        _add(found.other, other_costs_by_team_month(months[0], min(last, today)), names)
    running = today.replace(day=1)
    if running in months:
        _add(found.other_whole, other_costs_by_team_month(running, month_after(running) - DAY), names)
    return found


def _add(to: dict[tuple[str, date], int], found: ByTeamMonth, names: Mapping[str, str]) -> None:
    for (team, month), total in found.items():
        to[team if team in names else "", month] += total


class _Pace:
    """How much of the running month has passed, and since when it is used: where an even pace leads."""

    def __init__(self, organisation: Organisation, today: date, now: datetime) -> None:
        """One statement, as the Overview's: the first use of all."""
        month = today.replace(day=1)
        self.starts = day_starts_at(month, organisation.zone)
        self.ends = day_starts_at(month_after(month), organisation.zone)
        first = QuarterHour.objects.aggregate(first=Min("bucket"))["first"]
        self.known = first is not None and pace.seen_enough(first, self.starts, self.ends, now)
        self.now, self.first = self._share(now), self._share(max(first or now, self.starts))

    def _share(self, when: datetime) -> Fraction:
        second = timedelta(seconds=1)
        return Fraction((when - self.starts) // second, (self.ends - self.starts) // second)

    def landing(self, spent: int) -> int | None:
        """What so much by now leads to by the end of the month; None while that cannot be said."""
        return pace.landing(spent, self.now, self.first) if self.known else None


def _cells(team: str, months: Iterable[date], today: date, read: _Read, share: _Pace | None) -> tuple[Cell, ...]:
    running = today.replace(day=1)
    cells = []
    for month in months:
        key = (team, month)
        plan, note = read.plan.get(key, (None, ""))
        when = RUNNING if month == running else PAST if month < running else AHEAD
        metered, expected = read.metered.get(key, 0), None
        if share is not None and when == RUNNING:
            landing = share.landing(metered)
            expected = None if landing is None else landing + read.other_whole.get(key, 0)
        cells.append(Cell(month, when, plan, note, metered, read.other.get(key, 0), expected))
    return tuple(cells)


def _sums(months: Sequence[date], rows: Sequence[Row]) -> tuple[Cell, ...]:
    """The last line of the table: each month over all rows."""
    cells = []
    for i, month in enumerate(months):
        column = [row.cells[i] for row in rows]
        plans = [cell.plan for cell in column if cell.plan is not None]
        expected = [cell.expected for cell in column if cell.expected is not None]
        cells.append(
            Cell(
                month,
                column[0].when,
                sum(plans) if plans else None,
                "",
                sum(cell.metered for cell in column),
                sum(cell.other for cell in column),
                sum(expected) if expected else None,
            )
        )
    return tuple(cells)
