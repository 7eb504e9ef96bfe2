"""The kill switch of a run: stopped once, for a day, let go on, no more than so many at a time."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from django.db import IntegrityError, transaction

from budgets.models import UNASSIGNED, AuditEntry, Organisation, StoppedRun, Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.tests.made import ACTOR
from budgets.workflows import stopping
from budgets.workflows.edit import RefusedEdit
from budgets.workflows.stopping import let_run_go_on, stop_run, stops_of

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 18, 14, 2, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def copy():
    with changing_configuration():
        return Workflow.objects.create(slug="ad-copy", name="Ad copy", status="production")


def acts():
    return list(AuditEntry.objects.filter(object_type="budgets.stoppedrun").order_by("pk").values_list("act", "reason"))


def in_force(now=NOW):
    return list(StoppedRun.objects.in_force(now).order_by("pk").values_list("run_id", flat=True))


def test_a_run_is_stopped_for_a_day_and_then_goes_on_by_itself(copy):
    stop = stop_run(ACTOR, copy, "r-17", " Goes in circles. ", 12, NOW)
    assert (stop.reason, stop.finding, stop.stopped_at, stop.ends_at) == ("Goes in circles.", 12, NOW, NOW + DAY)
    assert in_force(NOW + DAY - MINUTE) == ["r-17"]
    assert in_force(NOW + DAY) == []
    assert acts() == [("stopped", "Goes in circles.")]


def test_stopping_it_twice_is_once_and_the_first_reason_stays(copy):
    stop_run(ACTOR, copy, "r-17", "First.", now=NOW)
    again = stop_run(ACTOR, copy, "r-17", "Second.", now=NOW + MINUTE)
    assert (again.reason, again.stopped_at) == ("First.", NOW)
    assert len(acts()) == 1


def test_it_goes_on_at_once_and_can_be_stopped_again(copy):
    stop_run(ACTOR, copy, "r-17", "First.", now=NOW)
    assert [one.ends_at for one in let_run_go_on(ACTOR, copy, "r-17", "All is well.", NOW + MINUTE)] == [NOW + MINUTE]
    assert in_force(NOW + MINUTE) == []
    assert let_run_go_on(ACTOR, copy, "r-17", now=NOW + MINUTE) == []
    stop_run(ACTOR, copy, "r-17", "Again.", now=NOW + 2 * MINUTE)
    assert StoppedRun.objects.get().stopped_at == NOW + 2 * MINUTE
    assert acts() == [("stopped", "First."), ("let go on", "All is well."), ("stopped", "Again.")]


def test_acts_that_waited_for_their_turn_count_as_of_the_stop_that_came_before_them(copy, monkeypatch):
    monkeypatch.setattr(stopping, "MOST", 1)
    late = NOW + MINUTE
    stop_run(ACTOR, copy, "r-17", "First.", now=late)
    assert stop_run(ACTOR, copy, "r-17", "Second.", now=NOW).reason == "First."
    assert [one.ends_at for one in let_run_go_on(ACTOR, copy, "r-17", now=NOW)] == [late]
    stop_run(ACTOR, copy, "r-18", now=late)
    stop_run(ACTOR, copy, "r-19", now=NOW)
    assert in_force(late) == ["r-18"]


def test_each_tells_the_bundle_and_doing_nothing_does_not(copy):
    def version():
        return Organisation.objects.get().state_version

    seen = [version()]
    for act in (
        lambda: stop_run(ACTOR, copy, "r-17", now=NOW),
        lambda: stop_run(ACTOR, copy, "r-17", now=NOW),
        lambda: let_run_go_on(ACTOR, copy, "r-17", now=NOW),
        lambda: let_run_go_on(ACTOR, copy, "r-17", now=NOW),
    ):
        act()
        seen.append(version())
    assert [after - before for before, after in pairwise(seen)] == [1, 0, 1, 0]


@pytest.mark.parametrize("run_id", ["", "x" * 129, "a\0b"])
def test_what_calls_cannot_name_is_no_run(copy, run_id):
    with pytest.raises(RefusedEdit):
        stop_run(ACTOR, copy, run_id, now=NOW)


def test_runs_without_a_workflow_are_let_be():
    with pytest.raises(RefusedEdit):
        stop_run(ACTOR, Workflow.objects.get(slug=UNASSIGNED), "r-17", now=NOW)
    assert in_force() == []


def test_a_merged_workflows_run_is_that_of_the_one_it_counts_as(copy):
    with changing_configuration():
        old = Workflow.objects.create(slug="old", name="Old", status="merged", merged_into=copy)
    assert stop_run(ACTOR, old, "r-17", now=NOW).workflow == copy


def test_what_was_stopped_before_a_merge_is_found_and_goes_on_after_it(copy):
    with changing_configuration():
        old = Workflow.objects.create(slug="old", name="Old", status="draft")
    stop_run(ACTOR, old, "r-17", now=NOW)
    with changing_configuration():
        Workflow.objects.filter(pk=old.pk).update(status="merged", merged_into=copy)
    assert list(stops_of(copy, ["r-17", "r-18"])) == ["r-17"]
    let_run_go_on(ACTOR, copy, "r-17", now=NOW)
    assert in_force() == []


def test_the_one_stopped_first_makes_room(copy, monkeypatch):
    monkeypatch.setattr(stopping, "MOST", 2)
    for n in range(3):
        stop_run(ACTOR, copy, f"r-{n}", now=NOW + n * MINUTE)
    assert in_force(NOW + 2 * MINUTE) == ["r-1", "r-2"]
    assert acts()[-1] == ("let go on", "2 other runs were stopped since.")


@pytest.mark.parametrize(
    "values",
    [
        {"run_id": ""},
        {"run_id": "r-2", "ends_at": NOW - MINUTE},
        {"run_id": "r-1"},
    ],
)
def test_the_database_refuses_what_cannot_be(copy, values):
    stop_run(ACTOR, copy, "r-1", now=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        StoppedRun.objects.create(workflow=copy, **{"stopped_at": NOW, "ends_at": NOW + DAY} | values)
