"""Every total on every page, in its CSV and in the API equals one slow plain computation over the ledger.

In four zones, across both changes of New York's clocks: calls at the last instant of a month and at the quarter hours
where Kolkata's and Kathmandu's days begin, late ones into a closed month, calls sent twice, what has no price or no
counts, a merged workflow, imports kept and undone, calls priced anew, other costs; and all of it in euros.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client

from tests.totals import company
from tests.totals.arrivals import compare_health, compare_imports, compare_sources
from tests.totals.booking import compare_chargeback, compare_focus
from tests.totals.budgets import compare_budgets, compare_each_budget, compare_meaning, compare_pools
from tests.totals.compare import Comparison
from tests.totals.figures import compare_figures
from tests.totals.outcomes import compare_outcomes
from tests.totals.overview import compare_overview
from tests.totals.plain_sum import read_books
from tests.totals.plain_text import Currency
from tests.totals.planning import compare_closed, compare_closing, compare_costs, compare_plan
from tests.totals.prices import compare_prices, compare_repricing
from tests.totals.savings import compare_savings
from tests.totals.sent import compare_forecasts, compare_mailed
from tests.totals.spend import compare_spend
from tests.totals.unusual import compare_unusual
from tests.totals.why import compare_why
from tests.totals.workflows import compare_workflows

pytestmark = pytest.mark.site

DOLLARS, EUROS = Currency(), Currency("EUR", "€", company.PER_DOLLAR)
SPRING = datetime(2026, 3, 11, 16, tzinfo=UTC)  # three days after the clocks of New York went forward
TURN = datetime(2026, 11, 1, 6, 45, tzinfo=UTC)  # in the second of the two hours from one to two there
AUTUMN = datetime(2026, 11, 5, 16, tzinfo=UTC)
LEAST = {DOLLARS: 9_000, EUROS: 6_000}  # comparisons: fewer, and some page was not read


def compare_spring(c: Comparison) -> None:
    compare_overview(c)
    compare_each_budget(c, compare_budgets(c), all_of_them=False)
    compare_most(c)


def compare_turn(c: Comparison) -> None:
    compare_overview(c)
    compare_spend(c)
    compare_figures(c)
    compare_budgets(c)
    compare_health(c)


def compare_autumn(c: Comparison) -> None:
    compare_overview(c)
    compare_spend(c)
    compare_figures(c)
    compare_each_budget(c, compare_budgets(c), all_of_them=True)
    compare_most(c)
    compare_costs(c)
    compare_why(c)
    compare_closed(c)
    compare_unusual(c)
    compare_chargeback(c)
    compare_focus(c)
    compare_mailed(c)
    compare_forecasts(c)
    company.checked_only()
    compare_imports(c)
    compare_repricing(c)


def compare_most(c: Comparison) -> None:
    compare_meaning(c)
    compare_pools(c)
    compare_workflows(c)
    compare_plan(c)
    compare_closing(c)
    compare_health(c)
    compare_outcomes(c)
    compare_sources(c)
    compare_prices(c)
    compare_savings(c)


def compare_nothing(c: Comparison) -> None:
    """Another currency is told apart by one moment."""


@pytest.mark.django_db
@pytest.mark.parametrize("zone", company.ZONES)
def test_every_total_equals_the_ledger(zone: str) -> None:
    assert_equal(zone, DOLLARS, compare_spring, compare_turn)


@pytest.mark.django_db
def test_every_total_equals_the_ledger_in_another_currency() -> None:
    assert_equal("Asia/Kathmandu", EUROS, compare_nothing, compare_nothing)


def assert_equal(
    zone: str, shown: Currency, in_spring: Callable[[Comparison], None], at_turn: Callable[[Comparison], None]
) -> None:
    """Let it all happen, and hold every figure of each moment against the ledger as it was then."""
    User.objects.create_superuser("lena", password="a-long-horse-for-tests")
    with time_machine.travel(company.BEGAN, tick=False):
        company.found_company(zone, shown.code)
    found = [
        at(SPRING, zone, shown, company.spring, in_spring),
        at(TURN, zone, shown, company.turn_of_month, at_turn),
        at(AUTUMN, zone, shown, company.autumn, compare_autumn),
    ]
    wrong = [f"{c.now:%d %b}: {one}" for c in found for one in c.wrong]
    compared = sum(c.compared for c in found)
    assert not wrong, "\n".join([f"{len(wrong)} of {compared:,} figures are wrong", *wrong[:80]])
    assert compared > LEAST[shown]


def at(
    now: datetime,
    zone: str,
    shown: Currency,
    happens: Callable[[datetime], None],
    compare: Callable[[Comparison], None],
) -> Comparison:
    """This moment, once all that happens by then has happened."""
    with time_machine.travel(now, tick=False):
        happens(now)
        client = Client()
        client.force_login(User.objects.get(username="lena"))
        c = Comparison(client, read_books(zone), now, shown, company.FISCAL[zone])
        compare(c)
    return c
