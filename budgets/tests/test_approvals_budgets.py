"""A bigger budget, approved and undone: through the budget's own edits, with all that these refuse."""

from dataclasses import replace
from decimal import Decimal

import pytest

from budgets.approvals.decide import CannotApply, approve, decline, undo
from budgets.approvals.facts import Asked, Facts
from budgets.approvals.open import open_request
from budgets.limits.edit import archive_budget, change_budget, restore_budget, values_of
from budgets.models import ApprovalRequest, ApprovalVote, AuditEntry, Budget
from budgets.pools.membership import join_pool, set_sharing
from budgets.tests.asking import NOW, a_person, an_approver, by, dollars, told
from budgets.tests.made import ACTOR, a_budget

pytestmark = pytest.mark.django_db


@pytest.fixture
def budget():
    return a_budget(dollars(5000))


@pytest.fixture
def kim():
    return a_person("Kim", "budget_owner")


@pytest.fixture
def lena():
    return an_approver("Lena")


def bigger(kim, amount=5400, slug="briefs"):
    asked = Asked("budget", "The launch.", budget=slug, amount=dollars(amount))
    return open_request(by(kim), asked, Facts(), NOW)


def amount_of(budget):
    return Budget.objects.get(pk=budget.pk).amount


def state_of(request):
    return ApprovalRequest.objects.get(pk=request.pk).state


def test_approving_raises_it_and_its_history_says_why(budget, kim, lena):
    request = bigger(kim)
    done = approve(by(lena, "slack"), request.pk, "Launch week", NOW)
    assert amount_of(budget) == dollars(5400)
    assert done.said == "The budget has $5,400 from now on."
    entry = AuditEntry.objects.filter(object_type="budgets.budget").latest("position")
    assert (entry.act, entry.who, entry.origin) == ("changed", lena, "slack")
    assert entry.reason == f"Approved request {request.pk}: Launch week"
    assert (entry.before["amount"], entry.after["amount"]) == (dollars(5000), dollars(5400))


def test_undoing_restores_the_version_before(budget, kim, lena):
    request = bigger(kim)
    approve(by(lena), request.pk, now=NOW)
    done = undo(by(lena), request.pk, "Too soon", NOW)
    assert done.said == "The budget has $5,000 again. What was spent stays spent."
    assert amount_of(budget) == dollars(5000)
    assert state_of(request) == "undone"
    entry = AuditEntry.objects.filter(object_type="budgets.budget").latest("position")
    assert (entry.act, entry.who, entry.reason) == ("changed", lena, "Undo of “changed” by lena")


def test_undoing_is_refused_where_the_budget_was_changed_since(budget, kim, lena):
    request = bigger(kim)
    approve(by(lena), request.pk, now=NOW)
    before = told(request)
    budget.refresh_from_db()
    change_budget(ACTOR, budget, replace(values_of(budget), name="Briefs and more"))
    with pytest.raises(CannotApply, match="Somebody changed this budget since it was approved"):
        undo(by(lena), request.pk, now=NOW)
    assert (state_of(request), amount_of(budget)) == ("approved", dollars(5400))
    assert told(request) == before


def test_a_raise_that_breaks_its_pool_is_refused_in_words(budget, kim, lena):
    pool = a_budget(dollars(8000), name="Marketing")
    other = a_budget(dollars(2800), name="Ads")
    set_sharing(ACTOR, pool, Budget.Sharing.FIXED)
    for child in (budget, other):
        join_pool(ACTOR, pool, child, Decimal("0.1"))
    request = bigger(kim)
    with pytest.raises(CannotApply, match=r"\$5,400\.00 does not fit into the pool “Marketing”: .* only \$5,200\.00"):
        approve(by(lena), request.pk, now=NOW)
    assert (state_of(request), amount_of(budget)) == ("waiting", dollars(5000))
    assert ApprovalVote.objects.count() == 0
    other.refresh_from_db()
    change_budget(ACTOR, other, replace(values_of(other), amount=dollars(2600)))
    approve(by(lena), request.pk, now=NOW)
    assert amount_of(budget) == dollars(5400)


def test_an_archived_budget_is_not_raised(budget, kim, lena):
    request = bigger(kim)
    archive_budget(ACTOR, budget)
    with pytest.raises(CannotApply, match="archived"):
        approve(by(lena), request.pk, now=NOW)
    restore_budget(ACTOR, budget)
    approve(by(lena), request.pk, now=NOW)
    assert amount_of(budget) == dollars(5400)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"amount": dollars(5400)}, r"has \$5,400 by now, so there is nothing to raise"),
        ({"amount": dollars(4000)}, r"was lowered to \$4,000 since"),
        ({"period": "day"}, "or its period, was changed since"),
        ({"metric": "tokens"}, "counts, or its period, was changed since"),
    ],
)
def test_what_was_asked_must_still_mean_the_same(budget, kim, lena, values, said):
    request = bigger(kim)
    budget.refresh_from_db()
    change_budget(ACTOR, budget, replace(values_of(budget), **values))
    now_has = amount_of(budget)
    with pytest.raises(CannotApply, match=said):
        approve(by(lena), request.pk, now=NOW)
    assert (state_of(request), amount_of(budget)) == ("waiting", now_has)
    decline(by(lena), request.pk, "It changed", NOW)


def test_raised_meanwhile_but_by_less_is_raised_the_rest(budget, kim, lena):
    request = bigger(kim)
    budget.refresh_from_db()
    change_budget(ACTOR, budget, replace(values_of(budget), amount=dollars(5100), name="Renamed"))
    approve(by(lena), request.pk, now=NOW)
    undo(by(lena), request.pk, now=NOW)
    budget.refresh_from_db()
    assert (budget.amount, budget.name) == (dollars(5100), "Renamed")


def test_a_bigger_budget_takes_no_other_limit(budget, kim, lena):
    with pytest.raises(CannotApply, match="Leave the limit empty"):
        approve(by(lena), bigger(kim).pk, now=NOW, ceiling=1)
    assert amount_of(budget) == dollars(5000)
