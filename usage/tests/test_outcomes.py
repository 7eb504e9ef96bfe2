"""Outcomes on PostgreSQL: late, before their run, of closed months, of merged workflows, at once, killed, rebuilt."""

import threading
from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import connection

from budgets.models import Organisation, Team, Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.tests.made import ACTOR
from budgets.workflows.merge import merge_workflow
from usage.ledger.check import check_ledger
from usage.models import OutcomeMessage, Run, RunPosting
from usage.outcomes.apply import apply_outcomes, wake_waiting
from usage.outcomes.change import bring_back, take_back
from usage.rollups.counted import Runs
from usage.rollups.fold import fold_all
from usage.rollups.rebuild import rebuild_rollups
from usage.rollups.runs import assets_of, count_runs, runs_by_workflow, spent_in_runs
from usage.tasks import fold as fold_in_a_worker
from usage.tests.events import NOW, a_sender, an_event, price_the_model, take
from usage.tests.telling import DAY, HOUR, call, run, tell

pytestmark = pytest.mark.django_db(transaction=True)
OCTOBER = (datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
NOVEMBER = (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
ALL = (OCTOBER[0], NOVEMBER[1])
CALL_COST = 3_000_000  # nano-dollars of `an_event`


@pytest.fixture(autouse=True)
def priced():
    team = Team.objects.create(slug="growth", name="Growth")
    with changing_configuration():
        price_the_model()
        Workflow.objects.create(slug="seo", name="SEO", team=team, status="production")


def close(before: date | None = date(2026, 11, 1)) -> None:
    with changing_configuration():
        Organisation.objects.update(closed_before=before)


def added(one: Runs, other: Runs) -> Runs:
    return Runs(**{field.name: getattr(one, field.name) + getattr(other, field.name) for field in fields(Runs)})


def test_every_field_reaches_the_run_and_its_sums():
    call("1", "r", NOW - HOUR)
    said = {"reviewer": "ann", "review_minutes": 4.5, "satisfaction": "4.25", "misrouted": True, "asset": "cms/1",
            "revenue_usd": "120.000000001", "minutes_saved": "90", "cases": 3}  # fmt: skip
    assert tell("r", "approved", **said).accepted == 1
    found = run("r")
    assert (found.outcome, found.reviewer, found.review_minutes, found.satisfaction, found.scored) == (
        "approved", "ann", Decimal("4.5"), Decimal("4.25"), 1,
    )  # fmt: skip
    assert (found.misrouted, found.asset, found.revenue, found.minutes_saved, found.cases, found.reviews) == (
        True, "cms/1", 120_000_000_001, Decimal(90), 3, 1,
    )  # fmt: skip
    assert count_runs(*NOVEMBER) == Runs(
        runs=1, cost=CALL_COST, judged=1, judged_cost=CALL_COST, completed=1, approved=1, reviewed=1, misrouted=1,
        routed=1, reviews=1, review_minutes=Decimal("4.5"), timed=1, scored=1, satisfaction=Decimal("4.25"),
        revenue=120_000_000_001, minutes_saved=Decimal(90), cases=3,
    )  # fmt: skip
    assert not RunPosting.objects.exists()
    assert check_ledger() == []


def test_an_outcome_may_come_before_its_run():
    assert tell("early", "shipped", now=NOW - DAY).accepted == 1
    assert OutcomeMessage.objects.get().state == "waiting"
    call("other", "else")
    apply_outcomes()
    assert OutcomeMessage.objects.get().state == "waiting"
    call("1", "early", NOW)
    apply_outcomes()
    assert (OutcomeMessage.objects.get().state, run("early").outcome) == ("applied", "shipped")
    assert count_runs(*NOVEMBER).shipped == 1
    assert check_ledger() == []


def test_a_late_message_with_an_earlier_decision_does_not_overrule():
    call("1", "r")
    tell("r", "approved", now=NOW)
    tell("r", "reworked", now=NOW + HOUR, time=(NOW - HOUR).isoformat())
    assert (run("r").outcome, run("r").reworks) == ("approved", 1)
    assert count_runs(*NOVEMBER).reworked == 1


def late_changes() -> None:
    """All that can still happen to runs of October once it is closed."""
    tell("done", "rejected", reviewer="bob", review_minutes=2, now=NOW)
    tell("open", "approved", reviewer="ann", revenue_usd="5", satisfaction=5, now=NOW)
    tell("open", "shipped", now=NOW + HOUR)
    call("late", "open", NOW - 25 * DAY, input_tokens=5_000)
    call("gone-2", "spanning", NOW - 25 * DAY)


def test_a_closed_month_never_changes_and_what_comes_later_counts_when_it_comes():
    october = datetime(2026, 10, 20, 9, tzinfo=UTC)
    for run_id in ("done", "open", "spanning"):
        call(f"{run_id}-1", run_id, october, now=october)
    tell("done", "approved", reviewer="ann", review_minutes=3, now=october)
    call("spanning-2", "spanning", NOVEMBER[0] + HOUR, now=NOVEMBER[0] + HOUR)
    before, all_before = count_runs(*OCTOBER), count_runs(*ALL)
    assert (before.runs, before.approved, count_runs(*NOVEMBER).runs) == (2, 1, 1)
    close()
    late_changes()
    assert count_runs(*OCTOBER) == before, "to the last field"
    assert (run("open").outcome, run("open").calls, run("done").outcome) == ("shipped", 2, "rejected")
    later = count_runs(*NOVEMBER)
    assert (later.approved, later.shipped, later.rejected, later.judged, later.runs) == (0, 1, 1, 1, 1)
    assert (later.reviews, later.review_minutes, later.revenue, later.scored) == (2, Decimal(2), 5_000_000_000, 1)
    assert (before.shipped_revenue, later.shipped_revenue, later.timed) == (0, 5_000_000_000, 1)
    assert added(before, later) == count_runs(*ALL), "nothing is counted twice or lost"
    assert count_runs(*ALL).cost == sum(Run.objects.values_list("cost", flat=True)) > all_before.cost
    assert spent_in_runs(*OCTOBER) == {run("open").workflow_id: 3 * CALL_COST}
    assert check_ledger() == []

    close(date(2026, 11, 18))  # the same again, one close later
    november = count_runs(NOVEMBER[0], datetime(2026, 11, 18, tzinfo=UTC))
    tell("open", "failed", now=NOW + DAY)
    assert count_runs(*OCTOBER) == before
    assert count_runs(NOVEMBER[0], datetime(2026, 11, 18, tzinfo=UTC)) == november
    assert count_runs(NOW, NOVEMBER[1]).failed == 1
    assert count_runs(NOW + DAY, NOVEMBER[1]).shipped_revenue == -5_000_000_000, "what failed brought nothing in"
    assert check_ledger() == []

    counts = [count_runs(*window) for window in (OCTOBER, NOVEMBER)]
    rows = {one.run_id: asdict_of(one) for one in Run.objects.all()}
    rebuild_rollups()
    assert [count_runs(*window) for window in (OCTOBER, NOVEMBER)] == counts
    assert {one.run_id: asdict_of(one) for one in Run.objects.all()} == rows
    Run.objects.filter(run_id="open").delete()
    assert check_ledger() != []
    rebuild_rollups()
    assert {one.run_id: asdict_of(one) | {"id": 0} for one in Run.objects.all()} == {
        run_id: row | {"id": 0} for run_id, row in rows.items()
    }
    assert count_runs(*OCTOBER) == before
    assert check_ledger() == []


def asdict_of(one: Run) -> dict:
    return {field.attname: getattr(one, field.attname) for field in Run._meta.concrete_fields}


def test_a_run_that_ends_in_the_open_month_counts_there_and_an_open_one_follows_its_calls():
    call("1", "r", NOW - DAY)
    call("2", "r", NOW)
    assert run("r").counts_at == NOW
    assert count_runs(NOW - 2 * DAY, NOW) == Runs()
    close()
    call("3", "new", NOW - 30 * DAY)
    assert run("new").counts_at == NOW, "all of it came late: it counts when it came"
    assert count_runs(*OCTOBER) == Runs()


def test_taking_back_and_bringing_back_is_the_message_gone_and_there():
    call("1", "r")
    tell("r", "reworked", reviewer="ann", now=NOW)
    tell("r", "approved", reviewer="ann", revenue_usd="1", now=NOW + HOUR)
    with_both = asdict_of(run("r"))
    last = OutcomeMessage.objects.latest("id")
    take_back(ACTOR, last)
    assert (run("r").outcome, run("r").revenue, run("r").reworks) == ("reworked", None, 1)
    bring_back(ACTOR, last)
    assert asdict_of(run("r")) == with_both
    assert check_ledger() == []


def test_duplicated_reviews_are_marked_and_counted():
    call("1", "r")
    tell("r", "approved", reviewer="ann", now=NOW)
    tell("r", "approved", reviewer="ann", now=NOW + 3 * HOUR, review_minutes=1)
    assert list(OutcomeMessage.objects.order_by("id").values_list("is_duplicate", flat=True)) == [False, True]
    assert (run("r").duplicates, count_runs(*NOVEMBER).duplicates, count_runs(*NOVEMBER).reviews) == (1, 1, 2)
    take_back(ACTOR, OutcomeMessage.objects.earliest("id"))
    assert not OutcomeMessage.objects.filter(is_duplicate=True).exists()
    assert check_ledger() == []


def test_under_two_names_a_run_takes_its_messages_once():
    call("1", "before", workflow="seo-old")
    call("2", "both", workflow="seo-old")
    tell("both", "reworked", workflow="seo-old", reviewer="ann", now=NOW - HOUR)
    merge_workflow(ACTOR, Workflow.objects.get(slug="seo-old"), Workflow.objects.get(slug="seo"))
    call("3", "both", workflow="seo-old")
    tell("before", "approved", workflow="seo-old")
    tell("both", "approved", reviewer="ann")
    found = count_runs(*NOVEMBER)
    assert (found.runs, found.approved, found.reworked, found.reviews) == (2, 2, 1, 3)
    seo = Workflow.objects.get(slug="seo").pk
    assert runs_by_workflow(*NOVEMBER) == {seo: found}
    names = list(Workflow.objects.counted_as("seo").values_list("pk", flat=True))
    assert assets_of(*NOVEMBER, names) == {seo: (2, 3 * CALL_COST)}
    assert check_ledger() == []


def test_a_merge_may_bring_the_run_that_an_outcome_waits_for():
    call("1", "r", workflow="seo-old")
    tell("r", "approved")
    assert (OutcomeMessage.objects.get().state, wake_waiting()) == ("waiting", 0)
    merge_workflow(ACTOR, Workflow.objects.get(slug="seo-old"), Workflow.objects.get(slug="seo"))
    assert wake_waiting() == 1
    apply_outcomes()
    assert run("r").outcome == "approved"


def test_the_same_twice_counts_once_and_other_content_is_a_conflict():
    call("1", "r")
    assert tell("r", "approved", id="a").accepted == 1
    assert tell("r", "approved", id="a").duplicate == 1
    assert tell("r", "rejected", id="a").conflict == 1
    assert tell("r", "approved", id="a", sender=a_sender("other")).accepted == 1, "an id is its source's"
    assert tell("r", "shipped", now=NOW + HOUR).accepted == 1
    assert tell("r", "shipped", now=NOW + HOUR).duplicate == 1, "without an id its content tells"
    assert (run("r").outcome, run("r").reviews) == ("shipped", 2)


def test_many_at_once_for_one_run_lose_nothing():
    call("1", "r")
    sender, barrier = a_sender(), threading.Barrier(4)

    def work(n: int) -> None:
        try:
            barrier.wait()
            for i in range(5):
                tell("r", "reworked", id=f"{n}-{i}", sender=sender, review_minutes=1, now=NOW + (5 * n + i) * HOUR)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    call("2", "r")
    for thread in threads:
        thread.join()
    fold_all()
    apply_outcomes()
    assert (run("r").reworks, run("r").review_minutes, run("r").calls) == (20, Decimal(20), 2)
    assert check_ledger() == []


def test_killed_before_the_commit_nothing_was_applied_and_the_next_sweep_does_it():
    call("1", "r")

    def die(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if "UPDATE usage_run AS run" in sql:
            raise ZeroDivisionError
        return result

    with pytest.raises(ZeroDivisionError), connection.execute_wrapper(die):
        tell("r", "approved")
    assert (run("r").outcome, OutcomeMessage.objects.get().state) == ("open", "new")
    apply_outcomes()
    assert (run("r").outcome, OutcomeMessage.objects.get().state) == ("approved", "applied")


def test_withdrawn_calls_take_the_run_out_of_the_open_month_only():
    from usage.ledger.withdraw import withdraw
    from usage.models import IngestBatch

    call("1", "r", datetime(2026, 10, 20, 9, tzinfo=UTC), now=datetime(2026, 10, 20, 9, tzinfo=UTC))
    tell("r", "approved", now=datetime(2026, 10, 21, 9, tzinfo=UTC))
    before = count_runs(*OCTOBER)
    close()
    withdraw([IngestBatch.objects.get().pk], 10)
    fold_all()
    assert (run("r").calls, count_runs(*OCTOBER)) == (0, before)
    later = count_runs(datetime(2026, 11, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    assert (later.runs, later.approved, later.cost) == (-1, -1, -CALL_COST)


def test_check_ledger_notices_a_run_that_is_not_what_was_said():
    call("1", "r")
    tell("r", "approved", revenue_usd="2")
    Run.objects.update(revenue=7)
    assert [one.table for one in check_ledger()] == ["usage_runday", "usage_run"]
    rebuild_rollups()
    assert (run("r").revenue, check_ledger()) == (2_000_000_000, [])
    Run.objects.update(counts_at=NOW + DAY)
    assert any("counts_at" in one.problem for one in check_ledger())


def test_the_workers_task_folds_and_applies():
    tell("r", "approved")
    take([an_event("1", run_id="r", workflow="seo")])
    assert fold_in_a_worker() == 1
    assert (run("r").outcome, OutcomeMessage.objects.get().state) == ("approved", "applied")


def test_what_is_waiting_is_not_read_by_folding_other_runs(django_assert_num_queries):
    tell("nobody", "approved")
    take([an_event("1", run_id="r")])
    fold_all()
    with django_assert_num_queries(3):  # begin, is there anything new, commit
        apply_outcomes()
