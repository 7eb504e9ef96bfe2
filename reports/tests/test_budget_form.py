"""Beside the budget form: what the amount means, a suggested one with its reason, what may be covered; by model."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from budgets.limits.edit import BudgetValues
from budgets.models import NANO, Budget, Organisation, Team, Workflow
from reports.overview.meaning import meaning_of
from reports.suggestion.history import history_of
from reports.suggestion.suggest import Outcomes, round_up, suggest
from reports.tests.rows import at, budget_with, usage_row
from tests.people import viewer
from usage.models import Run, WideDay
from usage.rollups.days import make_days_anew

NOW = at("2026-11-18T12:00")
TYPED = {
    "name": "SEO briefs", "covers_0": "workflow", "value_0": "seo", "metric": "money", "amount": "1,500",
    "period": "month", "thresholds": "50, 80, 100", "on_exhausted": "block", "pace": "even", "carry_over": "0",
}  # fmt: skip
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def today():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def seo(db):
    return Workflow.objects.create(slug="seo", name="SEO briefs", status="production")


def used(workflow, **days: int) -> None:
    """`m11d03=300`: 300 dollars on 3 November 2026 at nine."""
    for name, dollars in days.items():
        when = datetime(2026, int(name[1:3]), int(name[4:6]), 9, tzinfo=UTC)
        usage_row(when, dollars * NANO, workflow_id=workflow.pk, calls=10).save()


def words(answer) -> str:
    return " ".join(answer.content.decode().replace("<b>", "").replace("</b>", "").split())


@pytest.mark.parametrize(
    ("amount", "metric", "rounded"),
    [
        (2262 * NANO, "money", 2300 * NANO),
        (99 * NANO, "money", 99 * NANO),
        (1, "money", NANO // 100),
        (1_234_567, "tokens", 1_300_000),
        (7, "calls", 7),
        (101, "calls", 110),
    ],
)
def test_amounts_are_rounded_up_to_two_digits(amount, metric, rounded):
    assert round_up(amount, metric) == rounded


@given(st.lists(st.integers(0, 10**15), max_size=14), st.sampled_from(["money", "calls"]))
def test_a_suggestion_is_always_an_amount(values, metric):
    found = suggest(values, metric)
    assert (found is None) == (len(values) < 2 or not sum(values))
    assert found is None or 0 < found.amount <= 10**22


def test_a_suggestion_follows_volume_and_trend_but_not_the_growth_of_what_is_thrown_away():
    months = [1927 * NANO, 2100 * NANO, 2289 * NANO]
    plain = suggest(months, "money")
    assert (plain.amount, plain.average, plain.growth) == (2500 * NANO, 2_105_333_333_333, 9)
    good = suggest(months, "money", Outcomes(runs=100, reviewed=50, approved=44, reworked=3))
    assert (good.amount, good.held_back) == (plain.amount, False)
    poor = suggest(months, "money", Outcomes(runs=100, reviewed=50, approved=20, reworked=30))
    assert (poor.amount, poor.held_back) == (2100 * NANO, True)
    assert suggest([100, 50], "calls").growth == -50


def test_what_is_spent_already_is_told_with_a_choice(admin_client, seo):
    used(seo, m10d05=1000, m10d20=1190, m11d02=1200, m11d14=1062)
    answer = admin_client.post(reverse("budget-meaning"), TYPED, headers=HTMX)
    text = words(answer)
    assert "Workflow SEO briefs may use $1,500 a month. That is 32% less than last month." in text
    assert (
        "$2,262 is already used this month, so it runs out at once. At this pace it would have run out on 14 Nov."
        in text
    )
    assert "$2,262 is already spent this month. Enter at least $2,300, or save it all the same" in text
    assert "Last month it spent $2,190. In US dollars." in text
    assert 'hx-swap-oob="innerHTML:#amount-facts"' in answer.content.decode()
    # The choice: it can be saved.
    assert admin_client.post(reverse("budget-new"), TYPED)["Location"] == "/budgets/seo-briefs/"


def test_the_day_on_which_it_runs_out_at_the_present_pace(admin_client, seo):
    used(seo, m11d01=100, m11d09=500)
    text = words(admin_client.post(reverse("budget-meaning"), TYPED | {"amount": "800"}, headers=HTMX))
    # 600 in seventeen and a half days: 800 after twenty-three and a third.
    assert "At this pace it runs out on 24 Nov." in text
    text = words(admin_client.post(reverse("budget-meaning"), TYPED, headers=HTMX))
    assert "At this pace it lasts: $1,029 by 30 Nov." in text


@pytest.mark.django_db
@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/New_York"])
@pytest.mark.parametrize("pattern", ["even", "working_days"])
def test_the_day_at_pace_agrees_with_a_plain_search(seo, zone, pattern):
    from budgets.limits.calendar import day_starts_at, expected_share

    Organisation.objects.update(time_zone=zone)
    organisation = Organisation.get()
    used(seo, m11d02=50, m11d12=70)
    for amount in (121, 150, 199, 230, 10_000):
        values = BudgetValues(name="X", amount=amount * NANO, scope={"workflow": "seo"}, pace=pattern)
        found = meaning_of(values, organisation, NOW)
        began = day_starts_at(date(2026, 11, 2), organisation.zone)

        def share(when, found=found):
            return expected_share(found.period, when, organisation.zone, pattern)

        per_share = 120 * NANO / (share(NOW) - share(began))
        days = [date(2026, 11, one) for one in range(18, 31)]
        ends = {day: share(day_starts_at(day + timedelta(days=1), organisation.zone)) for day in days}
        slow = [day for day in days if (ends[day] - share(began)) * per_share >= amount * NANO]
        assert found.runs_out == (slow[0] if slow else None), amount


def test_a_suggestion_comes_with_its_reason_and_a_button(admin_client, seo):
    for month, dollars in (("07", 5), ("08", 1900), ("09", 2100), ("10", 2300)):
        used(seo, **{f"m{month}d01": dollars})
    for i, outcome in enumerate(["approved"] * 7 + ["rejected"] + ["open"] * 4):
        when = NOW - timedelta(days=30)
        Run.objects.create(
            workflow_id=seo.pk,
            run_id=str(i),
            first_call=when,
            last_call=when,
            outcome=outcome,
            reworks=int(i < 2),
            calls=1,
        )
    make_days_anew(Organisation.get().time_zone)
    text = words(admin_client.post(reverse("budget-suggestion"), TYPED | {"amount": "", "name": ""}))
    assert "Suggested $2,500: the last 3 months used $2,100 on average, 10% more each month" in text
    assert "87% of the 8 reviewed runs were approved, 25% were reworked first." in text
    page = admin_client.post(reverse("budget-new"), TYPED | {"use": "2,600"})
    assert page.status_code == 200 and 'value="2,600"' in page.content.decode()
    assert not Budget.objects.exists()


def test_a_suggestion_says_from_when_and_where_there_can_be_none(admin_client, seo):
    assert "Nothing it covers was used before" in words(admin_client.post(reverse("budget-suggestion"), TYPED))
    used(seo, m10d20=5, m11d02=5)
    text = words(admin_client.post(reverse("budget-suggestion"), TYPED))
    assert "A suggestion starts on 1 Jan 2027. It needs two complete months of use; 0 are there." in text
    odd = TYPED | {"covers_1": "user", "value_1": "ann", "covers_2": "environment", "value_2": "production"}
    assert "not added up for this combination" in words(admin_client.post(reverse("budget-suggestion"), odd))
    assert "not added up for this combination" in words(admin_client.post(reverse("budget-meaning"), odd, headers=HTMX))
    wrong = TYPED | {"value_0": "nobody"}
    assert "Say what it covers" in words(admin_client.post(reverse("budget-suggestion"), wrong))


def test_outcomes_count_a_run_under_two_names_once(seo):
    used(seo, m08d01=5, m09d01=5, m10d01=5)
    when = NOW - timedelta(days=30)
    alias = Workflow.objects.create(slug="seo-v2", name="SEO v2", status="merged", merged_into=seo)
    other = Workflow.objects.create(slug="other", name="Other")
    for workflow in (seo, alias, other):
        Run.objects.create(
            workflow_id=workflow.pk, run_id="one", first_call=when, last_call=when, outcome="approved", calls=1
        )
    make_days_anew(Organisation.get().time_zone)
    Workflow.objects.filter(pk=seo.pk).update(team=Team.objects.create(slug="growth", name="Growth"))
    for month in (8, 9, 10):
        usage_row(datetime(2026, month, 1, 9, tzinfo=UTC), NANO, workflow_id=seo.pk, team="growth").save()
    for scope, runs in (({"workflow": "seo"}, 1), ({"team": "growth"}, 1), ({}, 2)):
        found = history_of(BudgetValues(name="X", amount=1, scope=scope), Organisation.get(), NOW)
        assert (found.outcomes.runs, found.outcomes.approved) == (runs, runs), scope


def test_outcomes_of_a_part_of_a_workflow_are_not_known(admin_client, seo):
    used(seo, m08d01=5, m09d01=5, m10d01=5)
    text = words(admin_client.post(reverse("budget-suggestion"), TYPED))
    assert "No run of these was approved or rejected yet" in text
    text = words(admin_client.post(reverse("budget-suggestion"), TYPED | {"covers_1": "model", "value_1": "gpt-4.1"}))
    assert "known for whole workflows, not for a part of one" in text


@pytest.mark.parametrize("period", Budget.Period.values)
@pytest.mark.parametrize("metric", Budget.Metric.values)
def test_every_period_and_metric_has_a_history(seo, period, metric, django_assert_max_num_queries):
    for months in range(1, 12):
        used(seo, **{f"m{months:02}d01": 10})
    dates = {"starts_on": date(2026, 12, 1), "ends_on": date(2026, 12, 10)} if period == "fixed" else {}
    values = BudgetValues(name="X", amount=1, scope={"workflow": "seo"}, metric=metric, period=period, **dates)
    organisation = Organisation.get()
    with django_assert_max_num_queries(4):
        found = history_of(values, organisation, NOW)
    ends = [one.ends_at for one, *_ in found.periods]
    assert ends == sorted(ends) and all(end <= NOW for end in ends)


def test_a_merged_workflow_counts_where_it_was_merged_into(seo):
    old = Workflow.objects.create(slug="old", name="Old", status="merged", merged_into=seo)
    used(old, m11d03=7)
    values = BudgetValues(name="X", amount=NANO, scope={"workflow": "seo"})
    assert meaning_of(values, Organisation.get(), NOW).so_far == 7 * NANO


def test_without_a_script_the_same_is_a_page_that_leads_back_to_the_form(admin_client, seo):
    used(seo, m11d03=300)
    page = admin_client.post(reverse("budget-meaning") + "?budget=seo-briefs", TYPED)
    text = words(page)
    assert "<h1>Before you save</h1>" in text and "$300 is used so far this month" in text
    assert 'action="/budgets/seo-briefs/edit/"' in text and 'name="value_0" value="seo"' in text
    back = admin_client.post(reverse("budget-new"), TYPED | {"use": ""})
    assert back.status_code == 200 and not Budget.objects.exists()


def test_only_people_who_may_change_budgets_ask_what_they_mean(client, django_user_model):
    client.force_login(viewer("vera"))
    assert [client.post(reverse(name), TYPED).status_code for name in ("budget-meaning", "budget-suggestion")] == [
        403,
        403,
    ]


def test_what_may_be_covered_is_offered_while_it_is_typed(admin_client, seo):
    for i in range(80):
        Workflow.objects.create(slug=f"w{i}", name=f"Letters {i}")
    Team.objects.create(slug="growth", name="Growth")
    usage_row(NOW, NANO, model="gpt-5-nano").save()
    WideDay.objects.create(
        dimension="tag", day=NOW.date(), value="campaign=spring", workflow_id=1, provider="openai", model="m"
    )

    def offered(kind: str, text: str) -> str:
        return admin_client.get(
            reverse("budget-offers"), {"i": "1", "covers_1": kind, "value_1": text}
        ).content.decode()

    assert '<option value="seo">SEO briefs</option>' in offered("workflow", "brief")
    assert offered("workflow", "").count("<option") == 50
    assert "growth" in offered("team", "GRO") and "gpt-5-nano" in offered("model", "nano")
    assert "campaign=spring" in offered("tag", "spring") and "Premium" in offered("tier", "")
    assert "<option" not in offered("planet", "") and "<option" not in offered("", "\0")


@pytest.mark.django_db
def test_the_models_of_a_budget_sum_to_what_it_spent(admin_client, seo):
    organisation = Organisation.get()
    days = {NOW.date() - timedelta(days=3): 301 * NANO + 5}
    budget = budget_with("Ads", 400 * NANO, days, NOW, organisation, scope={"workflow": "seo"})
    when = NOW - timedelta(days=3)
    usage_row(when, 200 * NANO + 1, model="a", workflow_id=seo.pk, calls=3).save()
    usage_row(when, 100 * NANO, model="b", workflow_id=seo.pk, calls=2).save()
    usage_row(when, 0, model="c", workflow_id=seo.pk, calls=2, unpriced=2).save()
    usage_row(when, 9 * NANO, model="a").save()  # another workflow's
    text = words(admin_client.get(reverse("budget-models-card", args=[budget.slug])))
    assert "Not split by model yet" in text and "no price yet" in text and "2 calls without a price" in text
    assert ">301.00<" in text and ">200.00<" in text
    assert "<html" in admin_client.get(reverse("budget-models", args=[budget.slug])).content.decode()
    assert reverse("budget-models-card", args=[budget.slug]) in admin_client.get("/budgets/ads/").content.decode()
    sheet = admin_client.get(reverse("budget-models-csv", args=[budget.slug])).getvalue().decode()
    rows = list(csv.DictReader(io.StringIO(sheet)))
    assert sum(Decimal(row["used"]) for row in rows) * NANO == 301 * NANO + 5
    assert [row["model"] for row in rows] == ["a", "b", "c", "not in the summaries yet"]
    Budget.objects.update(scope={"user": "a", "team": "b"})
    text = words(admin_client.get(reverse("budget-models-card", args=[budget.slug])))
    assert "not added up for this combination" in text
    Budget.objects.update(status="archived")
    assert admin_client.get(reverse("budget-models", args=[budget.slug])).status_code == 404


@pytest.mark.parametrize(
    ("dimension", "value"),
    [
        ("team", "growth"),
        ("environment", "production"),
        ("model", "a"),
        ("provider", "openai"),
        ("tier", "3"),
        ("user", "u"),
        ("application", "u"),
        ("customer", "u"),
        ("tag", "k=v"),
    ],
)
def test_each_dimension_has_its_models(admin_client, seo, dimension, value):
    budget_with("Any", 400 * NANO, {NOW.date(): NANO}, NOW, scope={dimension: value})
    if dimension in {"user", "application", "customer", "tag"}:
        WideDay.objects.create(
            dimension=dimension,
            day=NOW.date(),
            value=value,
            workflow_id=1,
            provider="openai",
            model="a",
            cost=NANO,
            calls=1,
        )
    else:
        usage_row(NOW, NANO, model="a", team="growth", tier=3, calls=1).save()
    text = words(admin_client.get("/budgets/any/models/card/"))
    assert "Not split by model yet" not in text and ">1.00<" in text
