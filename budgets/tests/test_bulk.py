"""One act on several budgets: previewed, done whole or not at all, audited one by one, undone whole."""

from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from budgets.audit.record import Actor
from budgets.limits import bulk
from budgets.limits.bulk import BulkAct, apply, by_percent, preview
from budgets.limits.edit import (
    RefusedEdit,
    StaleEdit,
    archive_budget,
    change_budget,
    pause_budget,
    restore_budget,
    values_of,
)
from budgets.models import NANO, AuditEntry, Budget, Organisation
from budgets.tests.made import ACTOR, a_budget, at_once, spend, state

pytestmark = pytest.mark.django_db
RAISE = BulkAct("change", percent=Decimal(10))


def seen(*budgets):
    """Ids and versions, as a preview has them."""
    return dict(Budget.objects.filter(pk__in=[one.pk for one in budgets]).values_list("pk", "edit_version"))


def amounts():
    return list(Budget.objects.order_by("pk").values_list("amount", flat=True))


@pytest.mark.parametrize(
    ("amount", "percent", "metric", "after"),
    [
        (1_234_560_000_000, "10", "money", 1_358_020_000_000),
        (1, "-50", "money", 10_000_000),
        (5, "-50", "calls", 3),
        (1, "-99", "tokens", 1),
        (10**17, "1000", "money", 11 * 10**17),
    ],
)
def test_amounts_are_rounded_to_what_people_write(amount, percent, metric, after):
    assert by_percent(amount, Decimal(percent), metric) == after


@given(st.integers(1, 10**18), st.decimals(Decimal("-99.9"), 1000, places=1), st.sampled_from(["money", "calls"]))
def test_an_amount_never_turns_to_nothing(amount, percent, metric):
    step = bulk.CENT if metric == "money" else 1
    after = by_percent(amount, percent, metric)
    assert after >= step and after % step == 0


@pytest.mark.parametrize(
    ("act", "count", "says"),
    [
        (BulkAct("explode"), 1, "Choose what to do"),
        (RAISE, 0, "at least one"),
        (RAISE, 501, "at most 500"),
        (BulkAct("change"), 1, "Say what to change"),
        (BulkAct("change", percent=Decimal(0)), 1, "raised by up to"),
        (BulkAct("change", percent=Decimal("NaN")), 1, "raised by up to"),
        (BulkAct("change", percent=Decimal(-100)), 1, "raised by up to"),
    ],
)
def test_an_act_that_makes_no_sense_is_refused_in_a_sentence(act, count, says):
    assert says in bulk.problem_with(act, count)
    with pytest.raises(RefusedEdit):
        apply(ACTOR, act, dict.fromkeys(range(count), 1))


def test_the_preview_says_what_changes_and_what_is_left_out_and_why():
    fine, gone, huge = a_budget(1000, "Fine", metric="calls"), a_budget(9, "Gone"), a_budget(10**18, "Huge")
    archive_budget(ACTOR, gone)
    lines = {one.budget.name: one for one in preview(RAISE, list(Budget.objects.order_by("pk")))}
    assert (lines["Fine"].before.amount, lines["Fine"].after.amount) == (1000, 1100)
    assert lines["Gone"].problem == "It is archived. Restore it first."
    assert "larger than a budget can hold" in lines["Huge"].problem and lines["Huge"].after == lines["Huge"].before
    paused = {one.budget.name: one.problem for one in preview(BulkAct("resume"), list(Budget.objects.all()))}
    assert paused == {"Fine": "It is active already.", "Gone": bulk.ARCHIVED, "Huge": "It is active already."}
    done = apply(ACTOR, RAISE, seen(fine, gone, huge), "Q4")
    assert [(one.object_name, one.reason) for one in done] == [("Fine", "Q4")]


def test_a_bulk_change_is_judged_audited_and_undone_whole():
    one, two = a_budget(100, "One", metric="calls"), a_budget(200, "Two", metric="calls")
    spend(one, 105)
    assert state(one).status == "exhausted"
    owner = get_user_model().objects.create_user("ada")
    act = BulkAct("change", Decimal(10), (70, 90), "downgrade", {"tier": 1}, owner.pk)
    before = Organisation.get().generation
    told = apply(ACTOR, act, seen(one, two), "Season")
    assert amounts() == [110, 220]
    assert state(one).status == "warning"
    assert Organisation.get().generation == before + 1
    assert [(row.act, row.reason, row.object_id) for row in told] == [
        ("changed", "Season", str(one.pk)),
        ("changed", "Season", str(two.pk)),
    ]
    changed = Budget.objects.get(pk=two.pk)
    assert (changed.thresholds, changed.on_exhausted, changed.action_settings, changed.owner) == (
        [70, 90], "downgrade", {"tier": 1}, owner,
    )  # fmt: skip
    bulk.undo(ACTOR, told[0].position, told[-1].position)
    assert amounts() == [100, 200]
    assert values_of(Budget.objects.get(pk=two.pk)) == values_of(two)
    assert AuditEntry.objects.order_by("position").last().reason == "Undo of “changed” by command test"
    with pytest.raises(StaleEdit, match="“One”"):
        bulk.undo(ACTOR, told[0].position, told[-1].position)


@pytest.mark.parametrize(("act", "status"), [("pause", "paused"), ("archive", "archived")])
def test_budgets_are_turned_together_and_back(act, status):
    budgets = [a_budget(100, f"B{n}") for n in range(3)]
    told = apply(ACTOR, BulkAct(act), seen(*budgets))
    assert set(Budget.objects.values_list("status", flat=True)) == {status}
    assert len(told) == 3
    with pytest.raises(RefusedEdit, match="nothing to do"):
        apply(ACTOR, BulkAct(act), seen(*budgets))
    bulk.undo(ACTOR, told[0].position, told[-1].position)
    assert set(Budget.objects.values_list("status", flat=True)) == {"active"}


def test_one_that_somebody_changed_meanwhile_stops_the_whole_act_and_the_whole_undo():
    one, two = a_budget(100, "One"), a_budget(200, "Two")
    versions = seen(one, two)
    change_budget(ACTOR, two, values_of(two).__class__(name="Two", amount=250))
    with pytest.raises(StaleEdit, match="“Two”"):
        apply(ACTOR, BulkAct("pause"), versions)
    assert set(Budget.objects.values_list("status", flat=True)) == {"active"}
    told = apply(ACTOR, BulkAct("pause"), seen(one, two))
    archive_budget(ACTOR, two)
    with pytest.raises(StaleEdit, match="“Two”"):
        bulk.undo(ACTOR, told[0].position, told[-1].position)
    assert Budget.objects.get(pk=one.pk).status == "paused"


def test_what_was_not_one_act_is_not_undone_as_one():
    one = a_budget(100 * NANO)
    archive_budget(ACTOR, one)
    first, last = AuditEntry.objects.order_by("position").first(), AuditEntry.objects.order_by("position").last()
    with pytest.raises(RefusedEdit, match="not one act"):
        bulk.undo(ACTOR, first.position, last.position)
    for span in ((0, 0), (last.position, last.position - 1), (1, 10**12)):
        with pytest.raises(RefusedEdit):
            bulk.undo(ACTOR, *span)


def test_two_acts_beside_each_other_are_undone_one_at_a_time():
    """Whoever names too wide a span takes nobody else's act back with their own."""
    mine, other = a_budget(100, "Mine"), a_budget(200, "Other")
    pause = BulkAct("pause")
    (first,), (last,) = apply(ACTOR, pause, seen(mine)), apply(Actor.command("somebody else"), pause, seen(other))
    assert last.position == first.position + 1
    with pytest.raises(RefusedEdit, match="not one act"):
        bulk.undo(ACTOR, first.position, last.position)
    assert set(Budget.objects.values_list("status", flat=True)) == {"paused"}
    assert [one.name for one in bulk.undo(ACTOR, last.position, last.position)] == ["Other"]
    assert Budget.objects.get(pk=mine.pk).status == "paused"


def test_single_changes_are_no_act_on_several():
    for name in ("One", "Two"):
        pause_budget(ACTOR, a_budget(100, name))
    last = AuditEntry.objects.order_by("position").last().position
    pause_budget(ACTOR, a_budget(100, "Three"))
    with pytest.raises(RefusedEdit, match="not one act"):
        bulk.undo(ACTOR, last - 2, last)


def test_an_undone_act_is_itself_one_act():
    budgets = [a_budget(100, f"B{n}") for n in range(3)]
    told = apply(ACTOR, BulkAct("pause"), seen(*budgets))
    bulk.undo(ACTOR, told[0].position, told[-1].position)
    bulk.undo(ACTOR, told[-1].position + 1, told[-1].position + 3)
    assert set(Budget.objects.values_list("status", flat=True)) == {"paused"}


def test_an_archived_budget_is_restored_as_it_was():
    budget = a_budget(100)
    apply(ACTOR, BulkAct("pause"), seen(budget))
    archive_budget(ACTOR, budget, "Done")
    restored = restore_budget(ACTOR, budget, "Again")
    assert (restored.status, restored.opened_generation < restored.generation) == ("paused", True)
    assert restore_budget(ACTOR, budget).edit_version == restored.edit_version
    last = AuditEntry.objects.order_by("position").last()
    assert (last.act, last.reason, last.after) == ("restored", "Again", {"status": "paused"})


def test_statements_do_not_grow_with_what_is_judged(django_assert_max_num_queries):
    """A row is saved and one told for each budget; judging takes the same number for all."""
    budgets = [a_budget(1000, f"B{n}", metric="calls") for n in range(10)]
    with django_assert_max_num_queries(100):
        apply(ACTOR, BulkAct("pause"), seen(*budgets))


@pytest.mark.django_db(transaction=True)
def test_two_people_at_once_never_do_half_of_it():
    Organisation.objects.get_or_create(id=1)
    budgets = [a_budget(1000, f"B{n}", metric="calls") for n in range(4)]
    versions = seen(*budgets)

    def try_it(percent):
        try:
            return len(apply(ACTOR, BulkAct("change", percent=Decimal(percent)), versions))
        except StaleEdit:
            return 0
        finally:
            connection.close()

    assert sorted(at_once(lambda: try_it(10), lambda: try_it(50))) == [0, 4]
    assert set(amounts()) in ({1100}, {1500})
