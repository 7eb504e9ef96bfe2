"""Watching: found within a quarter hour, once, grouped, with the amount above usual; quiet where it is expected."""

import random
from datetime import timedelta
from decimal import Decimal

import pytest

from budgets.audit.record import Actor
from budgets.models import NANO, AuditEntry, Organisation, PlannedActivity
from reports.models import Finding, Watch, WatchedSeries
from reports.tests.unusual_made import (
    DAY,
    HOUR,
    NOW,
    QUARTER,
    WEEK,
    a_company,
    a_workflow,
    fill,
    history,
    learnt,
    looked,
    looked_until,
    office_hours,
)
from reports.unusual import watch as watching
from reports.unusual.detector import STATE_VERSION
from reports.unusual.handling import set_state, undo_handling
from reports.unusual.listing import begins_on, undo_of
from reports.unusual.watch import watch

pytestmark = [pytest.mark.site, pytest.mark.django_db]
ACTOR = Actor(None, "lena", "web")


@pytest.fixture
def copy():
    a_company()
    workflow = a_workflow()
    history(workflow, days=15)
    learnt()
    return workflow


def burst(workflow, at=NOW, dollars=40.0, quarters=1, **more):
    fill(workflow, at, at + quarters * QUARTER, lambda when: dollars, **more)


def test_a_jump_is_found_within_a_quarter_hour_and_grouped(copy):
    """One finding of the workflow; its team and its model, which had the same, are not told of again."""
    burst(copy)
    looked(NOW + QUARTER + timedelta(minutes=1))
    finding = Finding.objects.get()
    assert (finding.dimension, finding.workflow, finding.since, finding.until) == ("workflow", copy, NOW, NOW + QUARTER)
    assert finding.measures == ["money", "tokens", "calls"]
    assert finding.actual == 40 * NANO
    assert 37 * NANO < finding.amount < 39 * NANO
    inside = [point for point in finding.points if point[0] >= finding.since.timestamp()]
    assert finding.amount == sum(point[1] - point[2] for point in inside)
    assert len(finding.points) == 25  # with six hours before, to be seen beside it
    assert (finding.state, finding.ended_at, finding.team) == ("open", None, copy.team)


def test_looking_again_changes_nothing(copy, django_assert_num_queries):
    burst(copy)
    looked(NOW + QUARTER)
    before = list(Finding.objects.values())
    with django_assert_num_queries(4):  # a savepoint around the lock and the row
        assert looked(NOW + QUARTER).scopes == 0
    Watch.objects.update(quarters_to=NOW)  # as if a worker had been killed before it could say so
    looked(NOW + QUARTER)
    assert list(Finding.objects.values()) == before


def test_what_is_killed_in_the_middle_is_done_again(copy, monkeypatch):
    burst(copy)
    monkeypatch.setattr(watching.keeping, "refresh", lambda now: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        watch(NOW + QUARTER)
    assert not Finding.objects.exists()
    monkeypatch.undo()
    looked(NOW + QUARTER)
    assert Finding.objects.count() == 1


def test_it_goes_on_and_ends_by_itself(copy):
    burst(copy, quarters=6)
    fill(copy, NOW + 6 * QUARTER, NOW + 5 * HOUR)
    (finding,) = looked_until(NOW + QUARTER, NOW + 6 * QUARTER)
    assert (finding.until, finding.ended_at, finding.actual) == (NOW + 6 * QUARTER, None, 240 * NANO)
    (finding,) = looked_until(NOW + 7 * QUARTER, NOW + 12 * QUARTER)
    assert (finding.until, finding.ended_at) == (NOW + 6 * QUARTER, NOW + 10 * QUARTER)
    assert finding.amount == finding.actual - finding.expected > 200 * NANO


def test_late_calls_are_seen_as_if_they_had_been_on_time(copy):
    fill(copy, NOW, NOW + 2 * HOUR)
    assert looked_until(NOW + QUARTER, NOW + 2 * HOUR) == []
    burst(copy, NOW + HOUR, 60.0, model="late-model")
    looked(NOW + 2 * HOUR + QUARTER)
    finding = Finding.objects.get(dimension="workflow")
    assert (finding.since, finding.until) == (NOW + HOUR, NOW + HOUR + QUARTER)
    burst(copy, NOW + HOUR, 1.0, model="later-still")  # and what comes later still is added to it
    looked(NOW + 2 * HOUR + 2 * QUARTER)
    more = Finding.objects.get(dimension="workflow")
    assert more.actual - finding.actual == NANO == more.amount - finding.amount


def test_a_little_money_is_no_finding(copy):
    small = a_workflow("small")
    history(small, days=15, dollars=lambda when: 0.05)
    learnt(NOW + QUARTER)
    burst(small, NOW + QUARTER, 4.0)
    fill(copy, NOW + QUARTER, NOW + 2 * QUARTER)
    looked(NOW + 2 * QUARTER)
    assert not Finding.objects.exists()


def test_less_than_a_third_of_a_days_spend_is_no_finding(copy):
    """The workflow spends about 60 dollars a day."""
    burst(copy, dollars=18.0)
    looked(NOW + QUARTER)
    assert not Finding.objects.exists()
    burst(copy, NOW + QUARTER, 18.0)  # and with a second one it is
    looked(NOW + 2 * QUARTER)
    assert Finding.objects.get().amount > 30 * NANO


def test_less_than_a_hundredth_of_the_companys_day_is_no_finding():
    """A small workflow of a company that spends about 2,000 dollars a day: ten dollars more are nobody's worry."""
    a_company()
    small, large = a_workflow("small"), a_workflow("large", "ops")
    history(small, days=15, dollars=lambda when: 0.05)
    history(large, days=15, dollars=lambda when: 20 + when.minute / 60)
    learnt()
    burst(small, dollars=15.0)
    fill(large, NOW, NOW + 2 * QUARTER, lambda when: 20 + when.minute / 60)
    looked(NOW + QUARTER)
    assert not Finding.objects.exists()
    burst(small, NOW + QUARTER, 15.0)
    looked(NOW + 2 * QUARTER)
    assert Finding.objects.get().name == "Small"


def test_what_another_version_remembers_is_learnt_anew(copy):
    WatchedSeries.objects.update(state={"version": 0})
    burst(copy)
    looked(NOW + QUARTER)
    assert Finding.objects.get().name == "Ad copy"
    assert {one.state["version"] for one in WatchedSeries.objects.all()} == {STATE_VERSION}


def test_before_seven_days_nothing_is_told_and_the_page_says_from_when():
    a_company()
    zone = Organisation.get().zone
    assert begins_on(zone, NOW) == (NOW + WEEK).date()
    fresh = a_workflow("fresh")
    history(fresh, days=3)
    burst(fresh)
    looked(NOW + QUARTER)
    assert not Finding.objects.exists()
    assert begins_on(zone, NOW) == (NOW + 4 * DAY).date()
    WatchedSeries.objects.update(began_at=NOW - WEEK)
    assert begins_on(zone, NOW) is None


def test_what_was_expected_is_quiet_a_week_later_and_undo_forgets_it(copy):
    burst(copy, quarters=4)
    fill(copy, NOW + HOUR, NOW + WEEK)
    finding = looked_until(NOW + QUARTER, NOW + 3 * HOUR)[0]
    set_state(ACTOR, finding, Finding.State.EXPECTED)
    looked(NOW + WEEK)
    burst(copy, NOW + WEEK, 42.0, quarters=4)
    fill(copy, NOW + WEEK + HOUR, NOW + WEEK + 3 * HOUR)
    for quarter in (2, 4, 8):
        looked(NOW + WEEK + quarter * QUARTER)
    assert Finding.objects.count() == 1
    undo_handling(ACTOR, AuditEntry.objects.get(pk=undo_of(finding)))
    Watch.objects.update(quarters_to=NOW + WEEK)
    looked(NOW + WEEK + 8 * QUARTER)
    assert Finding.objects.filter(since__gte=NOW + WEEK).count() == 1


def test_far_more_than_what_was_expected_is_told_all_the_same(copy):
    burst(copy, quarters=2)
    fill(copy, NOW + 2 * QUARTER, NOW + WEEK)
    finding = looked_until(NOW + QUARTER, NOW + 2 * QUARTER)[0]
    set_state(ACTOR, finding, Finding.State.EXPECTED)
    looked(NOW + WEEK)
    burst(copy, NOW + WEEK, 90.0)
    looked(NOW + WEEK + QUARTER)
    assert Finding.objects.filter(since=NOW + WEEK, state="open").exists()


@pytest.mark.parametrize(("factor", "state"), [(None, "expected"), (Decimal(30), "expected"), (Decimal(2), "open")])
def test_planned_activity_makes_it_expected_as_far_as_it_is_planned(copy, factor, state):
    PlannedActivity.objects.create(
        name="Spring launch", team=copy.team, starts_at=NOW - HOUR, ends_at=NOW + HOUR, is_all_day=False, factor=factor
    )
    burst(copy)
    looked(NOW + QUARTER)
    finding = Finding.objects.get(dimension="workflow")
    assert (finding.state, finding.planned) == (state, "Spring launch" if state == "expected" else "")


def test_activity_of_another_team_explains_nothing(copy):
    other = a_workflow("logs", "ops")
    PlannedActivity.objects.create(name="Migration", team=other.team, starts_at=NOW - HOUR, ends_at=NOW + HOUR)
    burst(copy)
    looked(NOW + QUARTER)
    assert Finding.objects.get(dimension="workflow").state == "open"


def test_a_weekend_batch_that_is_normal_stays_quiet():
    """Each Saturday from 20:00 to 22:00 sixty dollars: told at first, quiet once it is a habit."""
    a_company()
    workflow = a_workflow()

    def weekly(when):
        batch = when.weekday() == 5 and 19 <= when.hour < 21
        return 7.5 * (0.9 + 0.2 * random.Random(int(when.timestamp())).random()) if batch else office_hours(when)

    saturday = NOW + 3 * DAY + 12 * HOUR
    history(workflow, saturday, 35, weekly)
    learnt(saturday - 8 * HOUR)
    assert looked_until(saturday - 6 * HOUR, saturday) == []


def test_a_team_is_told_of_where_no_single_workflow_explains_it():
    """Four small workflows that together are much: each below the minimum, their team far above its usual."""
    a_company()
    small = [a_workflow(f"small-{n}") for n in range(4)]
    for one in small:
        history(one, days=9, dollars=lambda when: 0.1)
    learnt()
    for one in small:
        burst(one, dollars=4.0)
    looked(NOW + QUARTER)
    assert [one.dimension for one in Finding.objects.all()] == ["team"]


def test_a_finding_is_read_again_when_what_was_spent_changes(copy):
    burst(copy)
    looked(NOW + QUARTER)
    fill(copy, NOW + QUARTER, NOW + DAY)
    looked(NOW + DAY)
    before = Finding.objects.get()
    burst(copy, NOW, 5.0, model="corrected")
    looked(NOW + DAY + QUARTER)
    assert Finding.objects.get().amount == before.amount + 5 * NANO


def test_what_a_new_series_learns_from_is_looked_at_too_and_nobody_is_told_of_the_past():
    a_company()
    workflow = a_workflow()
    burst(workflow, NOW - 3 * DAY, quarters=2, model="past")
    history(workflow, days=15)
    looked(NOW)
    (finding,) = Finding.objects.filter(dimension="workflow")
    assert (finding.since, finding.until) == (NOW - 3 * DAY, NOW - 3 * DAY + 2 * QUARTER)
    assert finding.ended_at == finding.until + HOUR
    assert WatchedSeries.objects.filter(settled_to__gt=NOW - 5 * HOUR).count() == 0


def test_a_past_that_is_imported_later_is_learnt(copy):
    WatchedSeries.objects.update(began_at=NOW - 3 * DAY)  # as if nothing before had been known
    Watch.objects.update(quarters_to=NOW - QUARTER)
    looked(NOW)
    first = WatchedSeries.objects.get(dimension="workflow", measure="money", grain=900)
    assert first.began_at <= NOW - 14 * DAY
