"""Usage for tests of unusual spend: weeks of rollups as folding would leave them, and looks at frozen times."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from budgets.models import NANO, Organisation, Team, Workflow
from reports.models import Finding, Watch
from reports.unusual.watch import Looked, watch
from usage.models import QuarterHour
from usage.rollups.days import make_days_anew
from usage.tests.rows import usage_row

NOW = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)  # a Wednesday
QUARTER, HOUR, DAY, WEEK = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1), timedelta(days=7)
Dollars = Callable[[datetime], float]


def a_company() -> None:
    Organisation.objects.update_or_create(id=1, defaults={"time_zone": "Europe/Berlin"})


def a_workflow(slug: str = "ad-copy", team: str = "growth", **more: object) -> Workflow:
    belongs, _ = Team.objects.get_or_create(slug=team, defaults={"name": team.title()})
    values = {"name": slug.replace("-", " ").capitalize(), "team": belongs, "status": "production"} | more
    return Workflow.objects.create(slug=slug, **values)


def office_hours(when: datetime) -> float:
    """Dollars of a quarter hour: two by day, a tenth at night and at weekends, never twice the same."""
    level = 2.0 if 7 <= when.hour < 17 and when.weekday() < 5 else 0.2
    return level * (0.9 + 0.2 * random.Random(int(when.timestamp())).random())


def fill(
    workflow: Workflow, starts: datetime, stops: datetime, dollars: Dollars = office_hours, **more: object
) -> None:
    """A row each quarter hour. A call costs ten cents and has 1,000 tokens, unless told otherwise."""
    rows = []
    while starts < stops:
        if (spent := dollars(starts)) > 0:
            calls = max(1, round(spent * 10))
            values = {"calls": calls, "input_tokens": 900 * calls, "output_tokens": 100 * calls} | more
            rows.append(
                usage_row(starts, int(spent * NANO), workflow_id=workflow.pk, team=workflow.team.slug, **values)
            )
        starts += QUARTER
    QuarterHour.objects.bulk_create(rows)


def history(workflow: Workflow, until: datetime = NOW, days: int = 28, dollars: Dollars = office_hours) -> None:
    fill(workflow, until - days * DAY, until, dollars)
    make_days_anew(Organisation.get().time_zone)


def looked(now: datetime) -> Looked:
    """All that waits, as the task does it minute by minute."""
    return watch(now, seconds=600)


def looked_until(starts: datetime, stops: datetime) -> list[Finding]:
    """Each quarter hour; the findings there are."""
    while starts <= stops:
        looked(starts)
        starts += QUARTER
    return list(Finding.objects.order_by("pk"))


def learnt(until: datetime = NOW) -> None:
    """Everything before is known, and nothing of it is told."""
    looked(until)
    assert Watch.objects.get().quarters_to == until
    Finding.objects.all().delete()
