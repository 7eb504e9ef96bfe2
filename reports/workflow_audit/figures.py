"""What a workflow did on some days, from the same sums as every other page."""

from collections.abc import Sequence
from datetime import date
from zoneinfo import ZoneInfo

from django.db.models import Min

from budgets.limits.calendar import DAY, day_starts_at
from budgets.models import Workflow
from reports.asking.scope import Scope
from reports.asking.window import Window, of_days
from reports.spend.sums import Used, spend
from reports.workflow_audit.values import Day, Figures
from usage.models import CoreDay
from usage.rollups.runs import count_runs, spent_in_runs


def counted_ids(workflow: Workflow) -> list[int]:
    """The ids under which its usage stands."""
    return list(Workflow.objects.counted_as(workflow.slug).values_list("pk", flat=True))


def figures_of(workflow: Workflow, first: date, last: date, zone: ZoneInfo) -> Figures:
    """Of the days `first` to `last`, both included, together. Four statements."""
    window = days_window(first, last, zone)
    return _figures(counted_ids(workflow), window, spend(Scope(workflow=(workflow.slug,)), window).total)


def days_of(workflow: Workflow, first: date, last: date, zone: ZoneInfo) -> list[Day]:
    """Day by day. Two statements, and two for each day."""
    ids, window = counted_ids(workflow), days_window(first, last, zone)
    used = spend(Scope(workflow=(workflow.slug,)), window, grain="day").by_time()
    days = [first + n * DAY for n in range((last - first).days + 1)]
    return [Day(one, _figures(ids, days_window(one, one, zone), used.get(one, Used()))) for one in days]


def first_of(workflow: Workflow, first: date, last: date) -> date:
    """`first`, or the day of the workflow's first call where that was later, but not after `last`. Two statements."""
    days = CoreDay.objects.filter(workflow_id__in=counted_ids(workflow), calls__gt=0)
    found: date | None = days.aggregate(first=Min("day"))["first"]
    return first if found is None or not first < found <= last else found


def days_window(first: date, last: date, zone: ZoneInfo) -> Window:
    """Complete days of a zone."""
    return of_days(first, last, last + DAY, zone)


def _figures(ids: Sequence[int], window: Window, used: Used) -> Figures:
    starts, stops = window.starts_at, day_starts_at(window.last + DAY, window.zone)
    runs = count_runs(starts, stops, ids)
    return Figures(
        days=(window.last - window.first).days + 1,
        cost=used.cost,
        calls=used.calls,
        without_cost=used.unpriced + used.unmeasured,
        retries=used.retries,
        tokens=used.input_tokens + used.output_tokens,
        in_runs=sum(spent_in_runs(starts, stops, ids).values()),
        runs=runs.runs,
        reviewed=runs.reviewed,
        reworked=runs.reworked,
        approved=runs.approved,
    )
