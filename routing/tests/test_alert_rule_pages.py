"""Alert rules in the browser, as the people who make, change, mute and test them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from budgets.alerts.rules import mute
from budgets.models import (
    Alert,
    AlertRule,
    AuditEntry,
    Delivery,
    Workflow,
)
from budgets.tests.made import ACTOR
from routing.alerts.history import TOO_MUCH, Replayed
from routing.alerts.triggers import TRIGGERS
from routing.tests.alerting import (
    a_channel,
    a_rule,
    a_run,
    ads,
    an_alert,
    briefs_in_berlin,
    client_of,
    content,
    rows,
    text,
)

pytestmark = [pytest.mark.site, pytest.mark.django_db]


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


def test_every_trigger_has_a_form_whose_options_have_names_of_their_own(lena):
    page = text(lena.get("/alerts/new/"))
    assert "For example: Tell me when one run costs more than $5.00." in page
    for key, trigger in TRIGGERS.items():
        assert f"?trigger={key}" in page
        answer = lena.get(f"/alerts/new/?trigger={key}")
        assert answer.status_code == 200
        assert not {one.name for one in trigger.fields} & {
            "name", "team", "channels", "urgent", "owner", "trigger", "seen", "preview", "page", "copy",
        }  # fmt: skip
        assert lena.get(f"/alerts/preview/?trigger={key}").status_code == 200


@pytest.mark.parametrize("value", ["\0", "9" * 400, "1e999999", "٣", "x" * 20_000])
def test_no_form_is_too_much(lena, value):
    for key, trigger in TRIGGERS.items():
        data = dict.fromkeys([*(one.name for one in trigger.fields), "name", "team", "channels", "owner"], value)
        assert lena.get("/alerts/preview/", {**data, "trigger": key}).status_code == 200
        assert lena.get("/alerts/new/", {**data, "trigger": key}).status_code == 200
        for one in [*(one.name for one in trigger.fields), "name", "urgent"]:
            assert lena.post(f"/alerts/new/?trigger={key}", {one: value}).status_code in {302, 422}


def test_a_rule_is_made_and_called_like_its_sentence(lena):
    channel = a_channel()
    data = {"amount": "5", "channels": [channel.pk], "urgent": "1", "owner": "lena"}
    answer = lena.post("/alerts/new/?trigger=one_run", data)
    assert answer["Location"] == "/alerts/rules/"
    rule = AlertRule.objects.get()
    assert (rule.name, rule.options["amount"], rule.owner) == ("One run costs more than $5.00", "5", lena.person)
    page = text(lena.get("/alerts/rules/"))
    assert "Tell Marketing alerts when one run costs more than $5.00." in page
    assert f"/alerts/rules/{rule.pk}/undo/" in page
    assert AuditEntry.objects.get(object_type="budgets.alertrule").act == "created"


def test_what_is_typed_wrong_is_said_beside_its_field(lena):
    answer = lena.post("/alerts/new/?trigger=one_run", {"amount": "five", "channels": ["99"], "workflow": "no-such"})
    assert answer.status_code == 422
    page = text(answer)
    assert "One of these channels is gone" in page
    answer = lena.post("/alerts/new/?trigger=one_run", {"amount": "five", "workflow": "no-such"})
    assert answer.status_code == 422
    assert "There is no such workflow" in text(answer)
    assert 'id="amount-err"' in text(answer)
    assert not AlertRule.objects.exists()


def test_a_preview_counts_what_would_have_been_told(lena):
    now, briefs = timezone.now(), Workflow.objects.get(slug="briefs")
    for n, days in enumerate((1, 8, 8, 60, 100)):
        a_run(briefs, now - timedelta(days=days), 6 + n, f"r{n}")
    a_run(briefs, now - timedelta(days=2), 4, "cheap")
    channel = a_channel()
    ask = "/alerts/preview/?trigger=one_run&amount=5&urgent={}&channels={}"
    page = text(lena.get(ask.format(1, channel.pk)))
    assert "Tell Marketing alerts when one run costs more than $5.00." in page
    assert "In the last 90 days this would have sent 4 messages." in page
    assert page.count("for one run of SEO briefs") == 4
    assert "No usage has come in yet" in page
    assert "4 alerts in 3 daily digests" in text(lena.get(ask.format(0, channel.pk)))
    assert "shown 4 alerts here and sent no message" in text(lena.get("/alerts/preview/?trigger=one_run&amount=5"))
    assert "told nothing" in text(lena.get("/alerts/preview/?trigger=one_run&amount=500"))


def test_a_preview_says_why_it_cannot_tell(lena):
    page = text(lena.get("/alerts/preview/?trigger=one_run&amount=&steps="))
    assert "Enter an amount, or a number of steps, or both." in page
    assert "Choose first" in text(lena.get("/alerts/preview/?trigger=zebra"))
    for query in ("amount=%00", "amount=9" * 30, "steps=-1", "channels=x&channels=%00", "team=%00&owner=%00"):
        assert lena.get(f"/alerts/preview/?trigger=one_run&{query}").status_code == 200


def test_a_preview_of_too_much_history_says_so(lena, monkeypatch):
    def too_slow(rule, until, days):
        return Replayed(until - timedelta(days=days), until, problem=TOO_MUCH)

    monkeypatch.setattr("routing.alerts.preview.replay_rule", too_slow)
    page = text(lena.get("/alerts/preview/?trigger=one_run&amount=5"))
    assert "There is too much history to look through at once." in page
    assert "would have" not in page


def test_a_button_previews_without_a_script_and_saves_nothing(lena):
    a_run(Workflow.objects.get(slug="briefs"), timezone.now() - timedelta(days=1), 9, "r")
    answer = lena.post("/alerts/new/?trigger=one_run", {"amount": "5", "preview": "1"})
    assert answer.status_code == 200
    assert "shown 1 alert here" in text(answer)
    rule = a_rule()
    answer = lena.post(f"/alerts/rules/{rule.pk}/edit/", {"amount": "500", "preview": "1"})
    assert "told nothing" in text(answer)
    rule.refresh_from_db()
    assert rule.options["amount"] == "5"


def test_a_team_makes_rules_about_itself_only(kim):
    other = Workflow.objects.create(slug="copy", name="Ad copy", team=ads(), default_tier=1, status="production")
    now = timezone.now()
    a_run(other, now - timedelta(days=1), 50, "secret")
    a_run(Workflow.objects.get(slug="briefs"), now - timedelta(days=1), 60, "ours")
    form = text(kim.get("/alerts/new/?trigger=one_run"))
    assert 'value="ads"' not in form
    assert "Ad copy" not in form
    for data in (
        {"amount": "5"},
        {"amount": "5", "team": "ads"},
        {"amount": "5", "team": "content", "workflow": "copy"},
    ):
        assert kim.post("/alerts/new/?trigger=one_run", data).status_code == 422
    assert not AlertRule.objects.exists()
    assert "Choose one of your teams" in text(kim.get("/alerts/preview/?trigger=one_run&amount=5"))
    page = text(kim.get("/alerts/preview/?trigger=one_run&amount=5&team=content"))
    assert "$60 for one run" in page
    assert "$50" not in page
    assert kim.post("/alerts/new/?trigger=one_run", {"amount": "5", "team": "content"}).status_code == 302
    rule, company = AlertRule.objects.get(), a_rule()
    assert kim.post(f"/alerts/rules/{rule.pk}/edit/", {"amount": "5", "team": ""}).status_code == 422
    assert kim.get(f"/alerts/rules/{company.pk}/edit/").status_code == 404
    assert kim.post(f"/alerts/rules/{company.pk}/archive/").status_code == 404
    assert company.name not in text(kim.get("/alerts/rules/?q=zzz"))


@pytest.mark.parametrize("dimension", ["team", "workflow"])
def test_a_rule_about_what_is_out_of_sight_is_refused_as_one_about_what_is_not_there(kim, dimension):
    Workflow.objects.create(slug="copy", name="Copy", team=ads(), status="production")
    for value in ({"team": "ads", "workflow": "copy"}[dimension], "zebra"):
        data = {"dimension": dimension, "value": value, "window": "day", "amount": "5", "team": "content"}
        page = text(kim.post("/alerts/new/?trigger=spend_above", data))
        assert f"There is no {dimension} “{value}”" in page
    assert not AlertRule.objects.exists()


def test_a_team_does_not_undo_what_made_a_rule_its_own(kim, lena):
    rule = a_rule(name="Dear runs")
    lena.post(f"/alerts/rules/{rule.pk}/edit/", {"amount": "5", "name": "Dear runs", "team": "content"})
    entry = AuditEntry.objects.get(act="changed")
    assert kim.post(f"/alerts/rules/{rule.pk}/undo/{entry.pk}/").status_code == 403
    rule.refresh_from_db()
    assert rule.team == content()
    assert lena.post(f"/alerts/rules/{rule.pk}/undo/{entry.pk}/").status_code == 302
    rule.refresh_from_db()
    assert rule.team is None


def test_a_reader_sees_rules_and_changes_none(paul):
    rule = a_rule()
    assert "costs more than $5" in text(paul.get("/alerts/rules/"))
    page = text(paul.get(f"/alerts/rules/{rule.pk}/edit/"))
    assert "Changing it takes the role" in page
    assert "Save rule" not in page
    assert paul.get("/alerts/new/").status_code == 403
    for act in ("edit", "mute", "unmute", "test", "archive"):
        assert paul.post(f"/alerts/rules/{rule.pk}/{act}/", {"until": "hour"}).status_code == 403


def test_a_change_of_something_that_changed_meanwhile_is_refused(lena):
    rule = a_rule()
    seen = rule.edit_version
    mute(ACTOR, rule)
    answer = lena.post(f"/alerts/rules/{rule.pk}/edit/", {"amount": "7", "seen": seen})
    assert answer.status_code == 409
    assert "Somebody changed this rule meanwhile" in text(answer)
    answer = lena.post(f"/alerts/rules/{rule.pk}/edit/", {"amount": "7", "seen": seen + 1, "name": rule.name})
    assert answer.status_code == 302
    rule.refresh_from_db()
    assert rule.options["amount"] == "7"


def test_a_rule_called_like_its_sentence_stays_so(lena):
    lena.post("/alerts/new/?trigger=one_run", {"amount": "5"})
    rule = AlertRule.objects.get()
    lena.post(f"/alerts/rules/{rule.pk}/edit/", {"amount": "7", "name": rule.name})
    rule.refresh_from_db()
    assert rule.name == "One run costs more than $7.00"
    lena.post(f"/alerts/rules/{rule.pk}/edit/", {"amount": "8", "name": "Dear runs"})
    lena.post(f"/alerts/rules/{rule.pk}/edit/", {"amount": "9", "name": "Dear runs"})
    rule.refresh_from_db()
    assert (rule.name, rule.options["amount"]) == ("Dear runs", "9")


def test_muting_says_for_how_long_and_is_undone(lena):
    rule = a_rule()
    lena.post(f"/alerts/rules/{rule.pk}/mute/", {"until": "hour", "reason": "A launch"})
    page = text(lena.get("/alerts/rules/"))
    assert "Muted until" in page
    assert "A launch" in page
    assert f"/alerts/rules/{rule.pk}/edit/" in text(lena.get("/alerts/rules/?state=muted"))
    entry = AuditEntry.objects.get(act="muted")
    assert lena.post(f"/alerts/rules/{rule.pk}/mute/", {"until": "zebra"}).status_code == 422
    lena.post(f"/alerts/rules/{rule.pk}/undo/{entry.pk}/")
    rule.refresh_from_db()
    assert rule.muted_at is None
    lena.post(f"/alerts/rules/{rule.pk}/mute/", {"until": "for-good"})
    rule.refresh_from_db()
    assert rule.is_muted(timezone.now() + timedelta(days=9999))
    lena.post(f"/alerts/rules/{rule.pk}/unmute/")
    rule.refresh_from_db()
    assert not rule.is_muted(timezone.now())


def test_archiving_is_undone_from_its_page_and_a_duplicate_is_another_rule(lena):
    rule = a_rule(name="Dear runs")
    lena.post(f"/alerts/rules/{rule.pk}/archive/")
    assert "Dear runs" in text(lena.get("/alerts/rules/?state=archived"))
    assert lena.post(f"/alerts/rules/{rule.pk}/edit/", {"amount": "1"}).status_code == 409
    assert lena.post(f"/alerts/rules/{rule.pk}/test/").status_code == 409
    page = text(lena.get(f"/alerts/rules/{rule.pk}/edit/"))
    entry = AuditEntry.objects.get(act="archived")
    assert f"/alerts/rules/{rule.pk}/undo/{entry.pk}/" in page
    lena.post(f"/alerts/rules/{rule.pk}/undo/{entry.pk}/")
    rule.refresh_from_db()
    assert rule.archived_at is None
    form = text(lena.get(f"/alerts/new/?copy={rule.pk}"))
    assert 'name="amount" value="5"' in form
    lena.post(f"/alerts/new/?copy={rule.pk}", {"amount": "6"})
    assert AlertRule.objects.count() == 2


def test_a_test_is_marked_and_goes_to_the_rules_channels(lena):
    silent, rule = a_rule(name="Silent"), a_rule(channel_ids=(a_channel().pk, a_channel("Finance").pk))
    answer = lena.post(f"/alerts/rules/{silent.pk}/test/")
    assert answer.status_code == 409
    assert "tells no channel" in text(answer)
    lena.post(f"/alerts/rules/{rule.pk}/test/")
    sent = Delivery.objects.all()
    assert {one.channel.name for one in sent} == {"Marketing alerts", "Finance"}
    assert all(one.payload["test"] for one in sent)
    assert not Alert.objects.exists()
    assert "A test is on its way to Finance, Marketing alerts." in text(lena.get("/alerts/rules/"))


def test_rules_say_when_they_told_last_and_what_is_wrong_with_them(lena):
    now, rule = timezone.now(), a_rule()
    an_alert(rule, now)
    Alert.objects.update(raised_at=now - timedelta(days=40))
    an_alert(rule, now, "$2")
    AlertRule.objects.filter(pk=rule.pk).update(problem="It could not be looked at: a fault")
    page = text(lena.get("/alerts/rules/?state=problem"))
    assert "a fault" in page
    assert f'/alerts/?rule={rule.pk}">1<' in page
    line = rows(lena.get("/export/alert-rules.csv"))[0]
    assert (line["alerts_in_30_days"], line["sentence"]) == (
        "1",
        "Show here, and tell nobody, when one run costs more than $5.00.",
    )


def test_a_rule_whose_trigger_is_gone_is_shown_and_archived(lena):
    rule = a_rule(name="Old")
    AlertRule.objects.filter(pk=rule.pk).update(trigger="gone", options={"x": [1]})
    assert "Old" in text(lena.get("/alerts/rules/"))
    assert lena.get(f"/alerts/rules/{rule.pk}/edit/").status_code == 200
    assert lena.post(f"/alerts/rules/{rule.pk}/edit/", {}).status_code == 409
    assert lena.post(f"/alerts/rules/{rule.pk}/archive/").status_code == 302
