"""What the forecast pages show: the newest forecast of each subject in reach, and how good earlier ones were."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from django.db.models import Max, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from budgets.access.reachable import reachable
from budgets.access.roles import VIEW, reach
from budgets.limits.calendar import DAY, day_of, day_starts_at
from budgets.models import Budget, BudgetSeries, BudgetState, Organisation, Team, Workflow
from budgets.pages.amounts import amount
from budgets.pages.moments import day
from budgets.pages.standing import FORECAST_HOLDS
from budgets.pages.standings import running
from reports.asking.scope import Scope
from reports.asking.window import of_days
from reports.models import Outlook, OutlookRun
from reports.outlook.past import Past, Quality, quality
from reports.spend.sums import spend

Kind, Grain = Outlook.Kind, Outlook.Grain
ALL = "-"  # the organisation's key in addresses
STALE_AFTER = FORECAST_HOLDS
LOOKED_BACK = 90  # days of earlier forecasts that say how good they are
UNKNOWN = Quality(0, None, 0)


@dataclass(frozen=True, slots=True)
class Today:
    """What was used in the same period by now: forecasts are made in the night. Budgets have a limit, too."""

    spent: int
    limit: int | None = None
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One subject. `slug` is its key in addresses; amounts are in its metric's unit, `name` what people call it."""

    outlook: Outlook
    name: str
    slug: str
    quality: Quality
    today: Today | None = None

    @property
    def landing(self) -> list[int]:
        """As forecast, or what was used by now where that is more already."""
        least = self.today.spent if self.today else 0
        return [max(one, least) for one in self.outlook.landing]

    @property
    def most(self) -> int | None:
        """The limit that a budget has now; None of anything else."""
        return self.today.limit if self.today else self.outlook.limit

    @property
    def is_over(self) -> bool:
        return self.today is not None and self.today.is_over

    def said(self, value: int) -> str:
        return amount(value, self.outlook.metric)

    @property
    def is_ready(self) -> bool:
        return bool(self.outlook.landing)

    @property
    def expected(self) -> str:
        return self.said(self.landing[0])

    @property
    def likely(self) -> str:
        """ "$7,800 to $8,900"."""
        return f"{self.said(self.landing[1])} to {self.said(self.landing[2])}"

    @property
    def between(self) -> str:
        """The same for a sentence: "$7,800 and $8,900"."""
        return f"{self.said(self.landing[1])} and {self.said(self.landing[2])}"

    @property
    def almost_surely(self) -> str:
        return f"{self.said(self.landing[3])} and {self.said(self.landing[4])}"

    @property
    def limit(self) -> str:
        return "" if self.most is None else self.said(self.most)

    @property
    def tone(self) -> str:
        """`over` where the expected sum is above the limit, `watch` where the likely range reaches it."""
        limit = self.most
        if self.is_over:
            return "over"
        if limit is None or not self.outlook.landing:
            return ""
        return "over" if self.landing[0] > limit else "watch" if self.landing[2] > limit else "ok"

    @property
    def status(self) -> str:
        if self.is_over:
            return "Over"
        return {"over": "Likely over", "watch": "Could go over", "ok": "On pace"}.get(self.tone, "")

    @property
    def icon(self) -> str:
        return {"over": "over", "watch": "warn", "ok": "check"}.get(self.tone, "")

    @property
    def runs_out(self) -> str:
        """ "24 Nov, likely 22 to 29 Nov", "not before 30 Nov", "already"; "" where not known, as after a new limit."""
        found, end = self.outlook.runs_out, self.outlook.period_end
        if self.is_over:
            return "already"
        if not found or end is None or self.most != self.outlook.limit:
            return ""
        middle, early, late = (date.fromisoformat(one) if one else None for one in found)
        if middle is None:
            return f"not before {day(end)}" if early is None else f"not before {day(early)}, if at all"
        if early is None or early == late == middle:
            return day(middle)
        return f"{day(middle)}, likely {day(early)} to {day(late) if late else f'after {day(end)}'}"


def newest(kind: str, keys: Iterable[str]) -> dict[str, Outlook]:
    """The newest daily forecast of each, without its steps; those of the last whole run while the next is being made.
    Two statements.
    """
    rows = Outlook.objects.filter(kind=kind, grain=Grain.DAY, key__in=list(keys)).defer("steps")
    since = OutlookRun.objects.filter(state=OutlookRun.State.DONE).aggregate(day=Max("made_for"))["day"]
    if since is not None:
        rows = rows.filter(made_for__gte=since)
    return {one.key: one for one in rows.order_by("made_for")}


def qualities(kind: str, keys: Iterable[str], today: date) -> dict[str, Quality]:
    """How good the forecasts of the last `LOOKED_BACK` days were, of each. One statement."""
    found: dict[str, list[Past]] = defaultdict(list)
    rows = Outlook.objects.filter(kind=kind, grain=Grain.DAY, key__in=list(keys), week_came__isnull=False)
    rows = rows.filter(made_for__gt=today - LOOKED_BACK * DAY)
    for key, *values in rows.values_list("key", "made_for", "week", "week_came", "period_end", "landing", "landed"):
        found[key].append(Past(*values))
    return {key: quality(past) for key, past in found.items()}


def named(kind: str, who: Any) -> dict[str, tuple[str, str]]:
    """Key → (what people call it, its key in addresses), of what `who` reaches. One statement."""
    if kind == Kind.ORGANISATION:
        return {"": (Organisation.get().name or "The whole company", ALL)} if reach(who, VIEW).everything else {}
    if kind == Kind.TEAM:
        return {slug: (name, slug) for slug, name in reachable(Team, who).values_list("slug", "name")}
    if kind == Kind.WORKFLOW:
        rows = reachable(Workflow, who).exclude(status__in=["merged", "ignored"])
        return {slug: (name, slug) for slug, name in rows.values_list("slug", "name")}
    budgets = reachable(Budget.objects.exclude(status=Budget.Status.ARCHIVED), who)
    return {str(pk): (name, slug) for pk, slug, name in budgets.values_list("pk", "slug", "name")}


def rows_of(kind: str, who: Any) -> list[Row]:
    """Those in reach with a forecast: what is likely over first, then the largest; what is not ready last."""
    names = named(kind, who)
    found = newest(kind, names)
    now = as_of_now(kind, found)
    return sorted((Row(one, *names[key], UNKNOWN, now.get(key)) for key, one in found.items()), key=_place)


def as_of_now(kind: str, found: Mapping[str, Outlook]) -> dict[str, Today]:
    """How they stand in the periods that were forecast. One statement; none where there is no such period."""
    if kind == Kind.BUDGET:
        return budgets_now(found)
    periods = {(one.period_first, one.period_end) for one in found.values() if one.period_first and one.period_end}
    if not periods:
        return {}
    first, end = max(periods)  # they are the organisation's, the same for all of one night
    organisation = Organisation.get()
    today = day_of(timezone.now(), organisation.zone)
    if not first <= today <= end:
        return {}
    group = () if kind == Kind.ORGANISATION else (kind,)
    answer = spend(Scope(), of_days(first, today, today, organisation.zone), group)
    spent = {row.keys[0]: row.used.cost for row in answer.rows} if group else {"": answer.total.cost}
    return {key: Today(spent[key]) for key, one in found.items() if key in spent and one.period_first == first}


def budgets_now(found: Mapping[str, Outlook]) -> dict[str, Today]:
    """The same of budgets. One statement."""
    over = BudgetState.Status.EXHAUSTED
    rows = running(timezone.now()).filter(budget__in=[int(key) for key in found])
    return {
        str(one.budget_id): Today(one.spent, one.limit, one.status == over)
        for one in rows
        if found[str(one.budget_id)].period_first == one.period_start
    }


def with_quality(rows: Sequence[Row]) -> list[Row]:
    """The same rows, of one kind, with how good their earlier forecasts were. One statement."""
    if not rows:
        return []
    today = max(row.outlook.made_for for row in rows)
    known = qualities(rows[0].outlook.kind, [row.outlook.key for row in rows], today)
    return [replace(row, quality=known.get(row.outlook.key, UNKNOWN)) for row in rows]


def _place(row: Row) -> tuple[Any, ...]:
    found = row.outlook
    tone = ("over", "watch", "ok", "").index(row.tone)
    return (not row.is_ready, tone, -row.landing[0] if found.landing else 0, row.name)


def row_of(kind: str, slug: str, who: Any) -> Row | None:
    """One of them by its key in addresses; None outside of reach, or where there is no forecast."""
    for key, (name, own) in named(kind, who).items():
        if own == slug:
            outlook = newest(kind, [key]).get(key)
            if outlook is None:
                return None
            now = as_of_now(kind, {key: outlook}).get(key)
            return with_quality([Row(outlook, name, slug, UNKNOWN, now)])[0]
    return None


def hours_of(row: Row) -> Outlook | None:
    """The next hours of the same subject."""
    found = row.outlook
    return (
        Outlook.objects.filter(kind=found.kind, key=found.key, grain=Grain.HOUR, made_for=found.made_for)
        .exclude(steps=[])
        .first()
    )


def past_of(row: Row, most: int = 30) -> list[Past]:
    """Earlier forecasts of the same subject, the newest first, once their week is over."""
    found = row.outlook
    rows = Outlook.objects.filter(kind=found.kind, key=found.key, grain=Grain.DAY, week_came__isnull=False)
    values = rows.order_by("-made_for").values_list("made_for", "week", "week_came", "period_end", "landing", "landed")
    return [Past(*one) for one in values[:most]]


def used_by_day(row: Row, organisation: Organisation, first: date, last: date) -> list[int]:
    """What the subject used on each of these complete days."""
    if last < first:
        return []
    zone, found = organisation.zone, row.outlook
    days = [first + n * DAY for n in range((last - first).days + 1)]
    if found.kind == Kind.BUDGET:
        rows = BudgetSeries.objects.filter(
            budget=int(found.key), bucket__gte=day_starts_at(first, zone), bucket__lt=day_starts_at(last + DAY, zone)
        )
        sums = dict(rows.annotate(day=TruncDate("bucket", tzinfo=zone)).values_list("day").annotate(used=Sum("amount")))
        return [int(sums.get(one, 0)) for one in days]
    scope = Scope() if found.kind == Kind.ORGANISATION else Scope().only(found.kind, found.key)
    by_time = spend(scope, of_days(first, last, last + DAY, zone), (), "day").by_time()
    return [by_time[one].cost if one in by_time else 0 for one in days]


def last_run() -> OutlookRun | None:
    return OutlookRun.objects.select_related("asked_by").first()


def is_stale(rows: Sequence[Row], now: datetime) -> bool:
    """Whether nothing was made for days, though there is something."""
    return bool(rows) and now - max(row.outlook.made_at for row in rows) > STALE_AFTER
