"""One slow plain computation of every total: loops over the ledger's rows, in whole numbers.

Nothing here sums in SQL, rounds, or asks the product: it states once more, as plainly as can be, what a total is. A
row counts at `posted_at`, on the day that the clock of the organisation's zone shows then. A call counts one, a
withdrawal takes one away, a correction is none; a cost that is unknown adds nothing; a merged workflow counts as the
one it was merged into.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

DAY = timedelta(days=1)
COLUMNS = (
    "id", "event_id", "kind", "corrects", "posted_at", "time", "batch_id", "source_id", "workflow_id", "run_id", "team",
    "provider", "model", "tier", "environment", "service_tier", "user_name", "customer", "application", "tags",
    "measured", "unpriced", "input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "cost",
    "attempt", "default_tier", "agent", "cache", "avoided_input_tokens", "avoided_output_tokens", "context", "saved",
    "generation", "status", "channel", "prompt_version",
)  # fmt: skip
METRICS = ("money", "tokens", "calls")


@dataclass(frozen=True)
class Row:
    """A ledger row as the plain computation sees it."""

    at: datetime  # when it counts
    day: date
    made: datetime
    arrived: datetime
    kind: int
    slug: str  # the workflow it counts under
    own_slug: str  # the workflow it named
    unclaimed: bool
    stated: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        return self.stated[name]

    @property
    def calls(self) -> int:
        return {0: 1, 1: 0, 2: -1}[self.kind]

    @property
    def money(self) -> int:
        return self.stated["cost"] or 0

    @property
    def tokens(self) -> int:
        return (self.stated["input_tokens"] or 0) + (self.stated["output_tokens"] or 0)

    @property
    def unmeasured(self) -> int:
        return 0 if self.stated["measured"] else self.calls

    def amount(self, metric: str) -> int:
        return {"money": self.money, "tokens": self.tokens, "calls": self.calls}[metric]


@dataclass(frozen=True)
class Cost:
    """An other AI cost: nano-dollars over its days, and the team it counts for."""

    name: str
    kind: str
    team: str
    slug: str
    cost: int
    first: date
    last: date

    def by_day(self) -> Iterator[tuple[date, int]]:
        """The same each day; what does not divide goes one each to the first days."""
        days = (self.last - self.first).days + 1
        each = self.cost // days
        rest = self.cost - each * days
        for n in range(days):
            yield self.first + n * DAY, each + (1 if n < rest else 0)

    def between(self, first: date, last: date) -> int:
        return sum(share for day, share in self.by_day() if first <= day <= last)


@dataclass(frozen=True)
class Books:
    """Everything there is, read row by row."""

    zone: ZoneInfo
    rows: tuple[Row, ...]
    costs: tuple[Cost, ...]
    workflows: Mapping[str, Any] = field(default_factory=dict)

    def between(self, first: date, last: date, **same: Any) -> list[Row]:
        return [row for row in self.rows if first <= row.day <= last and alike(row, same)]

    def of_scope(self, scope: Mapping[str, str], first: date, last: date) -> list[Row]:
        return [row for row in self.rows if first <= row.day <= last and covers(scope, row)]

    def since(self, starts: datetime, ends: datetime, **same: Any) -> list[Row]:
        return [row for row in self.rows if starts <= row.at < ends and alike(row, same)]


def alike(row: Row, same: Mapping[str, Any]) -> bool:
    return all(getattr(row, name) == value for name, value in same.items())


def covers(scope: Mapping[str, str], row: Row) -> bool:
    """Whether a budget with this scope counts the row: everything it names must hold."""
    for dimension, value in scope.items():
        if dimension == "workflow":
            stated = row.slug
        elif dimension == "user":
            stated = row.user_name
        elif dimension == "tier":
            stated = str(row.tier)
        elif dimension == "tag":
            stated = next((f"{key}={said}" for key, said in (row.tags or {}).items() if f"{key}={said}" == value), None)
        else:
            stated = getattr(row, dimension)
        if stated != value:
            return False
    return True


def total(rows: Iterable[Row], metric: str = "money") -> int:
    found = 0
    for row in rows:
        found += row.amount(metric)
    return found


def count(rows: Iterable[Row], what: str) -> int:
    """The sum of `unpriced`, `unmeasured`, `calls`, `input_tokens` …; what is not stated adds nothing."""
    found = 0
    for row in rows:
        found += getattr(row, what) or 0
    return found


def without_price(rows: Iterable[Row]) -> int:
    """Calls without a price, model by model. A price that came when its call's month was closed counts in the open one
    and takes away one there, where the call is none: so no model's number goes below zero."""
    found = 0
    for of in by(rows, lambda row: (row.provider, row.model)).values():
        found += max(0, count(of, "unpriced"))
    return found


def by(rows: Iterable[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    found: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return dict(found)


def read_books(zone_name: str) -> Books:
    """Every row of the ledger and of other costs, with names joined here and not by the database."""
    import json

    zone = ZoneInfo(zone_name)
    workflows = {
        row["id"]: row for row in table("budgets_workflow", "id", "slug", "status", "merged_into_id", "team_id")
    }
    teams = {row["id"]: row["slug"] for row in table("budgets_team", "id", "slug")}
    arrived = {row["id"]: row["received_at"] for row in table("usage_ingestbatch", "id", "received_at")}
    found = []
    for one in table("usage_ledger", *COLUMNS):
        own = workflows[one["workflow_id"]]
        counted = workflows[own["merged_into_id"]] if own["merged_into_id"] else own
        for name in ("tags", "context"):
            if isinstance(one[name], str):
                one[name] = json.loads(one[name])
        found.append(
            Row(
                at=one["posted_at"],
                day=one["posted_at"].astimezone(zone).date(),
                made=one["time"],
                arrived=arrived[one["batch_id"]],
                kind=one["kind"],
                slug=counted["slug"],
                own_slug=own["slug"],
                unclaimed=counted["status"] in {"reserved", "discovered"},
                stated=one,
            )
        )
    columns = ("name", "kind", "team_id", "workflow_id", "cost", "first_day", "last_day", "removed_at")
    costs = []
    for one in table("usage_othercost", *columns):
        own = workflows.get(one["workflow_id"])
        counted = workflows[own["merged_into_id"]] if own and own["merged_into_id"] else own
        team = one["team_id"] or (counted["team_id"] if counted else None)
        if one["removed_at"] is None:
            costs.append(
                Cost(
                    one["name"], one["kind"], teams.get(team, ""), counted["slug"] if counted else "", one["cost"],
                    one["first_day"], one["last_day"],
                )
            )  # fmt: skip
    named = {row["slug"]: row for row in workflows.values()}
    return Books(zone, tuple(found), tuple(costs), named)


def table(name: str, *columns: str) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(columns)} FROM {name} ORDER BY id")  # our own names
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


# Days, by the calendar alone.


def today(now: datetime, zone: ZoneInfo) -> date:
    return now.astimezone(zone).date()


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def days(first: date, last: date) -> list[date]:
    return [first + n * DAY for n in range((last - first).days + 1)]


def month_before(day: date) -> date:
    """The first day of the month before that of `day`."""
    return (day.replace(day=1) - DAY).replace(day=1)


def months_on(day: date, many: int) -> date:
    """The first day of the month so many months after that of `day`."""
    number = day.year * 12 + day.month - 1 + many
    return date(number // 12, number % 12 + 1, 1)


def period(kind: str, day: date, year_starts: int = 1, fixed: tuple[date, date] | None = None) -> tuple[date, date]:
    """First and last day of the period of this kind that `day` lies in; weeks begin on Monday."""
    if kind == "fixed":
        assert fixed
        return fixed
    if kind == "day":
        return day, day
    if kind == "week":
        first = day
        while first.weekday() != 0:
            first -= DAY
        return first, first + 6 * DAY
    length = {"month": 1, "quarter": 3, "year": 12}[kind]
    first = day.replace(day=1)
    while (first.month - year_starts) % length:
        first = month_before(first)
    return first, months_on(first, length) - DAY
