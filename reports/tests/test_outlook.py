"""Forecasts as a product: made once a day from complete days, kept, shown, written into budgets, looked back at."""

import csv
import io
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.urls import reverse

from budgets.limits.calendar import DAY
from budgets.models import NANO, Budget, BudgetState, Membership, Organisation, PlannedActivity, Team, Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.pages.standings import standings
from reports.models import Outlook, OutlookRun
from reports.outlook import make
from reports.outlook.expecting import expect_days, expect_hours, ready_on
from reports.outlook.listing import rows_of
from reports.outlook.past import Past, quality
from reports.outlook.series import read_days
from reports.tests.rows import budget_with, summed, usage_row

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 18, 9, tzinfo=UTC)
TODAY = NOW.date()
FLAT = [10.0 * NANO] * 30


def test_a_flat_history_lands_where_it_leads():
    found = expect_days(FLAT, TODAY, date(2026, 11, 30), 170 * NANO, 250 * NANO)
    assert found.landing == [300 * NANO] * 5
    assert found.runs_out == ["2026-11-25"] * 3
    assert found.week == [70 * NANO] * 5
    assert len(found.steps) == 35


def test_a_period_longer_than_the_horizon_goes_on():
    found = expect_days(FLAT, TODAY, TODAY + 499 * DAY, 0, None)
    assert (found.landing[0], found.runs_out) == (5_000 * NANO, [])


def test_a_limit_that_is_used_up_already_or_never():
    assert expect_days(FLAT, TODAY, date(2026, 11, 30), 300 * NANO, 250 * NANO).runs_out == ["2026-11-18"] * 3
    assert expect_days(FLAT, TODAY, date(2026, 11, 30), 0, 250 * NANO).runs_out == [None] * 3
    over = expect_days(FLAT, TODAY, date(2026, 11, 17), 170 * NANO, 250 * NANO)
    assert (over.landing, over.runs_out) == ([0] * 5, [])


def test_too_few_days_say_from_when():
    assert expect_days(FLAT[:13], TODAY, TODAY, 0, None) is None
    assert expect_days(FLAT[:14], TODAY, TODAY, 0, None) is not None
    assert expect_hours([1.0] * 30) is None
    assert ready_on(date(2026, 11, 11), TODAY) == date(2026, 11, 25)
    assert ready_on(None, TODAY) == date(2026, 12, 2)


def test_how_good_they_were():
    past = [Past(TODAY, [100, 90, 110, 80, 120], came, None, [], None) for came in (100, 105, 50, 125, None)]
    found = quality(past)
    assert (found.count, found.inside, round(found.error, 3)) == (4, 2, 0.124)
    assert found.words == "Usually within 12% a week ahead; 2 of 4 weeks were in the likely range."
    assert quality(past[:2]).words.startswith("Too few")
    assert quality([Past(TODAY, [0] * 5, 0, None, [], None)] * 3).words == "3 of 3 weeks were in the likely range."


@pytest.fixture
def company():
    """Twenty complete days of $10 of one team's workflow and $5 of nobody's; a budget of $250 and one just begun."""
    with changing_configuration():
        team = Team.objects.create(slug="growth", name="Growth")
        briefs = Workflow.objects.create(slug="briefs", name="Briefs", team=team)
        other = Workflow.objects.create(slug="other", name="Other")
    days = [TODAY - n * DAY for n in range(1, 21)]
    noon = [datetime(one.year, one.month, one.day, 12, tzinfo=UTC) for one in days]
    summed(
        [usage_row(at, 10 * NANO, workflow_id=briefs.pk, team="growth") for at in noon]
        + [usage_row(at, 5 * NANO, workflow_id=other.pk) for at in noon]
    )
    budget_with("Briefs", 250 * NANO, dict.fromkeys(days, 10 * NANO), NOW, scope={"workflow": "briefs"})
    budget_with("Young", 99 * NANO, dict.fromkeys(days[:3], NANO), NOW, scope={"user": "ada"})


def made(now=NOW):
    with time_machine.travel(now, tick=False):
        make.ask_nightly()
        return make.work_off()


def test_made_once_a_day_and_written_into_budgets(company):
    assert [made() for _ in range(2)] == [1, 0]
    run = OutlookRun.objects.get()
    assert (run.state, run.done, run.total) == ("done", 6, 6)
    landings = {
        (one.kind, one.key): one.landing[0] // NANO if one.landing else one.ready_on
        for one in Outlook.objects.filter(grain="day").exclude(kind="budget")
    }
    assert landings == {
        ("organisation", ""): 450, ("team", "growth"): 300, ("workflow", "briefs"): 300, ("workflow", "other"): 150,
    }  # fmt: skip
    states = {one.budget.slug: one.projected for one in BudgetState.objects.select_related("budget")}
    assert states == {"briefs": 300 * NANO, "young": None}
    young = Outlook.objects.get(kind="budget", grain="day", landing=[])
    assert (young.ready_on, young.known) == (TODAY - 3 * DAY + 14 * DAY, 3)
    rows, _ = standings(Organisation.get(), NOW)
    said = {one.slug: (one.landing, one.how, one.words) for one in rows}
    assert said["briefs"] == (300 * NANO, "as forecast", "Likely over")
    assert said["young"][1] == "at an even pace"
    later, _ = standings(Organisation.get(), NOW + 4 * DAY)
    assert {one.how for one in later} == {"at an even pace", "at an even pace (the last forecast is of 18 Nov)"}
    BudgetState.objects.filter(budget__slug="briefs").update(spent=400 * NANO)
    rows, _ = standings(Organisation.get(), NOW)
    assert next(one.landing for one in rows if one.slug == "briefs") == 400 * NANO


def test_the_night_is_given_time_to_settle(company):
    midnight = datetime(2026, 11, 18, tzinfo=UTC)
    assert not make.ask_nightly(midnight + timedelta(minutes=19))
    assert make.ask_nightly(midnight + timedelta(minutes=20))


def test_again_the_same_day_writes_the_same_rows(company):
    made()
    before = set(Outlook.objects.values_list("pk", flat=True))
    with time_machine.travel(NOW + timedelta(hours=2), tick=False):
        make.ask()
        assert make.ask()[1] is False
        make.work_off()
    assert set(Outlook.objects.values_list("pk", flat=True)) == before


def test_a_worker_that_dies_leaves_it_to_the_next(company, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(make, "project", die)
        with pytest.raises(KeyboardInterrupt):
            made()
    assert OutlookRun.objects.get().state == "running"
    assert made(NOW + timedelta(minutes=5)) == 1
    assert OutlookRun.objects.get().state == "done"


def test_what_fails_says_so_and_is_tried_three_times(company, monkeypatch):
    monkeypatch.setattr(make, "write", lambda rows: 1 / 0)
    assert [made() for _ in range(5)] == [1, 1, 1, 0, 0]
    said = {one.problem.partition(" the code ")[0] for one in OutlookRun.objects.all()}
    assert said == {"Something went wrong in TokenOps. The server's log says what, under"}


def planned(**more):
    values = {
        "expects": "more",
        "name": "Launch",
        "starts_at": NOW.replace(hour=0) + 2 * DAY,
        "ends_at": NOW.replace(hour=0) + 4 * DAY,
    }
    return PlannedActivity.objects.create(**values | more)


def landings():
    made()
    found = Outlook.objects.filter(grain="day").exclude(landing=[])
    return {one.key or "all": one.landing[0] // NANO for one in found}


def test_what_is_planned_moves_its_own_and_what_it_counts_in(company):
    planned(workflow=Workflow.objects.get(slug="briefs"), factor=3)
    planned(workflow=Workflow.objects.get(slug="other"))  # more, but nobody knows how much
    budget = str(BudgetState.objects.get(budget__slug="briefs").budget_id)
    assert landings() == {"briefs": 340, "growth": 340, "all": 490, budget: 340, "other": 150}


def test_a_planned_quiet_of_everybody_and_half_a_day_of_a_team(company):
    planned(expects="none")
    planned(team=Team.objects.get(slug="growth"), factor=2, is_all_day=False, starts_at=NOW.replace(hour=0) + 5 * DAY,
            ends_at=NOW.replace(hour=12) + 5 * DAY)  # fmt: skip
    assert landings() | {"other": 0} == {"briefs": 285, "growth": 285, "all": 425, "other": 0} | {
        str(BudgetState.objects.get(budget__slug="briefs").budget_id): 285
    }


def test_what_repeats_is_learnt_from_the_past(company):
    planned(factor=9, recurrence="FREQ=WEEKLY;BYDAY=FR")
    assert landings()["all"] == 450


def test_looked_back_at_once_the_week_is_over(company):
    made(NOW - 5 * DAY)
    made(NOW + 2 * DAY)
    week = Outlook.objects.get(kind="workflow", key="briefs", grain="day", made_for=TODAY - 5 * DAY)
    assert week.week_came == 50 * NANO  # five days of ten dollars; nothing came on two
    made(datetime(2026, 12, 2, 9, tzinfo=UTC))
    assert Outlook.objects.get(pk=week.pk).landed == 170 * NANO


def test_every_budget_is_forecast_and_only_workflows_are_left_out(company, monkeypatch):
    monkeypatch.setattr(make, "MOST", 1)
    made()
    run = OutlookRun.objects.get()
    assert (run.total, run.done, run.left_out) == (5, 5, 1)
    assert Outlook.objects.filter(kind="budget", grain="day").count() == 2
    assert set(Outlook.objects.filter(kind="workflow").values_list("key", flat=True)) == {"briefs"}


def test_a_budget_that_began_before_its_history_counts_all_it_was_charged(company):
    first = TODAY - 500 * DAY
    ends = TODAY + 10 * DAY
    days = {first: 7 * NANO, **dict.fromkeys([TODAY - n * DAY for n in range(1, 21)], NANO)}
    budget_with("Long", 900 * NANO, days, NOW, period="fixed", starts_on=first, ends_on=ends, scope={"user": "ada"})
    made()
    found = Outlook.objects.get(kind="budget", grain="day", key=str(Budget.objects.get(slug="long").pk))
    assert (found.period_first, found.spent) == (first, 27 * NANO)
    assert found.landing[0] == 38 * NANO


def test_the_last_whole_forecasts_stay_while_new_ones_are_made(company, monkeypatch):
    made()
    monkeypatch.setattr(make, "AT_ONCE", 1)
    written = make.write

    def once(rows):
        written(rows)
        raise KeyboardInterrupt

    monkeypatch.setattr(make, "write", once)
    with pytest.raises(KeyboardInterrupt):
        made(NOW + DAY)
    assert Outlook.objects.filter(made_for=TODAY + DAY).exists()
    lena = User.objects.create_superuser("lena")
    assert {row.slug for row in rows_of("budget", lena)} == {"briefs", "young"}
    assert {row.slug for row in rows_of("workflow", lena)} == {"briefs", "other"}


def test_looking_back_takes_as_many_statements_for_many_as_for_one(company, django_assert_max_num_queries):
    for back in (12, 5, 4, 3):
        made(NOW - back * DAY)
    days = read_days(TODAY + 14 * DAY, Organisation.get().zone)
    with django_assert_max_num_queries(6):
        assert make.look_back(days, TODAY + 14 * DAY) > 12


def test_of_old_forecasts_only_what_a_look_back_needs_is_kept(company):
    made(NOW - 2 * DAY)
    made(NOW + 13 * DAY)
    old = Outlook.objects.get(kind="organisation", grain="day", made_for=TODAY - 2 * DAY)
    assert (old.steps, len(old.week), len(old.landing)) == ([], 5, 5)
    assert Outlook.objects.get(kind="organisation", grain="day", made_for=TODAY + 13 * DAY).steps


@time_machine.travel(NOW, tick=False)
def test_what_was_used_today_is_never_shown_below_itself(company, client):
    made()
    client.force_login(User.objects.create_superuser("lena"))
    BudgetState.objects.filter(budget__slug="briefs").update(spent=400 * NANO, limit=350 * NANO, status="exhausted")
    (row, _) = rows_of("budget", User.objects.get())
    assert (row.expected, row.likely, row.limit, row.status) == ("$400", "$400 to $400", "$350", "Over")
    one = client.get(reverse("forecast-one", args=["budget", "briefs"])).content.decode()
    assert "$400 expected by 30 Nov" in one
    assert "The limit is $350; it is used up already." in one
    drawn = client.get(reverse("forecast-series", args=["budget", "briefs"])).json()["total"]
    assert (drawn["ahead"][-1], drawn["plan"]) == (400.0, 350.0)
    BudgetState.objects.filter(budget__slug="briefs").update(spent=170 * NANO, limit=500 * NANO, status="under")
    (row, _) = rows_of("budget", User.objects.get())
    assert (row.expected, row.limit, row.status, row.runs_out) == ("$300", "$500", "On pace", "")


def test_on_the_first_day_the_chart_begins_with_what_is_expected(company, client):
    first = NOW + timedelta(days=(date(2026, 12, 1) - TODAY).days)
    with time_machine.travel(first, tick=False):
        make.ask_nightly()
        make.work_off()
        client.force_login(User.objects.create_superuser("lena"))
        drawn = client.get(reverse("forecast-series", args=["organisation", "-"])).json()
    assert (drawn["today"], drawn["total"]["actual"], drawn["labels"][0]) == (-1, [], "1 Dec")
    assert len(drawn["total"]["ahead"]) == len(drawn["labels"]) == 31


@time_machine.travel(NOW, tick=False)
def test_one_day_is_said_and_not_drawn(company, client):
    made()
    Outlook.objects.filter(kind="organisation").update(period_first=TODAY, period_end=TODAY)
    client.force_login(User.objects.create_superuser("lena"))
    page = client.get(reverse("forecast-one", args=["organisation", "-"])).content.decode()
    assert "expected by 18 Nov" in page and "canvas" not in page and "Days ahead" in page
    assert client.get(reverse("forecast-series", args=["organisation", "-"])).status_code == 404


@time_machine.travel(NOW, tick=False)
def test_many_are_paged(company, client, monkeypatch):
    monkeypatch.setattr("reports.outlook.views.PER_PAGE", 1)
    made()
    client.force_login(User.objects.create_superuser("lena"))
    first, second = (client.get(reverse("forecast"), {"page": n}).content.decode() for n in ("1", "2"))
    assert ("Page 1 of 2" in first, ">Briefs</a>" in first, ">Young</a>" in first) == (True, True, False)
    assert ("Page 2 of 2" in second, ">Young</a>" in second) == (True, True)
    assert client.get(reverse("forecast"), {"page": "\0"}).status_code == 200


@time_machine.travel(NOW, tick=False)
def test_nothing_lands_below_what_is_spent_by_now(company, admin_user):
    made()
    briefs = Workflow.objects.get(slug="briefs")
    summed([usage_row(NOW - timedelta(hours=1), 700 * NANO, workflow_id=briefs.pk, team="growth")])
    landings = {
        (kind, row.slug): [one // NANO for one in row.landing]
        for kind in ("organisation", "team", "workflow")
        for row in rows_of(kind, admin_user)
    }
    # 17 complete days of $15 and of $10 count in November, and what came today.
    assert landings == {
        ("organisation", "-"): [955] * 5, ("team", "growth"): [870] * 5, ("workflow", "briefs"): [870] * 5,
        ("workflow", "other"): [150] * 5,
    }  # fmt: skip


@time_machine.travel(NOW, tick=False)
def test_pages(company, client, django_assert_max_num_queries):
    client.force_login(User.objects.create_superuser("lena"))
    assert "No forecast of budgets yet" in client.get(reverse("forecast")).content.decode()
    made()
    with django_assert_max_num_queries(17):
        page = client.get(reverse("forecast")).content.decode()
    assert "<b>$450</b> expected by 30 Nov" in page
    assert "Likely over" in page
    assert "starts on 29 Nov" in page
    for of, name in (("teams", "Growth"), ("workflows", "Other")):
        assert name in client.get(reverse("forecast"), {"of": of}).content.decode()
    assert "cannot be forecast here" in client.get(reverse("forecast"), {"of": "zebra", "x": "1"}).content.decode()
    with django_assert_max_num_queries(20):
        one = client.get(reverse("forecast-one", args=["budget", "briefs"])).content.decode()
    assert "$300 expected by 30 Nov" in one
    assert "it is used up 25 Nov" in one
    drawn = client.get(reverse("forecast-series", args=["budget", "briefs"])).json()
    assert (drawn["total"]["actual"][-1], drawn["total"]["ahead"][-1]) == (170.0, 300.0)
    assert drawn["total"]["hi"][-1] == 300.0
    for kind, key in (("organisation", "-"), ("team", "growth"), ("workflow", "briefs"), ("budget", "young")):
        assert client.get(reverse("forecast-one", args=[kind, key])).status_code == 200, kind
    rows = list(csv.DictReader(io.StringIO(body(client.get(reverse("forecasts-csv"))))))
    assert [(row["name"], row["expected"], row["ready_on"]) for row in rows] == [
        ("Briefs", "300.00", ""), ("Young", "", "2026-11-29"),
    ]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(body(client.get(reverse("forecast-one-csv", args=["team", "growth"]))))))
    assert {row["grain"] for row in rows} == {"day", "hour"}
    assert rows[0]["expected"] == "10.00"
    for kind, key in (("budget", "nope"), ("zebra", "x"), ("team", "%00")):
        assert client.get(f"/forecast/{kind}/{key}/").status_code == 404
    assert client.post(reverse("forecast-make")).status_code == 302


def body(answer):
    return b"".join(answer.streaming_content).decode()


@time_machine.travel(NOW, tick=False)
def test_people_of_a_team_see_theirs(company, client):
    made()
    ann = User.objects.create_user("ann")
    Membership.objects.create(user=ann, role="viewer", team=Team.objects.get(slug="growth"))
    client.force_login(ann)
    page = client.get(reverse("forecast"), {"of": "workflows"}).content.decode()
    assert "Briefs" in page
    assert "Other" not in page
    assert "$450" not in page
    assert client.get(reverse("forecast-one", args=["workflow", "other"])).status_code == 404
    assert client.get(reverse("forecast-one", args=["organisation", "-"])).status_code == 404
    assert client.post(reverse("forecast-make")).status_code == 403
