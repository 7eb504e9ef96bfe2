"""The Overview's figures: windows, shapes, and that they equal the ledger and each other."""

import csv
import io
import json
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from budgets.models import NANO, Organisation, Workflow
from reports.asking.window import window_of
from reports.overview import figures
from reports.overview.drawing import chart
from reports.overview.meaning import meaning_of
from reports.overview.saying import say
from reports.overview.spend import DayModel, ModelUse, TierUse, most_used, shape
from reports.tests.rows import arrived, at, budget_with, summed, usage_row
from usage.ledger import partitions
from usage.rollups.fold import fold_all
from usage.rollups.zone import follow_time_zone

ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "America/New_York", "Pacific/Kiritimati"]
NOON = at("2026-11-18T12:00")
BERLIN = ZoneInfo("Europe/Berlin")


def test_the_first_of_a_month_has_no_complete_day_and_nothing_to_compare():
    window = window_of({}, at("2026-11-01T12:00"), BERLIN)
    assert window.complete_days == 0
    assert figures.cost_by_day_before(window, rows_of(("a", 5))) == ()


def rows_of(*costs: tuple[str, int], day: int = 17) -> list[DayModel]:
    return [DayModel(date(2026, 11, day), name, cost, 1, 0) for name, cost in costs]


def used(*costs: tuple[str, int]) -> list[ModelUse]:
    return [ModelUse(name, cost, bool(cost), 0) for name, cost in costs]


def test_five_models_and_other_in_the_order_of_their_colours():
    window = window_of({}, NOON, BERLIN)
    costs = [*((f"m{i}", 100 - i) for i in range(8)), ("free", 0)]
    assert most_used(used(*costs)) == ["m0", "m1", "m2", "m3", "m4"]
    spend = shape(window, used(*costs), [], rows_of(*costs), {"m1": 1, "m0": 2, "m2": 3, "m3": 4, "m4": 5})
    assert spend.series[0].name == "m1"
    assert len(spend.series) == 6
    assert spend.series[-1].name == "Other"
    assert spend.series[-1].total == 95 + 94 + 93
    assert spend.total == sum(100 - i for i in range(8))
    assert [one.slot for one in spend.series] == [1, 2, 3, 4, 5, 6]


def test_models_without_a_series_come_summed():
    window = window_of({}, NOON, BERLIN)
    rows = [*rows_of(("a", 10)), DayModel(date(2026, 11, 17), None, 7, 2, 0)]
    models = [ModelUse("a", 10, True, 0), ModelUse("b", 7, True, 2), ModelUse("c", 0, False, -1)]
    spend = shape(window, models, [TierUse(0, 10, 1), TierUse(3, 7, 2)], rows, {"a": 1})
    assert [(one.name, one.total) for one in spend.series] == [("a", 10), ("Other", 7)]
    assert (spend.calls, spend.premium_cost, spend.tiered_calls, spend.unpriced) == (3, 7, 2, (("b", 2),))


def test_no_model_and_a_model_without_a_cost_have_no_series():
    window = window_of({}, NOON, BERLIN)
    assert shape(window, [], [], [], {}).series == ()
    assert most_used(used(("free", 0))) == []
    assert shape(window, used(("free", 0)), [], rows_of(("free", 0)), {}).series == ()


def test_the_chart_holds_complete_days_and_the_landing_line_ends_at_the_landing():
    window = window_of({}, NOON, BERLIN)
    spend = shape(window, [], [], rows_of(("a", 10 * NANO), day=17) + rows_of(("a", 4 * NANO), day=18), {"a": 1})
    drawn = chart(spend, currency="USD", landing=30 * NANO)
    assert drawn["labels"][drawn["today"]] == "17 Nov"
    assert len(drawn["series"][0]["values"]) == 17  # today is left out
    assert drawn["total"]["actual"][-1] == 10.0
    assert len(drawn["total"]["ahead"]) == 13
    assert drawn["total"]["ahead"][-1] == 30.0
    assert drawn["sum"] == 14.0
    json.dumps(drawn)


def insert_ledger(rows: list[tuple[datetime, str, int | None, int]]) -> None:
    """(posted_at, model, nano-dollars or None for unpriced, workflow): ledger rows and one batch, not folded."""
    batch = arrived(timezone.now(), len(rows), folded=False)
    partitions.forget()  # another test's partitions went with its transaction
    partitions.ensure_months(posted for posted, *_ in rows)
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO usage_ledger (posted_at, time, batch_id, generation, source_id, event_id, workflow_id, model,"
            " environment, measured, unpriced, input_tokens, output_tokens, cost, cost_input, cost_cached,"
            " cost_cache_write, cost_output, cost_units)"
            " VALUES (%s, %s, %s, 1, 1, %s, %s, %s, 'production', true, %s, 10, 5, %s, %s, %s, %s, %s, %s)",
            [
                (
                    posted,
                    posted,
                    batch.pk,
                    f"e{i}",
                    workflow,
                    model,
                    0 if cost is not None else 1,
                    cost,
                    cost,
                    *([None if cost is None else 0] * 4),
                )
                for i, (posted, model, cost, workflow) in enumerate(rows)
            ],
        )


@pytest.mark.django_db
@pytest.mark.parametrize("swept", [True, False])
@pytest.mark.parametrize("zone", ZONES)
def test_figures_equal_a_slow_plain_sum_over_the_ledger(zone, swept, admin_client):
    """Random moments around every day's edge: page, table, JSON and CSV against a loop over ledger rows.

    Before the sweep that follows a change of the zone, and after it.
    """
    Organisation.objects.update(time_zone=zone)
    organisation, now = Organisation.get(), timezone.now()
    random.seed(zone)
    unclaimed = Workflow.objects.get(slug="unassigned").pk
    claimed = Workflow.objects.create(slug="ads", name="Ads", status="production").pk
    rows = []
    for _ in range(600):
        edge = now - timedelta(days=random.randrange(45), minutes=random.choice([0, 15, 30, 45, 7, 61]))
        cost = None if random.random() < 0.05 else random.randrange(1, 5 * NANO)
        rows.append((edge, random.choice("abcdefgh"), cost, random.choice([claimed, unclaimed])))
    insert_ledger(rows)
    fold_all()
    if swept:
        assert follow_time_zone() is (zone != "UTC")

    for period in ("this-month", "last-month", "7d", "quarter"):
        window = window_of({"period": period}, now, organisation.zone)
        local = [(moment.astimezone(organisation.zone).date(), *rest) for moment, *rest in rows]
        inside = [row for row in local if window.first <= row[0] <= window.last]
        found = figures.overview(organisation, window, now)
        assert found.spend.total == sum(cost or 0 for _, _, cost, _ in inside)
        assert found.spend.calls == len(inside)
        assert found.spend.unpriced_calls == sum(cost is None for _, _, cost, _ in inside)
        for day, cost in zip(found.spend.days, found.spend.by_day, strict=True):
            assert cost == sum(c or 0 for d, _, c, _ in inside if d == day), day
        for one in found.spend.series[:5]:
            assert one.total == sum(cost or 0 for _, model, cost, _ in inside if model == one.name)
        past = [row for row in local if window.before <= row[0] <= window.before_last]
        assert sum(found.before) == sum(cost or 0 for _, _, cost, _ in past)
        stray = found.unclaimed
        assert (stray.cost if stray else 0) == sum(c or 0 for _, _, c, w in inside if w == unclaimed)

        query = f"?period={period}"
        text = admin_client.get(reverse("spend-csv") + query).getvalue().decode()
        listed = list(csv.DictReader(io.StringIO(text)))
        assert sum(Decimal(row["cost"] or 0) for row in listed) * NANO == found.spend.total
        drawn = admin_client.get(reverse("spend-series") + query).json()
        assert drawn["sum"] == float(round(Decimal(found.spend.total) / NANO, 2))


@pytest.mark.django_db
def test_the_landing_is_said_only_after_a_day_and_from_the_first_use_on():
    window = window_of({}, NOON, ZoneInfo("UTC"))
    assert figures.landing(window, 0, NOON) is None
    usage_row(NOON - timedelta(hours=5), 10 * NANO).save()
    assert figures.landing(window, 10 * NANO, NOON) is None
    usage_row(NOON - timedelta(days=2), 10 * NANO).save()
    # 20 in two days, twelve and a half to come.
    assert figures.landing(window, 20 * NANO, NOON) == 20 * NANO + 10 * NANO * 25 // 2
    assert figures.landing(window_of({"period": "last-month"}, NOON, ZoneInfo("UTC")), 5, NOON) is None


@pytest.mark.django_db
@time_machine.travel(NOON, tick=False)
def test_what_has_no_price_is_never_said_to_cost_nothing(admin_client):
    stray = Workflow.objects.create(slug="stray", name="Stray", status="discovered")
    row = {"calls": 3, "unpriced": 3, "workflow_id": stray.pk, "model": "dark"}
    summed([usage_row(NOON - timedelta(days=n), 0, **row) for n in range(3)])
    arrived(NOON)
    text = admin_client.get(reverse("overview")).content.decode()
    assert "$0" not in text
    for said in (
        "What the calls of 1–18 Nov cost is not known yet.",
        '<dd class="v quiet">No price yet',
        "It needs prices",
    ):
        assert said in text
    assert "Spend without a price that no workflow claims" in text
    lines = csv.DictReader(io.StringIO(admin_client.get(reverse("spend-csv")).getvalue().decode()))
    assert [(line["cost"], line["calls_without_price"]) for line in lines] == [("", "3")] * 3


@pytest.mark.django_db
def test_a_plan_is_only_a_budget_of_everything_over_just_this_period():
    organisation, now = Organisation.get(), timezone.now()
    window = window_of({}, now, organisation.zone)
    budget_with("Ads", 100 * NANO, {}, now, scope={"workflow": "ads"})
    assert figures.overview(organisation, window, now).plan is None
    budget_with("Everything", 900 * NANO, {}, now)
    plan = figures.overview(organisation, window, now).plan
    assert plan is not None
    assert plan.limit == 900 * NANO
    last_month = window_of({"period": "last-month"}, now, organisation.zone)
    assert figures.overview(organisation, last_month, now).plan is None


@pytest.mark.django_db
def test_the_sentence_leads_with_what_ran_out():
    organisation, now = Organisation.get(), timezone.now()
    window = window_of({}, now, organisation.zone)
    today = window.today
    budget_with("Ad copy", 8000 * NANO, {today: 8012 * NANO}, now, on_exhausted="block", slug="ad-copy")
    budget_with("Calm", 900 * NANO, {}, now)
    found = figures.overview(organisation, window, now)
    saying = say(window, found.spend.total, found.landing, found.crowd)
    after = window.ends + timedelta(days=1)
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[after.month - 1]
    assert saying.text == f"Ad copy has run out: $8,012 of $8,000. Its calls are stopped until 1 {month}."
    assert saying.parts[0] == ("Ad copy", "ad-copy")
    assert saying.tone == "over"


@pytest.mark.django_db
def test_the_meaning_of_a_new_budget_is_what_its_scope_used():
    from budgets.limits.edit import BudgetValues

    organisation, now = Organisation.get(), at("2026-11-18T12:00")
    ads = Workflow.objects.create(slug="ads", name="Ads", status="production")
    for day, cost in ((date(2026, 10, 5), 600), (date(2026, 10, 14), 900), (date(2026, 11, 3), 300)):
        usage_row(datetime(day.year, day.month, day.day, 9, tzinfo=UTC), cost * NANO, workflow_id=ads.pk).save()
    usage_row(now, 5000 * NANO).save()  # another workflow's
    values = BudgetValues(name="Ads", amount=1200 * NANO, scope={"workflow": "ads"})
    found = meaning_of(values, organisation, now)
    assert found is not None
    assert (found.before, found.so_far, found.ran_out) == (1500 * NANO, 300 * NANO, date(2026, 10, 14))
    assert found.change(values.amount) == -20
    assert not found.already
    odd = BudgetValues(name="X", amount=1, scope={"user": "ann", "team": "b"})
    assert meaning_of(odd, organisation, now) is None


@pytest.mark.django_db
def test_totals_sum_unrounded_values():
    now = timezone.now()
    summed(usage_row(now - timedelta(minutes=15 * i), 4_000_000, model=f"m{i}") for i in range(1, 6))
    window = window_of({"period": "quarter"}, now, Organisation.get().zone)
    assert figures.overview(Organisation.get(), window, now).spend.total == 20_000_000


@pytest.mark.django_db
def test_what_is_merged_is_as_unclaimed_as_what_it_counts_under():
    target = Workflow.objects.create(slug="stray", name="Stray", status="discovered")
    alias = Workflow.objects.create(slug="stray-2", name="Stray 2", status="merged", merged_into=target)
    for one in (target, alias):
        usage_row(NOON, 2 * NANO, workflow_id=one.pk).save()
    window = window_of({}, NOON, BERLIN)
    found = figures.unclaimed(window)
    assert (found.cost, found.calls, found.names) == (4 * NANO, 2, ("Stray",))
