"""Merging: another name's calls, past and to come, count under the target, exactly, while events stream in."""

import random
import threading
from datetime import timedelta
from functools import partial

import pytest
from django.db import IntegrityError, transaction

from budgets.limits.edit import BudgetValues, archive_budget, create_budget
from budgets.limits.evaluate import evaluate_due
from budgets.models import AuditEntry, Budget, BudgetState, Organisation, Team, Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.tests.made import ACTOR, at_once, holds
from budgets.workflows.claim import ignore_workflow
from budgets.workflows.edit import RefusedEdit, StaleEdit, change_workflow
from budgets.workflows.merge import merge_workflow, preview_merge, unmerge_workflow
from budgets.workflows.pause import pause_workflow
from budgets.workflows.undo import undo_change
from budgets.workflows.values import WorkflowValues
from usage.ledger.check import check_ledger
from usage.ledger.opening import open_due
from usage.models import LedgerEntry, Run
from usage.rollups.counted import Runs
from usage.rollups.days import make_days_anew
from usage.rollups.fold import fold_all
from usage.rollups.runs import count_runs
from usage.tests.events import NOW, an_event, price_the_model, take
from usage.tests.rows import usage_row
from usage.workflows.reading import Month, outcome_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def priced():
    team = Team.objects.create(slug="growth", name="Growth")
    Workflow.objects.create(slug="seo", name="SEO", team=team, default_tier=2)
    with changing_configuration():
        price_the_model()


def workflow(slug: str) -> Workflow:
    return Workflow.objects.get(slug=slug)


def calls(slug: str, count: int, start: int = 0) -> None:
    sent = [an_event(f"{slug}-{start + n}", workflow=slug, user="ada") for n in range(count)]
    assert take(sent).accepted == count


def budget(slug: str, **scope: str) -> Budget:
    return create_budget(ACTOR, BudgetValues(f"Of {slug}", 10**9, {"workflow": slug, **scope}, "calls"))


def settle() -> None:
    open_due(NOW)
    evaluate_due(now=NOW)
    fold_all()


def spent(one: Budget) -> int:
    return BudgetState.objects.get(budget=one, starts_at__lte=NOW, ends_at__gt=NOW).spent


def test_calls_and_past_of_the_alias_count_under_the_target():
    calls("seo", 5)
    calls("seo-v2", 7)
    of_seo, of_v2, narrow = budget("seo"), budget("seo-v2"), budget("seo", user="ada")
    other = create_budget(ACTOR, BudgetValues("All", 10**9, {}, "calls"))
    settle()
    assert (spent(of_seo), spent(of_v2), spent(narrow), spent(other)) == (5, 7, 5, 12)
    opened = Budget.objects.get(pk=other.pk).generation

    before = list(LedgerEntry.objects.order_by("id").values("id", "workflow_id", "team"))
    preview = preview_merge(workflow("seo-v2"), workflow("seo"))
    assert {one.pk for one in preview.recounted} == {of_seo.pk, narrow.pk}
    assert [one.pk for one in preview.emptied] == [of_v2.pk]
    merged = merge_workflow(ACTOR, workflow("seo-v2"), workflow("seo"), "same job")
    assert (merged.status, merged.merged_into.slug) == ("merged", "seo")
    calls("seo-v2", 3, start=100)
    settle()
    assert (spent(of_seo), spent(narrow), spent(other)) == (15, 15, 15)
    assert spent(of_v2) == 0
    rows = list(LedgerEntry.objects.order_by("id").values("id", "workflow_id", "team"))
    assert rows[: len(before)] == before, "the ledger is not rewritten"
    assert {(row["workflow_id"], row["team"]) for row in rows[len(before) :]} == {(workflow("seo").pk, "growth")}
    assert Budget.objects.get(pk=other.pk).generation == opened, "only budgets that name either are read anew"
    assert check_ledger() == []
    assert list(Workflow.objects.counted_as("seo").values_list("slug", flat=True)) == ["seo", "seo-v2"]
    assert not Workflow.objects.counted_as("seo-v2").exists()

    undo_change(ACTOR, workflow("seo-v2"))
    assert (workflow("seo-v2").status, workflow("seo-v2").merged_into) == ("discovered", None)
    calls("seo-v2", 2, start=200)
    settle()
    assert (spent(of_seo), spent(of_v2)) == (8, 9), "what came meanwhile stays where it was posted"
    assert check_ledger() == []
    undo_change(ACTOR, workflow("seo-v2"))
    assert workflow("seo-v2").merged_into == workflow("seo")
    entry = AuditEntry.objects.filter(act="merged").latest("id")
    assert entry.before == {"status": "discovered", "merged_into": None, "aliases": []}


def a_run(slug: str, run_id: str, outcome: str = "open", cost: int = 10, calls: int = 1, reworks: int = 0) -> None:
    Run.objects.create(
        workflow_id=workflow(slug).pk, run_id=run_id, first_call=NOW, last_call=NOW, calls=calls, cost=cost,
        outcome=outcome, reworks=reworks,
    )  # fmt: skip


def test_a_run_under_two_names_is_one_run():
    """Sent half before and half after the name changed: one run, one approval, the cost of both halves."""
    take([an_event("1", workflow="seo-v2"), an_event("2", workflow="other")])
    for slug, outcome, reworks in (("seo", "approved", 1), ("seo-v2", "approved", 0), ("other", "rejected", 0)):
        a_run(slug, "job-1", outcome, reworks=reworks)
    a_run("seo", "job-2")
    a_run("seo-v2", "job-2", "completed", cost=5)
    a_run("seo-v2", "job-3", "rejected")
    a_run("seo-v2", "gone", cost=0, calls=0)
    day = (NOW - timedelta(days=1), NOW + timedelta(days=1))
    apart = count_runs(*day)
    assert (apart.runs, apart.judged, apart.approved, apart.cost) == (6, 5, 2, 55)

    merge_workflow(ACTOR, workflow("seo-v2"), workflow("seo"))
    both = [workflow("seo").pk, workflow("seo-v2").pk]
    assert count_runs(*day) == Runs(
        runs=4, cost=55, judged=4, judged_cost=55, reviewed=3, approved=1, reworked=1, completed=2, rejected=2
    )  # fmt: skip
    assert count_runs(*day, both) == Runs(
        runs=3, cost=45, judged=3, judged_cost=45, reviewed=2, approved=1, reworked=1, completed=2, rejected=1
    )  # fmt: skip
    for slug, cost in (("seo", 20), ("seo-v2", 25), ("other", 10)):
        usage_row(NOW, cost, workflow_id=workflow(slug).pk, cost_in_runs=cost).save()
    make_days_anew("UTC")
    month = Month.of(Organisation.get(), NOW)
    assert outcome_of(workflow("seo"), month) == (1, 45)


def test_aliases_are_flattened_and_come_back():
    for slug in ("a", "b", "c"):
        calls(slug, 1)
        Workflow.objects.filter(slug=slug).update(status="draft")
    merge_workflow(ACTOR, workflow("a"), workflow("b"))
    merge_workflow(ACTOR, workflow("b"), workflow("c"))
    assert workflow("a").merged_into == workflow("b").merged_into == workflow("c")
    with pytest.raises(RefusedEdit, match="itself merged into c"):
        merge_workflow(ACTOR, workflow("c"), workflow("a"))
    with pytest.raises(RefusedEdit, match="merged into c already"):
        merge_workflow(ACTOR, workflow("a"), workflow("c"))
    of_c = budget("c")
    calls("a", 1, start=10)
    settle()
    assert spent(of_c) == 4
    unmerge_workflow(ACTOR, workflow("b"))
    assert workflow("a").merged_into == workflow("b") and workflow("b").status == "draft"
    settle()
    assert spent(of_c) == 2  # its own, and the one that came in the meantime
    unmerge_workflow(ACTOR, workflow("a"))
    with pytest.raises(RefusedEdit, match="not merged"):
        unmerge_workflow(ACTOR, workflow("a"))
    settle()
    assert check_ledger() == []


def test_what_was_since_merged_elsewhere_by_itself_stays_there():
    for slug in ("a", "b", "c"):
        calls(slug, 1)
        Workflow.objects.filter(slug=slug).update(status="draft")
    merge_workflow(ACTOR, workflow("a"), workflow("b"))
    merge_workflow(ACTOR, workflow("b"), workflow("c"))  # takes a along
    unmerge_workflow(ACTOR, workflow("a"))
    merge_workflow(ACTOR, workflow("a"), workflow("c"), "it belongs here")
    unmerge_workflow(ACTOR, workflow("b"))
    assert workflow("b").merged_into is None
    assert workflow("a").merged_into == workflow("c")
    assert AuditEntry.objects.order_by("position").last().after["aliases"] == []
    settle()
    assert check_ledger() == []


@pytest.mark.parametrize(
    ("prepare", "alias", "target", "says"),
    [
        (None, "seo", "seo", "same one"),
        (None, "unassigned", "seo", "without a workflow"),
        (None, "seo", "stray", "Claim it first"),
        ("pause", "stray", "seo", "Resume it first"),
    ],
)
def test_what_cannot_be_merged_says_why(prepare, alias, target, says):
    Workflow.objects.get_or_create(slug="unassigned", defaults={"name": "None", "status": "reserved"})
    Workflow.objects.create(slug="stray", name="stray", status="discovered")
    if prepare:
        pause_workflow(ACTOR, workflow(alias))
    with pytest.raises(RefusedEdit, match=says):
        merge_workflow(ACTOR, workflow(alias), workflow(target))
    with pytest.raises(RefusedEdit, match=says):
        preview_merge(workflow(alias), workflow(target))


def test_a_merged_one_is_changed_claimed_and_paused_through_the_other():
    calls("stray", 1)
    stale = workflow("stray").edit_version
    merge_workflow(ACTOR, workflow("stray"), workflow("seo"))
    for act in (pause_workflow, ignore_workflow):
        with pytest.raises(RefusedEdit, match="SEO"):
            act(ACTOR, workflow("stray"))
    with pytest.raises(RefusedEdit):
        change_workflow(ACTOR, workflow("stray"), WorkflowValues(name="x"))
    with pytest.raises(StaleEdit):
        unmerge_workflow(ACTOR, workflow("stray"), expected_version=stale)


def test_an_archived_budget_keeps_its_past():
    calls("stray", 4)
    gone = budget("stray")
    settle()
    archive_budget(ACTOR, gone)
    merge_workflow(ACTOR, workflow("stray"), workflow("seo"))
    assert spent(gone) == 4


def test_merging_while_four_writers_post_misses_and_doubles_nothing():
    """Writers, an opener and an evaluator run while a workflow is merged, taken apart and merged again."""
    calls("stray", 20)
    of_seo, of_stray = budget("seo"), budget("stray")
    done, writers = threading.Semaphore(0), 4

    def write(seed: int) -> None:
        chance = random.Random(seed)
        for n in range(12):
            sent = [
                an_event(f"{seed}-{n}-{i}", workflow=chance.choice(["seo", "stray", "other"]), attempt=1)
                for i in range(12)
            ]
            assert take(sent).accepted == 12
        done.release()

    def until_written(act) -> None:
        while done._value < writers:
            act()

    def merge_and_part() -> None:
        for _ in range(6):
            merge_workflow(ACTOR, workflow("stray"), workflow("seo"))
            unmerge_workflow(ACTOR, workflow("stray"))
        merge_workflow(ACTOR, workflow("stray"), workflow("seo"))

    at_once(
        *[partial(write, seed) for seed in range(writers)],
        partial(until_written, lambda: open_due(NOW)),
        partial(until_written, lambda: evaluate_due(now=NOW)),
        merge_and_part,
    )
    settle()
    assert check_ledger() == []
    total = LedgerEntry.objects.count()
    assert total == 20 + 4 * 12 * 12
    elsewhere = LedgerEntry.objects.filter(workflow_id=workflow("other").pk).count()
    assert spent(of_seo) == total - elsewhere and spent(of_stray) == 0
    holds(of_seo)
    unmerge_workflow(ACTOR, workflow("stray"))
    settle()
    own = LedgerEntry.objects.filter(workflow_id=workflow("stray").pk).count()
    assert spent(of_stray) == own and spent(of_seo) == total - elsewhere - own
    assert check_ledger() == []


def test_two_merges_that_would_make_a_circle_leave_one():
    for slug in ("a", "b"):
        Workflow.objects.create(slug=slug, name=slug, status="draft")

    def merge(one: str, into: str) -> bool:
        try:
            merge_workflow(ACTOR, workflow(one), workflow(into))
        except RefusedEdit:
            return False
        return True

    assert sorted(at_once(partial(merge, "a", "b"), partial(merge, "b", "a"))) == [False, True]
    assert Workflow.objects.filter(status="merged").count() == 1


def test_the_database_itself_refuses_chains():
    for slug in ("a", "b"):
        Workflow.objects.create(slug=slug, name=slug, status="draft")
    merge_workflow(ACTOR, workflow("a"), workflow("b"))
    with pytest.raises(IntegrityError, match="merged itself"), transaction.atomic():
        Workflow.objects.filter(slug="b").update(status="merged", merged_into=workflow("seo"))
    with pytest.raises(IntegrityError, match="merged itself"), transaction.atomic():
        Workflow.objects.create(slug="c", name="c", status="merged", merged_into=workflow("a"))
    with pytest.raises(IntegrityError), transaction.atomic():
        Workflow.objects.filter(slug="seo").update(status="merged")
