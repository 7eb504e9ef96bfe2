"""What-if worked out by hand: prices, a withdrawn model, moved traffic, volume; budgets that break; what to pause."""

import csv
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from io import StringIO

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client

from budgets.limits.edit import BudgetValues, create_budget
from budgets.limits.evaluate import evaluate_due
from budgets.models import NANO, AuditEntry, Organisation, Workflow
from budgets.tests.made import ACTOR
from reports.models import SavingsRun
from reports.savings.result import read
from reports.tests.savings_ledger import NOW, worked_out
from reports.what_if import basis as sums
from reports.what_if.basis import Basis, Group
from reports.what_if.budgets import breaks_on
from reports.what_if.pausing import Worth, choices, per_dollar
from reports.what_if.question import KEYS, Offers, Question, Which, question_of
from reports.what_if.suppose import OfWorkflow, Supposition
from usage.ledger.opening import open_due
from usage.models import Run
from usage.prices.price import price_from
from usage.rollups.days import make_days_anew

WHEN = datetime(2026, 11, 18, tzinfo=UTC)
OLD, NEW, LONG = ("acme", "old"), ("bolt", "new"), ("bolt", "long")


class Book:
    """`old` costs 2 and 10 dollars a million tokens, `new` 1 and 4, `long` 1 and 4 and from 200,000 on the double."""

    prices = {
        OLD: price_from(1, *OLD, "standard", {"input": "2", "output": "10"}),
        NEW: price_from(2, *NEW, "standard", {"input": "1", "output": "4"}),
        LONG: price_from(
            3, *LONG, "standard",
            {"input": "1", "output": "4", "steps": [{"from_input_tokens": 200_000, "input": "2", "output": "8"}]},
        ),
    }  # fmt: skip

    def find(self, provider, model, service_tier, time):
        return self.prices.get((provider, model)) if service_tier == "standard" else None

    def canonical(self, provider, model):
        return provider, model


def group(workflow="briefs", long=0, metered=False, service_tier="standard", model=OLD, **more):
    """1,000 calls with a million tokens in and 100,000 out: $3 by `old`, $1.40 by `new`."""
    stated = {"team": "growth", "environment": "production", "tier": 2, "cost": 3 * NANO, "calls": 1000, "unknown": 0}
    stated |= {"input_tokens": 10**6, "output_tokens": 10**5, "cached_input_tokens": 0, "cache_write_tokens": 0}
    stated |= {"reasoning_tokens": 0} | more
    return Group(workflow, provider=model[0], model=model[1], service_tier=service_tier, long=long, metered=metered,
                 **stated)  # fmt: skip


def supposed(*groups, **question):
    basis = Basis([200_000], list(groups))
    return Supposition(basis, Question(**question), Book(), lambda provider, model: 1, WHEN)


def after(*groups, **question):
    return [row.after for row in supposed(*groups, **question).workflows()]


@pytest.mark.parametrize(
    ("question", "dollars"),
    [
        ({}, "3"),
        ({"price": Fraction(2)}, "6"),
        ({"price": Fraction(2), "price_of": Which("bolt")}, "3"),
        ({"price": Fraction(3, 2), "price_of": Which("acme", "old")}, "4.5"),
        ({"withdrawn": OLD, "instead": NEW}, "1.4"),
        ({"withdrawn": NEW, "instead": OLD}, "3"),
        ({"move": Fraction(1, 4), "move_to": NEW}, "2.6"),
        ({"move": Fraction(1, 4), "move_to": NEW, "move_from": Which("bolt")}, "3"),
        ({"move": Fraction(1), "move_to": NEW, "move_from": Which("acme")}, "1.4"),
        ({"volume": Fraction(10)}, "30"),
        ({"volume": Fraction(10), "volume_of": "other"}, "3"),
        ({"paused": frozenset({"briefs"})}, "0"),
        # 10 x calls, the model gone, half of the new one's traffic back to the old one, whose prices double.
        (
            {"volume": Fraction(10), "withdrawn": OLD, "instead": NEW, "move": Fraction(1, 2), "move_to": OLD,
             "price": Fraction(2), "price_of": Which("acme")},
            "37",
        ),
    ],
)  # fmt: skip
def test_by_hand(question, dollars):
    assert after(group(), **question) == [Decimal(dollars) * NANO]


def test_steps_follow_the_length_of_the_calls_not_of_their_sum():
    assert after(group(), withdrawn=OLD, instead=LONG) == [Decimal("1.4") * NANO]
    assert after(group(long=1), withdrawn=OLD, instead=LONG) == [Decimal("2.8") * NANO]


def test_what_was_paid_changes_in_the_proportion_of_the_prices():
    """A discount of a third: 2 dollars were paid where the book says 3."""
    assert after(group(cost=2 * NANO), withdrawn=OLD, instead=NEW) == [round(Fraction(2 * 14, 30) * NANO)]


@pytest.mark.parametrize("stays", [{"metered": True}, {"service_tier": "batch"}])
def test_what_has_no_price_there_stays_and_is_said(stays):
    (row,) = supposed(group(**stays), withdrawn=OLD, instead=NEW).workflows()
    assert (row.after, row.stays) == (3 * NANO, 1000)


def test_a_call_that_stays_is_counted_once_and_one_that_moves_not_at_all():
    """The withdrawn model's place cannot be taken by one without a price; half of its calls go elsewhere."""
    gone = {"withdrawn": OLD, "instead": ("bolt", "unpriced")}
    (row,) = supposed(group(), **gone, move=Fraction(1, 2), move_to=NEW).workflows()
    assert (row.after, row.stays) == (Decimal("2.2") * NANO, 1000)
    (row,) = supposed(group(), **gone, move=Fraction(1), move_to=NEW).workflows()
    assert (row.after, row.stays) == (Decimal("1.4") * NANO, 0)


def test_budgets_cover_calls_by_the_model_that_would_serve_them():
    one = supposed(group(), withdrawn=OLD, instead=NEW)
    cheap = round(Decimal("1.4") * NANO)
    assert one.covered({}) == (3 * NANO, cheap)
    assert one.covered({"model": "old"}) == (3 * NANO, 0)
    assert one.covered({"provider": "bolt", "team": "growth"}) == (0, cheap)
    assert (one.covered({"tier": "1"}), one.covered({"tier": "2"})) == ((0, cheap), (3 * NANO, 0))
    assert one.covered({"workflow": "seo"}) == (0, 0)
    assert one.covered({"environment": "production"}) == (3 * NANO, cheap)
    assert one.covered({"environment": "staging", "team": "growth"}) == (0, 0)


@pytest.mark.parametrize(
    ("limit", "month", "day"),
    [
        (30, 30, None),  # exactly used up is not over
        (30, 31, date(2026, 11, 30)),
        (30, 60, date(2026, 11, 16)),
        (30, 9_000, date(2026, 11, 1)),
        (0, 1, date(2026, 11, 1)),
        (0, 0, None),
    ],
)
def test_the_day_on_which_a_budget_breaks(limit, month, day):
    assert breaks_on(limit * NANO, month * NANO, date(2026, 11, 1), 30) == day


def test_what_to_pause_first():
    rows = [OfWorkflow(slug, 1, 0, cost * NANO, 0, False) for slug, cost in (("a", 10), ("b", 20), ("c", 5), ("d", 1))]
    worths = {"a": Worth(Decimal(2), 5), "b": Worth(Decimal(1), 40), "c": Worth(Decimal(5)), "d": Worth(Decimal(1))}
    found = choices(rows, worths, 36 * NANO, 20 * NANO)
    assert [(one.row.slug, one.per_dollar, one.left // NANO, one.suggested) for one in found] == [
        ("d", None, 35, True),
        ("c", None, 30, True),
        ("a", Decimal("1.00"), 20, True),
        ("b", Decimal("2.00"), 0, False),
    ]
    assert not any(one.suggested for one in choices(rows, worths, 36 * NANO, None))
    assert per_dollar(rows[0], Worth()) is None
    grown = OfWorkflow("a", 1, 10 * NANO, 100 * NANO, 0, False)
    worth = Worth(Decimal(2), 5, Fraction(10))
    assert per_dollar(grown, worth) == per_dollar(rows[0], worths["a"]), "ten times the runs bring ten times as much"


OFFERS = Offers(["acme"], [OLD], [OLD, NEW], {"briefs"})


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"price": "twice"}, "write a number from 0"),
        ({"price": "-1"}, "write a number from 0"),
        ({"price": "NaN"}, "write a number from 0"),
        ({"price": "1e9"}, "write a number from 0"),
        ({"volume": "99999"}, "write a number from 0"),
        ({"price": "2", "price_of": "nobody"}, "all models were taken"),
        ({"withdraw": "acme/gone"}, "its end changes nothing"),
        ({"withdraw": "acme/old"}, "Say which model takes the place"),
        ({"withdraw": "acme/old", "instead": "acme/old"}, "cannot take its own place"),
        ({"move": "101", "move_to": "bolt/new"}, "percent from 0 to 100"),
        ({"move": "50"}, "to which model"),
        ({"volume": "1,500"}, "write a number from 0"),
        ({"plan": "5000,123456"}, "is no amount"),
        ({"volume_of": "x\0y"}, "There is no workflow"),
        ({"plan": "a lot"}, "is no amount"),
    ],
)
def test_what_makes_no_sense_is_left_out_with_a_note(query, said):
    question, notes = question_of(query, [], OFFERS)
    assert said in " ".join(notes)
    assert question in {Question(), Question(price=Fraction(2))}


def test_a_whole_question():
    query = {"price": "1,5", "price_of": "acme", "withdraw": "acme/old", "instead": "bolt/new", "move": "12.5%"}
    query |= {"move_from": "acme/old", "move_to": "bolt/new", "volume": "10", "volume_of": "briefs", "plan": "$5,000"}
    question, notes = question_of(query, ["briefs", "gone"], OFFERS)
    assert notes == ["“gone” made no call in these days, so pausing it changes nothing."]
    assert question == Question(
        Fraction(3, 2), Which("acme"), OLD, NEW, Fraction(1, 8), Which(*OLD), NEW, Fraction(10), "briefs",
        5_000 * NANO, frozenset({"briefs"}),
    )  # fmt: skip
    assert set(query) | {"pause"} == KEYS


@pytest.mark.parametrize(
    ("text", "plan"), [("5,000", 5000), ("$1,234,567.5", 1234567.5), ("5000,50", 5000.5), ("0,5", 0.5), ("12", 12)]
)
def test_commas_are_of_thousands_or_a_point(text, plan):
    question, notes = question_of({"plan": text, "volume": "1,000", "price": "1,25"}, [], OFFERS)
    assert (question.plan, notes) == (plan * NANO, [])
    assert (question.volume, question.price) == (1000, Fraction(5, 4))


def test_nothing_moves_to_a_model_that_is_gone():
    two = Offers(["acme"], [OLD, NEW], [OLD, NEW], {"briefs"})
    query = {"withdraw": "bolt/new", "instead": "acme/old", "move": "50", "move_to": "bolt/new"}
    question, notes = question_of(query, [], two)
    assert (question.withdrawn, question.move, notes) == (NEW, 0, ["new is gone, so nothing moves to it."])


@pytest.fixture(scope="module")
def run(lasting, django_db_blocker):
    with django_db_blocker.unblock(), time_machine.travel(NOW, tick=False):
        made = worked_out()
        User.objects.create_superuser("lena", password="a-long-horse-for-tests")
        for name, scope, dollars in (("All", {}, 700), ("Small", {"workflow": "small-model"}, 900)):
            create_budget(ACTOR, BudgetValues(name=name, scope=scope, amount=dollars * NANO))
        create_budget(ACTOR, BudgetValues(name="Ada", scope={"user": "ada"}, amount=NANO))
        open_due(NOW)
        evaluate_due(now=NOW)
        return made


@pytest.fixture
def lena(run):
    client = Client()
    client.force_login(User.objects.get(username="lena"))
    with time_machine.travel(NOW, tick=False):
        yield client


def lines(client, address):
    answer = client.get(address)
    assert answer.status_code == 200
    return list(csv.DictReader(StringIO(b"".join(answer.streaming_content).decode())))


@pytest.mark.django_db
def test_the_basis_is_the_ledger(run):
    found = sums.read(run.basis)
    result = read(run.result)
    assert sum(one.cost for one in found.groups) == result.spent
    assert sum(one.calls for one in found.groups) == result.calls
    by_workflow = {}
    for one in found.groups:
        by_workflow[one.workflow] = by_workflow.get(one.workflow, 0) + one.cost
    assert by_workflow == {slug: of.cost for slug, of in result.workflows.items()}


@pytest.mark.django_db
def test_page_and_csv_say_the_same(lena, run):
    spent = read(run.result).spent
    plain = lines(lena, "/export/what-if.csv")
    assert sum(Decimal(one["cost"]) for one in plain) == Decimal(spent) / NANO
    assert all(one["cost"] == one["cost_then"] for one in plain)
    double = lines(lena, "/export/what-if.csv?price=2")
    assert sum(Decimal(one["cost_then"]) for one in double) == Decimal(spent) / NANO * 2
    answer = lena.get("/savings/what-if/?price=2&plan=100&team=x")
    assert answer.context["found"].after == 2 * spent
    page = answer.content.decode()
    assert "This page has no filter “team”" in page
    gone = {one["short_name"]: one for one in lines(lena, "/export/what-if.csv?withdraw=acme/huge&instead=acme/small")}
    assert gone["small-model"]["cost_then"] == "61.00"
    assert gone["batch"]["cost_then"] == gone["batch"]["cost"]


@pytest.mark.django_db
def test_budgets_that_break_and_what_cannot_be_told(lena):
    found = {one["budget"]: one for one in lines(lena, "/export/what-if-budgets.csv")}
    assert set(found) == {"All", "Small"}
    assert (found["All"]["used_up_on"], found["Small"]["used_up_on"]) == ("", "")
    then = {one["budget"]: one for one in lines(lena, "/export/what-if-budgets.csv?price=2")}
    assert (then["All"]["used_up_on_then"], then["Small"]["used_up_on_then"]) == ("2026-11-18", "2026-11-23")
    page = lena.get("/savings/what-if/?price=2").content.decode()
    assert "on 18 Nov" in page
    assert "applications or tags: Ada" in page


@pytest.mark.django_db
def test_pausing_is_only_supposed(lena, run):
    moment = {"first_call": NOW, "last_call": NOW, "counts_at": run.starts_at, "calls": 1}
    batch = Workflow.objects.get(slug="batch")
    Run.objects.create(workflow_id=batch.pk, run_id="r", outcome="approved", **moment)
    make_days_anew("UTC")
    answer = lena.get("/savings/what-if/?plan=1")
    order = [one.row.slug for one in answer.context["found"].choices]
    assert order[-1] == "batch"  # the only one that shows a value
    assert answer.context["suggestion"].count("pause=") >= 2
    history = AuditEntry.objects.count()
    paused = lena.get("/savings/what-if/?pause=small-model&pause=no-such")
    found = paused.context["found"]
    assert found.before - found.after == 610 * NANO
    assert "paused here" in paused.content.decode()
    assert Workflow.objects.get(slug="small-model").paused_at is None
    assert AuditEntry.objects.count() == history


@pytest.mark.django_db
def test_the_basis_is_decoded_once_for_a_run(lena, run, monkeypatch):
    whole = lena.get("/savings/what-if/").context["found"].before
    monkeypatch.setattr("reports.savings.stored.msgspec.json.decode", lambda text, type: 1 / 0)
    assert lena.get("/savings/what-if/?price=2").context["found"].before == whole
    SavingsRun.objects.filter(pk=run.pk).update(state="failed")
    assert "Not worked out yet" in lena.get("/savings/what-if/").content.decode()


@pytest.mark.django_db
def test_a_long_name_is_not_cut_where_it_is_sent_again(lena):
    long = "acme/" + "x" * 128
    assert f'name="withdraw" value="{long}"' in lena.get(f"/savings/what-if/?withdraw={long}").content.decode()


@pytest.mark.django_db
def test_statements(lena, django_assert_num_queries):
    lena.get("/savings/what-if/")
    with django_assert_num_queries(13):
        lena.get("/savings/what-if/?price=2&plan=1&pause=batch")


@pytest.mark.django_db
def test_an_old_run_without_a_basis_shows_nothing(lena):
    SavingsRun.objects.update(basis=None)
    assert "Not worked out yet" in lena.get("/savings/what-if/").content.decode()
    assert lines(lena, "/export/what-if-budgets.csv") == []
    assert Organisation.get().generation > 1
