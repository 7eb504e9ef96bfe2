"""Make all forecasts: each night by itself, and when somebody asks. A worker holds the work by `routing.replay.claim`.

Making them again the same day writes the same rows anew. What was expected on earlier days stays as it was, and gets
what came once that is known.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q, Sum
from django.utils import timezone

from budgets.audit.record import Actor, record
from budgets.limits.calendar import DAY, day_of, day_starts_at, period_bounds
from budgets.models import Budget, BudgetSeries, BudgetState, Organisation, Team, Workflow
from budgets.notices.alone import alone
from reports.models import Outlook, OutlookRun
from reports.outlook.expecting import WEEK, Changes, Expected, expect_days, expect_hours, ready_on, usual_days
from reports.outlook.planned import HORIZON, Planned, read_planned
from reports.outlook.series import HOURS_BACK, Histories, Subject, read_days, read_hours
from routing.replay.claim import OPEN, Claim

TASK = "reports.tasks.make_forecasts"
OUTLOOK_LOCK = 7_061_080  # advisory lock number, ours by choice: one worker forecasts at a time
MOST = 2_000  # workflows of one run, those that spend most; budgets, teams and the organisation are all forecast
AT_ONCE = 25  # subjects written together
KEPT_DAYS, KEPT_HOURS, KEPT_RUNS = 400, 14, 30
SETTLING = timedelta(minutes=20)  # after midnight: the last calls of the day come in, budgets begin new periods
LIKELY_MOST = 2  # of a landing: middle, then the likely range, then the almost sure one
KEPT_STEPS = 14  # days: after that only what a look back needs of a forecast is kept
Kind, Grain, State = Outlook.Kind, Outlook.Grain, OutlookRun.State
FIELDS = (
    "made_at", "starts_at", "metric", "known", "ready_on", "steps", "period_first", "period_end", "limit", "spent",
    "landing", "runs_out", "week",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """A subject with the period that its landing is for; `state` the row of a budget's."""

    subject: Subject
    metric: str
    first: date
    last: date
    limit: int | None = None
    spent: int | None = None
    state: int | None = None
    covers: Subject | None = None  # of a budget, what it covers: its past and its plans are those of that


def ask(actor: Actor | None = None, now: datetime | None = None) -> tuple[OutlookRun, bool]:
    """Have all forecasts made; the run, and whether it is new. One waits at a time; no history of the night's own."""
    now = now or timezone.now()
    today = day_of(now, Organisation.get().zone)
    try:
        with transaction.atomic():
            run = OutlookRun.objects.create(made_for=today, created_at=now, asked_by=actor.user if actor else None)
            if actor is not None:
                record(actor, "requested", run, None, {"made_for": today.isoformat()})
    except IntegrityError:
        return OutlookRun.objects.filter(made_for=today).latest("pk"), False  # it may have ended since
    return run, True


def ask_nightly(now: datetime | None = None) -> bool:
    """Ask where nobody did since the last midnight; whether that was needed. After three failures not this day."""
    now, zone = now or timezone.now(), Organisation.get().zone
    today = day_of(now, zone)
    runs = OutlookRun.objects.filter(made_for=today)
    if now < day_starts_at(today, zone) + SETTLING:
        return False
    if runs.exclude(state=State.FAILED).exists() or runs.count() > 2:
        return False
    return ask(now=now)[1]


def work_off() -> int:
    """Make what was asked for, and what a dead worker left; how many runs. 0 where another worker is at it."""
    with alone(OUTLOOK_LOCK) as held:
        if not held:
            return 0
        done = 0
        for run in OutlookRun.objects.filter(state__in=OPEN).order_by("pk"):
            claim = Claim.of(run, timedelta(hours=6), "Tell whoever runs TokenOps.", done=0, total=0)
            if claim is not None:
                claim.carry_out(_make)
                done += 1
        return done


def _make(claim: Claim[OutlookRun]) -> None:
    organisation, now, today = Organisation.get(), timezone.now(), claim.job.made_for
    days, hours = read_days(today, organisation.zone), read_hours(now, organisation.zone)
    wanted, left_out = chosen(list(subjects(organisation, today, days)), days)
    claim.mark(total=len(wanted), left_out=left_out)
    plans = Plans(read_planned(today, organisation.zone), days)
    rows: list[Outlook] = []
    for number, one in enumerate(wanted, 1):
        rows.append(_of_days(one, days, plans, today, now, organisation))
        rows.append(_of_hours(one, hours, today, now))
        if number % AT_ONCE == 0 or number == len(wanted):
            write(rows)
            rows = []
            claim.mark(done=number)
    project(today)
    look_back(days, today)
    forget(today)
    claim.end(State.DONE, done=len(wanted))


def subjects(organisation: Organisation, today: date, days: Histories) -> Iterator[Wanted]:
    """The organisation, its teams, the workflows that people answer for, every budget that is not archived."""
    month = period_bounds("month", today, organisation.zone)
    spans = (month.first, month.last)
    yield Wanted((Kind.ORGANISATION, ""), "money", *spans)
    for slug in Team.objects.values_list("slug", flat=True):
        yield Wanted((Kind.TEAM, slug), "money", *spans)
    claimed = Workflow.objects.exclude(status__in=["merged", "ignored"])
    for slug in claimed.values_list("slug", flat=True):
        if (Kind.WORKFLOW, slug) in days.used:
            yield Wanted((Kind.WORKFLOW, slug), "money", *spans)
    now = day_starts_at(today, organisation.zone)
    states = {one.budget_id: one for one in BudgetState.objects.filter(starts_at__lte=now, ends_at__gt=now)}
    for budget in Budget.objects.exclude(status=Budget.Status.ARCHIVED):
        if state := states.get(budget.pk):
            subject = (Kind.BUDGET, str(budget.pk))
            if state.period_start < days.first:
                before = _charged(budget.pk, state.starts_at, now)
            else:
                before = days.between(subject, state.period_start, today - DAY)
            spans = (state.period_start, state.period_end)
            yield Wanted(subject, budget.metric, *spans, state.limit, before, state.pk, covered(budget))


def covered(budget: Budget) -> Subject | None:
    """The organisation, team or workflow that a budget of money covers wholly; None for any other scope."""
    if budget.metric != Budget.Metric.MONEY or len(budget.scope) > 1 or set(budget.scope) - {"team", "workflow"}:
        return None
    return next(iter(budget.scope.items()), (Kind.ORGANISATION.value, ""))


def _charged(budget_id: int, starts_at: datetime, until: datetime) -> int:
    """What a budget was charged in a period that began before its history. One statement."""
    rows = BudgetSeries.objects.filter(budget=budget_id, bucket__gte=starts_at, bucket__lt=until)
    return int(rows.aggregate(used=Sum("amount"))["used"] or 0)


def chosen(wanted: list[Wanted], days: Histories) -> tuple[list[Wanted], int]:
    """What is forecast, workflows last, and how many of those are left out: the ones that spent least in four weeks."""

    def spent(one: Wanted) -> int:
        used = days.used.get(one.subject, {})
        return sum(amount for at, amount in used.items() if at >= days.count - 28)

    workflows = sorted((one for one in wanted if one.subject[0] == Kind.WORKFLOW), key=spent, reverse=True)
    others = [one for one in wanted if one.subject[0] != Kind.WORKFLOW]
    return [*others, *workflows[:MOST]], max(0, len(workflows) - MOST)


class Plans:
    """The calendar's changes of each subject; what its parts usually use is forecast once."""

    def __init__(self, planned: Planned, days: Histories) -> None:
        self.planned, self.days = planned, days
        self._usual: dict[Subject, Sequence[float]] = {}

    def of(self, one: Wanted) -> Changes:
        subject = one.covers or one.subject
        more = [] if subject[0] == Kind.BUDGET else self.planned.more(subject, HORIZON, self.usual)
        return Changes(self.planned.factors(subject, HORIZON), more)

    def usual(self, subject: Subject) -> Sequence[float]:
        if subject not in self._usual:
            self._usual[subject] = usual_days(self.days.values(subject), HORIZON)
        return self._usual[subject]


def _of_days(
    one: Wanted, days: Histories, plans: Plans, today: date, now: datetime, organisation: Organisation
) -> Outlook:
    spent = one.spent if one.spent is not None else days.between(one.subject, one.first, today - DAY)
    # A budget that is younger than what it covers: its own series begins with it.
    values = days.values(one.covers or one.subject)
    found = expect_days(values, today, one.last, spent, one.limit, plans.of(one))
    row = _row(one, Grain.DAY, today, now, day_starts_at(today, organisation.zone), found)
    row.period_first, row.period_end, row.limit, row.spent = one.first, one.last, one.limit, spent
    if found is None:
        row.ready_on = ready_on(days.began(one.covers or one.subject), today)
        row.known = len(values)
    return row


def _of_hours(one: Wanted, hours: Histories, today: date, now: datetime) -> Outlook:
    starts = hours.starts_at + timedelta(hours=HOURS_BACK)
    return _row(one, Grain.HOUR, today, now, starts, expect_hours(hours.values(one.covers or one.subject)))


def _row(one: Wanted, grain: str, today: date, now: datetime, starts: datetime, found: Expected | None) -> Outlook:
    row = Outlook(
        kind=one.subject[0], key=one.subject[1], grain=grain, made_for=today, made_at=now, starts_at=starts,
        metric=one.metric,
    )  # fmt: skip
    if found is not None:
        row.steps, row.week, row.landing, row.runs_out = found.steps, found.week, found.landing, found.runs_out
        row.known = found.known
    return row


def write(rows: Iterable[Outlook]) -> None:
    """Write or write anew."""
    Outlook.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["kind", "key", "grain", "made_for"], update_fields=list(FIELDS)
    )


def project(today: date) -> int:
    """Write what each budget's running period comes to into its state; how many have a projection.

    None where it cannot be said: pages then state an even pace, as they do once it is too old (`FORECAST_HOLDS`).
    """
    landings = {
        int(key): landing
        for key, landing in Outlook.objects.filter(kind=Kind.BUDGET, grain=Grain.DAY, made_for=today).values_list(
            "key", "landing"
        )
    }
    zone = Organisation.get().zone
    now, made_at = day_starts_at(today, zone), timezone.now()
    running = BudgetState.objects.filter(budget__in=landings, starts_at__lte=now, ends_at__gt=now)
    for pk, budget in running.values_list("pk", "budget_id"):
        # Evaluation writes other columns of the same rows, so that neither undoes what the other wrote.
        middle, most = (landings[budget][0], landings[budget][LIKELY_MOST]) if landings[budget] else (None, None)
        at = made_at if middle is not None else None
        BudgetState.objects.filter(pk=pk).update(projected=middle, projected_most=most, projected_at=at)
    return sum(bool(landing) for landing in landings.values())


def look_back(days: Histories, today: date) -> int:
    """Fill what came into earlier forecasts, once their week or their period is over; how many were."""
    waiting = Outlook.objects.filter(grain=Grain.DAY, made_for__gte=days.first).filter(
        Q(week_came=None, made_for__lte=today - WEEK * DAY) | Q(landed=None, period_end__lt=today)
    )
    done = []
    needed = ("kind", "key", "made_for", "period_first", "period_end", "week_came", "landed")
    for row in waiting.exclude(landing=[]).only(*needed):
        subject = (row.kind, row.key)
        if row.made_for <= today - WEEK * DAY:
            row.week_came = days.between(subject, row.made_for, row.made_for + (WEEK - 1) * DAY)
        if row.period_first and row.period_end and row.period_end < today and row.period_first >= days.first:
            row.landed = days.between(subject, row.period_first, row.period_end)
        done.append(row)
    Outlook.objects.bulk_update(done, ["week_came", "landed"], batch_size=500)
    return len(done)


def forget(today: date) -> None:
    """Remove what is older than anybody looks at."""
    Outlook.objects.filter(made_for__lt=today - KEPT_DAYS * DAY).delete()
    Outlook.objects.filter(grain=Grain.HOUR, made_for__lt=today - KEPT_HOURS * DAY).delete()
    old = Outlook.objects.filter(grain=Grain.DAY, made_for__lt=today - KEPT_STEPS * DAY)
    old.exclude(steps=[]).update(steps=[])
    for (oldest,) in OutlookRun.objects.order_by("-pk").values_list("pk")[KEPT_RUNS : KEPT_RUNS + 1]:
        OutlookRun.objects.filter(pk__lte=oldest).exclude(state__in=OPEN).delete()
