"""Thousands are ranked by numbers alone, and every one exactly as its own page says."""

import random
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.limits.calendar import day_of, expected_share, period_bounds, quarter_hour
from budgets.models import Budget, BudgetSeries, BudgetState, Organisation, Team, Workflow
from budgets.pages import pace
from budgets.pages.finding import Filters, chosen, find
from budgets.pages.ranking import rank
from budgets.pages.standings import standings

ZONES = ["UTC", "Asia/Kolkata", "Asia/Kathmandu", "America/New_York", "Pacific/Apia"]
MOMENTS = [datetime(2026, 11, 1, 6, 30, tzinfo=UTC), datetime(2026, 3, 8, 23, 50, tzinfo=UTC)]


def make_many(now: datetime, organisation: Organisation, number: int = 300) -> None:
    """Budgets of every period, pace and status, with random use since a random quarter hour."""
    draw = random.Random(f"{organisation.time_zone}{now}")
    zone, budgets, states, series = organisation.zone, [], [], []
    for n in range(number):
        fixed = {"starts_on": date(2026, 1, 15), "ends_on": date(2026, 12, draw.randint(1, 31))}
        period = draw.choice(Budget.Period.values)
        budgets.append(
            Budget(
                slug=f"b-{n}", name=f"Budget {n % 50}", amount=draw.choice([1, 100, 10**12]), period=period,
                pace=draw.choice(Budget.Pace.values), metric=draw.choice(Budget.Metric.values),
                status=draw.choice(["active"] * 5 + ["paused", "archived"]), scope=draw.choice([{}, {"model": "m"}]),
                on_exhausted=draw.choice(["alert", "block"]), **(fixed if period == "fixed" else {}),
            )
        )  # fmt: skip
    for budget in Budget.objects.bulk_create(budgets):
        bounds = period_bounds(
            budget.period, day_of(now, zone), zone, budget.starts_on, budget.ends_on, organisation.fiscal_year_starts
        )
        limit = budget.amount + draw.choice([0, budget.amount // 3])
        spent = draw.choice([0, limit // 100, limit // 2, limit * 95 // 100, limit, limit * 3, -5])
        if draw.random() < 0.9:
            passed = (now - bounds.starts_at) // timedelta(minutes=15)
            first = bounds.starts_at + timedelta(minutes=15) * draw.randint(-5, max(0, passed) + 3)
            series += [BudgetSeries(budget=budget, bucket=quarter_hour(first), amount=spent)]
        states.append(
            BudgetState(
                budget=budget, period_start=bounds.first, period_end=bounds.last, starts_at=bounds.starts_at,
                ends_at=bounds.ends_at, limit=draw.choice([limit] * 9 + [0]), spent=spent,
                crossed=draw.choice([0, 50, 80]), status=BudgetState.Status.EXHAUSTED if spent >= limit else "under",
                **projection(draw, now, limit),
            )
        )  # fmt: skip
    BudgetState.objects.bulk_create(states)
    BudgetSeries.objects.bulk_create(series)


def projection(draw: random.Random, now: datetime, limit: int) -> dict[str, Any]:
    """What was forecast, maybe too long ago; sometimes nothing, sometimes without a range."""
    if draw.random() < 0.5:
        return {}
    middle = draw.choice([limit, limit * 2, 0, limit * 96 // 100, limit // 2])
    most = draw.choice([None, middle, middle + limit // 10, middle * 2])
    return {"projected": middle, "projected_most": most, "projected_at": now - timedelta(days=draw.choice([1, 3, 4]))}


def test_a_landing_in_whole_numbers_is_the_landing_in_fractions():
    bounds = period_bounds("month", date(2026, 11, 20), ZoneInfo("Europe/Berlin"))
    first, now, spent = (
        datetime(2026, 11, 3, 8, 15, tzinfo=UTC),
        datetime(2026, 11, 20, 9, 1, 7, 13, tzinfo=UTC),
        10**17 + 1,
    )
    for pattern in Budget.Pace.values:
        share, since = (expected_share(bounds, when, ZoneInfo("Europe/Berlin"), pattern) for when in (now, first))
        slow = round(spent + spent * (1 - share) / (share - since))
        assert pace.expected(bounds, spent, first, now, ZoneInfo("Europe/Berlin"), pattern) == slow


def test_what_a_weekend_used_is_no_pace_for_monday():
    zone = ZoneInfo("Europe/Berlin")
    bounds = period_bounds("month", date(2026, 11, 20), zone)  # 21 working days
    saturday = datetime(2026, 11, 7, 9, 0, tzinfo=zone)

    def comes_to(text, pattern="working_days"):
        return pace.expected(bounds, 84, saturday, datetime.fromisoformat(text).replace(tzinfo=zone), zone, pattern)

    assert comes_to("2026-11-09T01:00") is None  # an hour of work would have been 300 times as much
    assert comes_to("2026-11-09T23:59") is None
    assert comes_to("2026-11-10T00:00") == 84 * 16  # 16 working days from Monday on
    assert comes_to("2026-11-09T09:00", "even") == round(84 * Fraction(24 * 24 - 9, 48))


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**20))
def test_rounding_is_half_to_even(numerator, denominator):
    assert pace.rounded(numerator, denominator) == round(Fraction(numerator, denominator))


@pytest.mark.django_db
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("now", MOMENTS, ids=str)
def test_ranks_and_statuses_are_those_of_each_budgets_own_page(zone, now):
    Organisation.objects.update(time_zone=zone, fiscal_year_starts=4)
    organisation = Organisation.get()
    make_many(now, organisation)
    live = Budget.objects.exclude(status="archived")
    slow, without = standings(organisation, now, live)
    fast = rank(organisation, now, live)
    assert len(slow) > 150 and {one.tone for one in slow} == {"over", "watch", "ok", ""}
    assert [(one.risk, one.name) for one in fast] == [(one.risk, one.name) for one in slow]
    by_id = {one.budget_id: one for one in slow}
    for one in fast:
        full = by_id[one.budget_id]
        assert (one.tone, one.excess, one.is_over, one.is_stopped, one.is_paused, one.is_whole_organisation) == (
            full.tone, full.excess, full.is_over, full.is_stopped, full.is_paused, full.is_whole_organisation,
        ), full  # fmt: skip
        assert (one.first, one.last, one.metric) == (full.first, full.last, full.metric)
    found = find(Filters(), organisation, now, Budget.objects.all())
    kinds = {"over": 0, "risk": 0, "ok": 0, "paused": 0}
    for full in slow:
        kind = "paused" if full.is_paused else "over" if full.is_over else "ok" if full.tone == "ok" else "risk"
        kinds[kind] += 1
    assert {key: found.counts[key] for key in kinds} == kinds
    assert found.counts[""] == live.count() and found.counts["idle"] == len(without)


@pytest.mark.django_db
def test_the_filters_find_by_words_team_owner_and_what_is_covered(django_user_model):
    now, organisation = datetime.now(UTC), Organisation.get()
    growth = Team.objects.create(slug="growth", name="Growth & Web")
    Workflow.objects.create(slug="seo", name="SEO briefs", team=growth)
    Workflow.objects.create(slug="ads", name="Ad copy")
    ada = django_user_model.objects.create_user("ada")
    for slug, scope in (
        ("one", {"workflow": "seo"}), ("two", {"team": "growth"}), ("three", {"workflow": "ads", "model": "gpt-5"}),
        ("all", {}), ("tagged", {"tag": "campaign=spring"}),
    ):  # fmt: skip
        Budget.objects.create(
            slug=slug, name=f"Plan {slug}", amount=5, scope=scope, owner=ada if slug == "all" else None
        )

    def found(**given: str) -> set[str]:
        return set(Filters.of(given).budgets(Budget.objects.all()).values_list("slug", flat=True))

    assert found(q="seo BRIEFS") == {"one"}
    assert found(q="growth") == {"two"} and found(q="web plan") == {"two"}
    assert found(q="gpt") == {"three"} and found(q="spring") == {"tagged"}
    assert found(q="whole company") == {"all"} and found(q="100%") == set() and found(q="\0") == found()
    assert found(team="growth") == {"one", "two"} and found(team="nobody") == set()
    assert found(covers="company") == {"all"} and found(covers="workflow") == {"one", "three"}
    assert found(owner="ada") == {"all"}
    assert Filters.of({"status": "sad", "covers": "planet"}).note.count("“") == 2
    assert len(chosen(Filters(), organisation, now, 3, Budget.objects.all())) == 4  # one more than may be
