"""Pools: children never have more than the pool, by words and by the database, whoever changes what at once."""

import threading
from dataclasses import replace
from decimal import Decimal
from functools import partial

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from budgets.limits.edit import (
    InvalidBudget,
    RefusedEdit,
    archive_budget,
    change_budget,
    last_change,
    undo_change,
    values_of,
)
from budgets.models import AuditEntry, Budget, Organisation
from budgets.pages.detail import history
from budgets.pools.membership import join_pool, leave_pool, set_shares, set_sharing
from budgets.pools.reallocate import Previewed, StalePreview, share_out
from budgets.pools.within import told_in_words
from budgets.tests.made import ACTOR, a_budget, at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pool():
    return set_sharing(ACTOR, a_budget(1000, "Marketing", metric="tokens"), "demand")


def a_child(pool, name, amount, **more):
    return join_pool(ACTOR, pool, a_budget(amount, name, **({"metric": "tokens"} | more)))


def raised(budget, amount):
    return change_budget(ACTOR, budget, replace(values_of(budget), amount=amount))


def previewed(pool, amounts):
    pool.refresh_from_db()
    versions = dict(Budget.objects.filter(pool=pool).exclude(status="archived").values_list("pk", "edit_version"))
    return Previewed(pool.edit_version, {one.pk: amount for one, amount in amounts.items()}, versions)


def test_the_history_says_in_words_what_became_of_a_pool():
    pool = set_sharing(ACTOR, a_budget(1000, "Marketing", metric="tokens"), "fixed", shares_nightly=True)
    child = join_pool(ACTOR, pool, a_budget(400, "One", metric="tokens"), Decimal("0.25"))
    set_shares(ACTOR, pool, {child.pk: Decimal("0.4")})
    set_sharing(ACTOR, pool, "demand")
    leave_pool(ACTOR, child)
    organisation, now = Organisation.get(), timezone.now()
    told = [one["changes"] for one in history(pool, organisation, now)]
    assert told[0] == [
        ("shared out", "By fixed share", "By value weight and recent use"), ("shared out each night", "yes", "no"),
    ]  # fmt: skip
    assert told[1] == [("shares", f"{child.slug} 25%", f"{child.slug} 40%")]
    assert told[2] == [("shared out", "none", "By fixed share"), ("shared out each night", "no", "yes")]
    told = [one["changes"] for one in history(child, organisation, now)]
    assert told[0] == [("pool", pool.slug, "none"), ("share of the pool", "40%", "none")]
    assert told[1] == [("pool", "none", pool.slug), ("share of the pool", "none", "25%")]


def test_a_child_is_not_raised_beyond_its_pool(pool):
    one = a_child(pool, "One", 400)
    a_child(pool, "Two", 500)
    with pytest.raises(InvalidBudget) as refused:
        raised(one, 501)
    assert "of its 1,000 tokens only 500 tokens is left for this budget" in refused.value.problems["amount"]
    assert raised(one, 500).amount == 500
    with pytest.raises(InvalidBudget) as refused:
        raised(pool, 999)
    assert "2 budgets share this pool and have 1,000 tokens in all" in refused.value.problems["amount"]
    assert raised(pool, 1200).amount == 1200


def test_what_does_not_fit_does_not_join(pool):
    a_child(pool, "One", 900)
    late = a_budget(200, "Two", metric="tokens")
    with pytest.raises(InvalidBudget, match="only 100 tokens is left"):
        join_pool(ACTOR, pool, late)
    with pytest.raises(InvalidBudget, match="Both must be the same"):
        join_pool(ACTOR, pool, a_budget(1, "Weekly", metric="tokens", period="week"))
    with pytest.raises(InvalidBudget, match="part of itself"):
        join_pool(ACTOR, pool, pool)
    with pytest.raises(RefusedEdit, match="is no pool"):
        join_pool(ACTOR, late, a_budget(1, "Other", metric="tokens"))
    other = set_sharing(ACTOR, a_budget(10, "Other pool", metric="tokens"), "fixed")
    with pytest.raises(InvalidBudget, match="itself a pool"):
        join_pool(ACTOR, pool, other)
    with pytest.raises(InvalidBudget, match="in another pool"):
        join_pool(ACTOR, other, Budget.objects.get(name="One"))


def test_a_child_keeps_its_pools_time(pool):
    one = a_child(pool, "One", 400)
    with pytest.raises(InvalidBudget) as refused:
        change_budget(ACTOR, one, replace(values_of(one), period="week"))
    assert "Take it out of the pool first" in refused.value.problems["period"]
    with pytest.raises(InvalidBudget) as refused:
        change_budget(ACTOR, pool, replace(values_of(pool), period="week"))
    assert "Take them out of it first" in refused.value.problems["period"]


def test_a_pool_with_children_is_neither_archived_nor_unmade(pool):
    one = a_child(pool, "One", 400)
    with pytest.raises((RefusedEdit, InvalidBudget), match="1 budget shares this pool"):
        archive_budget(ACTOR, pool)
    with pytest.raises(RefusedEdit, match="Budgets still share"):
        set_sharing(ACTOR, pool, "")
    archive_budget(ACTOR, one)
    a_child(pool, "Two", 1000)
    with pytest.raises((RefusedEdit, InvalidBudget), match="all of its 1,000 tokens is given out"):
        undo_change(ACTOR, Budget.objects.get(pk=one.pk))  # out of the archive, into a pool that is full


def test_shares_come_to_at_most_all_of_it(pool):
    one, two = a_child(pool, "One", 400), a_child(pool, "Two", 500)
    set_shares(ACTOR, pool, {one.pk: Decimal("0.6"), two.pk: Decimal("0.4")})
    with pytest.raises(InvalidBudget, match=r"come to 100\.01 percent"):
        set_shares(ACTOR, pool, {one.pk: Decimal("0.6001")})
    with pytest.raises(InvalidBudget, match="0 to 100 percent"):
        set_shares(ACTOR, pool, {one.pk: Decimal("1.5")})
    undo_change(ACTOR, Budget.objects.get(pk=pool.pk))
    assert set(Budget.objects.filter(pool=pool).values_list("pool_share", flat=True)) == {None}


def test_every_change_of_a_pool_is_undone(pool):
    one = a_child(pool, "One", 400)
    assert last_change(one).act == "pooled"
    undo_change(ACTOR, one)
    assert Budget.objects.get(pk=one.pk).pool is None
    join_pool(ACTOR, pool, one, Decimal("0.25"))
    leave_pool(ACTOR, one)
    undo_change(ACTOR, one)
    one.refresh_from_db()
    assert (one.pool, one.pool_share) == (pool, Decimal("0.2500"))
    leave_pool(ACTOR, one)
    set_sharing(ACTOR, pool, "fixed", True)
    undo_change(ACTOR, pool)
    pool.refresh_from_db()
    assert (pool.sharing, pool.shares_nightly) == ("demand", False)


def test_sharing_out_and_its_undo(pool):
    one, two, three = a_child(pool, "One", 400), a_child(pool, "Two", 500), a_child(pool, "Three", 100)
    version = Budget.objects.get(pk=one.pk).limit_version
    entry = share_out(ACTOR, pool, previewed(pool, {one: 700, two: 200, three: 100}), "Quarter end")
    assert {row.name: row.amount for row in Budget.objects.filter(pool=pool)} == {"One": 700, "Two": 200, "Three": 100}
    assert Budget.objects.get(pk=one.pk).limit_version == version + 1
    rows = AuditEntry.objects.filter(pk__gt=entry.pk - 3).order_by("pk").values_list("object_name", "act")
    assert list(rows) == [("One", "changed"), ("Two", "changed"), ("Marketing", "shared out")]
    undo_change(ACTOR, pool, entry)
    assert {row.name: row.amount for row in Budget.objects.filter(pool=pool)} == {"One": 400, "Two": 500, "Three": 100}


def test_sharing_out_is_not_undone_over_a_later_change(pool):
    one, two = a_child(pool, "One", 400), a_child(pool, "Two", 500)
    share_out(ACTOR, pool, previewed(pool, {one: 500, two: 300}))
    raised(one, 600)
    with pytest.raises(RefusedEdit, match="was changed or taken out since"):
        undo_change(ACTOR, pool)


def test_a_stale_preview_is_refused(pool):
    one, two = a_child(pool, "One", 400), a_child(pool, "Two", 500)
    seen = previewed(pool, {one: 500, two: 300})
    raised(two, 450)
    with pytest.raises(StalePreview):
        share_out(ACTOR, pool, seen)
    seen = previewed(pool, {one: 500, two: 300})
    a_child(pool, "Three", 50)
    with pytest.raises(StalePreview):
        share_out(ACTOR, pool, seen)
    with pytest.raises(InvalidBudget, match="more than the pool has"):
        share_out(ACTOR, pool, previewed(pool, {one: 900, two: 300}))
    assert sorted(Budget.objects.filter(pool=pool).values_list("amount", flat=True)) == [50, 400, 450]


def test_of_two_editors_who_raise_two_children_at_once_one_wins(pool):
    for round_ in range(5):
        one, two = a_child(pool, f"One {round_}", 100), a_child(pool, f"Two {round_}", 100)
        refused = []

        def raise_it(budget, refused=refused):
            try:
                raised(budget, 700)
            except InvalidBudget as error:
                refused.append(error.problems["amount"])

        at_once(partial(raise_it, one), partial(raise_it, two))
        assert len(refused) == 1
        assert "does not fit into the pool" in refused[0]
        for budget in (one, two):
            leave_pool(ACTOR, budget)


def test_the_database_itself_lets_only_one_of_two_win(pool):
    """Without the configuration lock and its sentences: both change, both commit; the trigger brings them in order."""
    one, two = a_child(pool, "One", 100), a_child(pool, "Two", 100)
    both, refused = threading.Barrier(2), []

    def raise_it(budget):
        try:
            with transaction.atomic():
                Budget.objects.filter(pk=budget.pk).update(amount=700)
                both.wait(30)
        except IntegrityError as error:
            refused.append(error.__cause__.diag)

    at_once(partial(raise_it, one), partial(raise_it, two))
    assert [(said.sqlstate, said.constraint_name) for said in refused] == [("23514", "budget_pool_amounts")]
    assert "would have more than the pool" in refused[0].message_primary
    assert sorted(Budget.objects.filter(pool=pool).values_list("amount", flat=True)) == [100, 700]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE budgets_budget SET amount = 300 WHERE name = 'Marketing'",
        "UPDATE budgets_budget SET status = 'archived' WHERE name = 'Marketing'",
        "UPDATE budgets_budget SET sharing = '' WHERE name = 'Marketing'",
        "UPDATE budgets_budget SET period = 'week' WHERE name = 'Marketing'",
        "UPDATE budgets_budget SET metric = 'calls' WHERE name = 'One'",
        "UPDATE budgets_budget SET pool_share = 0.7 WHERE pool_id IS NOT NULL",
    ],
)
def test_the_database_holds_every_rule_of_pools(pool, statement):
    a_child(pool, "One", 400)
    a_child(pool, "Two", 100)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_the_database_lets_a_transaction_pass_through_what_it_would_refuse(pool):
    a_child(pool, "One", 400)
    a_child(pool, "Two", 600)
    with transaction.atomic():
        Budget.objects.filter(name="One").update(amount=700)
        Budget.objects.filter(name="Two").update(amount=300)
    archived = Budget.objects.filter(name="One")
    archived.update(status="archived")
    Budget.objects.filter(name="Two").update(amount=1000)


def test_what_slips_past_the_sentences_is_told_in_words(pool):
    """As where a writer outside TokenOps changed a sibling between the check and the commit."""
    one = a_child(pool, "One", 400)
    with pytest.raises(Exception, match="Somebody changed another budget of the same pool"), told_in_words():
        Budget.objects.filter(pk=one.pk).update(amount=5_000)
