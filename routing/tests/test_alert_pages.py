"""Alerts and their rules in the browser, as the people who read, make and handle them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from budgets.alerts.rules import archive
from budgets.models import (
    Alert,
    AuditEntry,
)
from budgets.tests.made import ACTOR
from routing.alerts.times import until
from routing.alerts.triggers import TRIGGERS
from routing.tests.alerting import a_channel, a_rule, ads, an_alert, briefs_in_berlin, client_of, content, rows, text

pytestmark = pytest.mark.django_db
HTMX = {"hx-request": "true"}


@pytest.fixture(autouse=True)
def company():
    briefs_in_berlin()


@pytest.fixture
def lena():
    """Makes every rule."""
    return client_of("lena", "policy_admin")


@pytest.fixture
def kim():
    """Owns the budgets of Content, and makes rules about it."""
    return client_of("kim", "budget_owner", content())


@pytest.fixture
def paul():
    """Sees everything and changes nothing."""
    return client_of("paul", "viewer")


def test_open_alerts_come_first_and_every_state_has_its_place(lena):
    now, rule = timezone.now(), a_rule(channel_ids=(a_channel().pk,))
    made = {state: an_alert(rule, now, f"$1 {state}") for state in ("over", "known", "asleep", "new")}
    Alert.objects.filter(pk=made["over"].pk).update(resolved_at=now, resolution="It ended.")
    Alert.objects.filter(pk=made["known"].pk).update(acknowledged_at=now)
    Alert.objects.filter(pk=made["asleep"].pk).update(snoozed_until=now + timedelta(hours=1))
    page = text(lena.get("/alerts/"))
    places = [page.index(f">$1 {state}</a>") for state in ("new", "asleep", "known", "over")]
    assert places == sorted(places)
    assert "1 open" in page
    assert "It ended." in page
    for state, name in {"open": "new", "snoozed": "asleep", "acknowledged": "known", "resolved": "over"}.items():
        found = rows(lena.get(f"/export/alerts.csv?state={state}"))
        assert [(one["title"], one["state"]) for one in found] == [(f"$1 {name}", state)]
        assert lena.get(f"/alerts/?state={state}").content.count(b'<li id="alert-') == 1


def test_the_list_is_empty_in_three_ways(lena):
    assert "No alert yet" in text(lena.get("/alerts/"))
    alert = an_alert(a_rule(), timezone.now())
    assert "No alert matches" in text(lena.get("/alerts/?q=nothing-is-called-so"))
    Alert.objects.filter(pk=alert.pk).update(resolved_at=timezone.now())
    assert "all is quiet" in text(lena.get("/alerts/"))
    assert "Nothing is open" in text(lena.get("/alerts/?state=open"))


def test_filters_say_what_they_ignored(lena):
    an_alert(a_rule(), timezone.now())
    page = text(lena.get("/alerts/?state=zebra&rule=x&team=none&q=%00"))
    assert "no state of an alert" in page
    assert "It was ignored." in page
    assert page.count('<li id="alert-') == 1


def test_filters_by_rule_team_words_and_own(lena):
    now, one, two = timezone.now(), a_rule(), a_rule(name="Another")
    first, second = an_alert(one, now, "$12 for briefs", content()), an_alert(two, now, "$9 for copy", ads())
    Alert.objects.filter(pk=second.pk).update(owner=lena.person)
    for query, wanted in {
        f"rule={one.pk}": first, "team=content": first, "q=BRIEFS": first, "q=another": second, "own=1": second,
    }.items():  # fmt: skip
        found = rows(lena.get(f"/export/alerts.csv?{query}"))
        assert [int(line["id"]) for line in found] == [wanted.pk], query
        assert f'id="alert-{wanted.pk}"' in text(lena.get(f"/alerts/?{query}"))


def test_a_csv_has_what_the_page_has(lena):
    now, alert = timezone.now(), an_alert(a_rule(), timezone.now(), "=1+1", content())
    line = rows(lena.get("/export/alerts.csv"))[0]
    assert (line["amount"], line["currency"], line["state"], line["team"]) == ("12.00", "USD", "open", "content")
    assert line["title"] == "'=1+1"
    assert datetime.fromisoformat(line["raised_at"]) == alert.raised_at
    assert alert.raised_at <= now + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("what", "data", "shown", "field"),
    [
        ("acknowledge", {}, "Acknowledged by Lena", "acknowledged_at"),
        ("own", {}, "<b>Lena</b> sees to it", "owner_id"),
        ("snooze", {"until": "hour"}, "Snoozed until", "snoozed_until"),
    ],
)
def test_each_act_answers_with_the_row_and_can_be_undone(lena, what, data, shown, field):
    alert = an_alert(a_rule(), timezone.now())
    answer = lena.post(f"/alerts/{alert.pk}/{what}/", {"row": "1", **data}, headers=HTMX)
    assert answer.status_code == 200
    assert shown in text(answer)
    assert text(answer).strip().startswith(f'<li id="alert-{alert.pk}" tabindex="-1" autofocus>')
    assert "toast" in answer["HX-Trigger"]
    alert.refresh_from_db()
    assert getattr(alert, field)
    entry = AuditEntry.objects.get(object_type="budgets.alert")
    assert f"/alerts/{alert.pk}/undo/{entry.pk}/" in text(answer)
    answer = lena.post(f"/alerts/{alert.pk}/undo/{entry.pk}/", {"row": "1"}, headers=HTMX)
    assert answer.status_code == 200
    alert.refresh_from_db()
    assert not getattr(alert, field)
    again = lena.post(f"/alerts/{alert.pk}/undo/{entry.pk}/", {"row": "1"}, headers=HTMX)
    assert again.status_code == 409
    assert "Somebody changed this since" in text(again)


def test_without_a_script_an_act_goes_back_to_the_list_as_it_was_filtered(lena):
    alert = an_alert(a_rule(), timezone.now())
    answer = lena.post(f"/alerts/{alert.pk}/acknowledge/", {"row": "1", "back": "state=open&q=a%26b"})
    assert (answer.status_code, answer["Location"]) == (302, "/alerts/?state=open&q=a%26b")
    assert f"/alerts/{alert.pk}/undo/" in text(lena.get("/alerts/"))
    assert lena.post(f"/alerts/{alert.pk}/own/")["Location"] == f"/alerts/{alert.pk}/"


def test_snoozing_what_is_over_or_for_no_time_is_refused_in_words(lena):
    now, rule = timezone.now(), a_rule()
    alert = an_alert(rule, now)
    wrong = lena.post(f"/alerts/{alert.pk}/snooze/", {"until": "zebra"})
    assert wrong.status_code == 422
    assert "Choose until when" in text(wrong)
    Alert.objects.filter(pk=alert.pk).update(resolved_at=now)
    over = lena.post(f"/alerts/{alert.pk}/snooze/", {"until": "hour"})
    assert over.status_code == 409
    assert "over already" in text(over)


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ("hour", "2026-10-24T11:00+02:00"),
        ("tomorrow", "2026-10-25T09:00+01:00"),  # the night in which clocks go back
        ("days", "2026-10-27T09:00+01:00"),
        ("week", "2026-10-26T09:00+01:00"),
    ],
)
def test_snoozes_end_in_the_morning_of_the_organisation(choice, wanted):
    now = datetime(2026, 10, 24, 8, 0, tzinfo=UTC)
    found = until(choice, now, ZoneInfo("Europe/Berlin"))
    assert found == datetime.fromisoformat(wanted)


def test_several_are_acknowledged_in_one_act_and_undone_in_one(lena):
    now, rule = timezone.now(), a_rule()
    made = [an_alert(rule, now, f"${n}") for n in range(3)]
    Alert.objects.filter(pk=made[2].pk).update(acknowledged_at=now)
    picked = [one.pk for one in made] + ["x", 10**30]
    assert lena.post("/alerts/acknowledge/", {"pick": picked, "back": "state=open"})["Location"] == (
        "/alerts/?state=open"
    )
    entries = AuditEntry.objects.filter(object_type="budgets.alert")
    assert entries.count() == 2
    mark = entries[0].after["together"]
    page = text(lena.get("/alerts/"))
    assert "2 alerts acknowledged." in page
    assert f"/alerts/undo/{mark}/" in page
    lena.post(f"/alerts/{made[0].pk}/own/")
    lena.post(f"/alerts/undo/{mark}/")
    known = dict(Alert.objects.values_list("pk", "acknowledged_at"))
    assert (bool(known[made[0].pk]), bool(known[made[1].pk])) == (True, False)
    assert "1 changed since" in text(lena.get("/alerts/"))


def test_a_reader_sees_the_fact_and_no_button(paul):
    alert = an_alert(a_rule(), timezone.now())
    page = text(paul.get("/alerts/"))
    assert alert.title in page
    assert f"/alerts/{alert.pk}/acknowledge/" not in page
    assert "Handling alerts takes a role" in text(paul.get(f"/alerts/{alert.pk}/"))
    assert paul.post(f"/alerts/{alert.pk}/acknowledge/").status_code == 403


def test_who_sees_one_team_hears_no_name_of_another(kim, lena):
    ads()
    alert = an_alert(a_rule(name="Ads with Content"), timezone.now(), "$1 ours", content())
    words = TRIGGERS["one_run"].words
    for address in ("/alerts/", f"/alerts/{alert.pk}/", "/export/alerts.csv"):
        page = text(kim.get(address))
        assert words in page and "Ads" not in page, address
    told = kim.get("/api/v1/alerts").json()["results"] + [kim.get(f"/api/v1/alerts/{alert.pk}").json()]
    assert {one["rule_name"] for one in told} == {words}
    assert lena.get(f"/api/v1/alerts/{alert.pk}").json()["rule_name"] == "Ads with Content"
    assert all("Ads with Content" in text(lena.get(one)) for one in ("/alerts/", "/export/alerts.csv"))
    for query, many in (("q=ours", 1), ("q=with", 0)):
        assert len(rows(kim.get(f"/export/alerts.csv?{query}"))) == many
        assert kim.get(f"/api/v1/alerts?{query}").json()["count"] == many
    for team in ("ads", "zebra"):
        assert f"there is no team “{team}”" in text(kim.get(f"/alerts/?team={team}"))


def test_a_team_sees_and_handles_only_what_is_its_own(kim):
    now, rule = timezone.now(), a_rule()
    theirs, other = an_alert(rule, now, "$1 ours", content()), an_alert(rule, now, "$2 of ads", ads())
    company = an_alert(rule, now, "$3 of all")
    page = text(kim.get("/alerts/"))
    assert "$1 ours" in page
    assert "$2 of ads" not in page
    assert "$3 of all" not in page
    assert f"/alerts/rules/{rule.pk}/edit/" not in page
    assert [one["title"] for one in rows(kim.get("/export/alerts.csv"))] == ["$1 ours"]
    for alert in (other, company):
        assert kim.get(f"/alerts/{alert.pk}/").status_code == 404
        assert kim.post(f"/alerts/{alert.pk}/own/").status_code == 404
    kim.post("/alerts/acknowledge/", {"pick": [theirs.pk, other.pk]})
    assert list(Alert.objects.exclude(acknowledged_at=None)) == [theirs]


def test_a_page_of_an_alert_says_who_was_told(lena):
    rule = a_rule(channel_ids=(a_channel().pk,))
    alert = an_alert(rule, timezone.now())
    page = text(lena.get(f"/alerts/{alert.pk}/"))
    for words in ("SEO briefs", "/workflows/briefs/", "Marketing alerts", "Raised", "Waiting to be sent"):
        assert words in page
    assert "Tell Marketing alerts when one run costs more than $5.00." in page
    lena.post(f"/alerts/{alert.pk}/own/")
    assert "<b>Lena</b> assigned this" in text(lena.get(f"/alerts/{alert.pk}/"))


def test_the_history_offers_to_undo_the_newest_act(lena):
    rule = a_rule(name="Dear runs")
    alert = an_alert(rule, timezone.now())
    archive(ACTOR, rule)
    lena.post(f"/alerts/{alert.pk}/own/")
    page = text(lena.get("/history/"))
    newest = AuditEntry.objects.get(act="archived")
    assert f"/alerts/rules/{rule.pk}/undo/{newest.pk}/" in page
    assert f"/alerts/rules/{rule.pk}/undo/{AuditEntry.objects.get(act='created').pk}/" not in page
    assert f"/alerts/{alert.pk}/undo/{AuditEntry.objects.get(act='assigned').pk}/" in page
    assert "archived the alert rule “" in page


def test_the_history_offers_no_undo_without_the_right(paul):
    archive(ACTOR, a_rule(name="Dear runs"))
    assert "/undo/" not in text(paul.get("/history/"))


def test_the_list_asks_the_database_as_often_for_many_as_for_one(lena, django_assert_max_num_queries):
    now, rule = timezone.now(), a_rule()
    for n in range(20):
        an_alert(rule, now, f"${n}", content())
    lena.get("/alerts/")
    with django_assert_max_num_queries(20):
        lena.get("/alerts/")
    for n in range(10):
        a_rule(name=f"Rule {n}")
    with django_assert_max_num_queries(20):
        lena.get("/alerts/rules/")
