"""The days of runs against the runs and postings that they sum, through whatever may become of them."""

import random
from datetime import UTC, date, datetime, timedelta

import pytest

from budgets.limits.calendar import day_starts_at
from budgets.models import Organisation, Team, Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.tests.made import ACTOR
from budgets.workflows.merge import merge_workflow
from usage.ledger.check import check_ledger
from usage.ledger.withdraw import ensure_open_month, withdraw
from usage.models import IngestBatch, OutcomeMessage, RunDay, RunPosting
from usage.outcomes.apply import apply_outcomes
from usage.outcomes.change import bring_back, take_back
from usage.rollups.counted import Runs
from usage.rollups.fold import fold_all
from usage.rollups.rebuild import rebuild_rollups
from usage.rollups.runs import count_runs, runs_by_workflow
from usage.rollups.zone import follow_time_zone
from usage.tests.events import an_event, price_the_model, take
from usage.tests.telling import DAY, HOUR, call, run, tell

pytestmark = pytest.mark.django_db(transaction=True)
START = datetime(2026, 10, 24, 12, 7, 13, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


@pytest.fixture(autouse=True)
def flows():
    with changing_configuration():
        price_the_model()
        team = Team.objects.create(slug="growth", name="Growth")
        for slug in ("ads", "seo-old"):
            Workflow.objects.create(slug=slug, name=slug, status="discovered")
        Workflow.objects.create(slug="seo", name="SEO", team=team, status="production")


def configure(**values: object) -> None:
    with changing_configuration():
        Organisation.objects.update(**values)


def agree() -> None:
    """For each day, some stretches and all of it: as days are summed, and from the runs themselves, a moment longer."""
    zone = Organisation.get().zone
    first = START.astimezone(zone).date() - 2 * DAY
    for start, length in [(n, 1) for n in range(0, 22, 4)] + [(3, 11), (8, 9), (0, 40)]:
        starts, stops = day_starts_at(first + start * DAY, zone), day_starts_at(first + (start + length) * DAY, zone)
        for workflows in (None, list(Workflow.objects.filter(slug="seo").values_list("pk", flat=True))):
            found = count_runs(starts, stops, workflows)
            assert found == count_runs(starts - MOMENT, stops + MOMENT, workflows), (start, length)
        by_workflow = runs_by_workflow(starts, stops)
        assert by_workflow == runs_by_workflow(starts - MOMENT, stops + MOMENT)
        assert all(one != Runs() for one in by_workflow.values())
    assert [one for one in check_ledger() if one.table == "usage_runday"] == []


def something_happens(chance: random.Random, now: datetime, n: int) -> None:
    run_id, workflow = f"r{chance.randrange(9)}", chance.choice(["seo", "seo", "ads", "seo-old"])
    what = chance.choice(["calls", "calls", "calls", "late", "tell", "tell", "tell", "back", "bring", "withdraw"])
    if what in ("calls", "late"):
        back = timedelta(hours=chance.randrange(24 * 9)) if what == "late" else chance.randrange(5) * HOUR
        events = [
            an_event(f"{n}-{k}", run_id=run_id, workflow=workflow, step=chance.randrange(1, 9),
                     time=(now - back - k * HOUR).isoformat())
            for k in range(chance.randrange(1, 4))
        ]  # fmt: skip
        take(events, now=now)
    elif what == "tell":
        said = {"revenue_usd": f"{chance.randrange(9)}"} if chance.random() < 0.5 else {"review_minutes": 2.25}
        outcome = chance.choice(["approved", "shipped", "rejected", "reworked", "failed"])
        tell(run_id, outcome, workflow=workflow, now=now, id=f"m{n}", reviewer="ann", **said)
    elif what in ("back", "bring"):
        found = OutcomeMessage.objects.filter(taken_back_at__isnull=what == "back").order_by("?").first()
        if found:
            (take_back if what == "back" else bring_back)(ACTOR, found)
    elif batch := IngestBatch.objects.order_by("?").first():
        ensure_open_month()
        withdraw([batch.pk], 2)
    if chance.random() < 0.7:
        fold_all()
        apply_outcomes()


@pytest.mark.parametrize(("seed", "zone"), [(1, "UTC"), (2, "Europe/Berlin"), (3, "Asia/Kathmandu")])
def test_days_are_what_their_runs_come_to_whatever_happens(seed, zone):
    chance = random.Random(seed)
    configure(time_zone=zone)
    follow_time_zone()
    for n in range(60):
        now = START + n * timedelta(hours=5, seconds=11)
        if n == 30:
            configure(closed_before=date(2026, 10, 28))
        if n == 45:
            configure(closed_before=date(2026, 11, 1))
        something_happens(chance, now, n)
        if n % 20 == 19:
            fold_all()
            agree()
    assert RunDay.objects.count() > 10 and RunPosting.objects.count() > 5, "much was posted apart"
    merge_workflow(ACTOR, Workflow.objects.get(slug="seo-old"), Workflow.objects.get(slug="seo"))
    agree()
    configure(time_zone="America/New_York")
    agree()  # not followed yet: read from the runs
    assert follow_time_zone() is True
    agree()
    rebuild_rollups()
    agree()


def test_a_run_that_moves_to_another_day_leaves_the_old_one():
    call("1", "r", START - DAY, now=START)
    assert [(one.runs, one.cost) for one in RunDay.objects.all()] == [(1, 3_000_000)]
    call("2", "r", START, now=START)
    assert [(one.day.day, one.runs, one.cost) for one in RunDay.objects.order_by("day")] == [
        (23, 0, 0), (24, 1, 6_000_000),
    ]  # fmt: skip


def test_check_ledger_notices_a_wrong_day_and_a_rebuild_mends_it():
    call("1", "r", START, now=START)
    tell("r", "approved", now=START)
    assert check_ledger() == []
    RunDay.objects.update(approved=2)
    assert [(one.table, one.problem) for one in check_ledger()] == [("usage_runday", "approved is off by +1")]
    rebuild_rollups()
    assert (RunDay.objects.get().approved, check_ledger()) == (1, [])


def test_an_outcome_of_a_closed_day_leaves_that_day_alone():
    call("1", "r", START, now=START)
    configure(closed_before=date(2026, 11, 1))
    before = list(RunDay.objects.values())
    tell("r", "shipped", now=START + 10 * DAY, revenue_usd="3")
    assert list(RunDay.objects.filter(day__lt=date(2026, 11, 1)).values()) == before
    later = RunDay.objects.get(day__gte=date(2026, 11, 1))
    assert (later.runs, later.shipped, later.shipped_revenue, run("r").outcome) == (0, 1, 3_000_000_000, "shipped")
