"""Alerts and their rules over HTTP, with keys and as people."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from budgets.access.keys import KeyHolder
from budgets.alerts.rules import mute
from budgets.models import Alert, AlertRule, AuditEntry, Delivery, Organisation, Team, Workflow
from budgets.tests.made import ACTOR
from routing.alerts.triggers import TRIGGERS
from routing.tests.alerting import a_channel, a_rule, a_run, an_alert, client_of

pytestmark = pytest.mark.django_db
RULES, ALERTS = "/api/v1/alert-rules", "/api/v1/alerts"


@pytest.fixture(autouse=True)
def company():
    AlertRule.objects.all().delete()
    Organisation.objects.update_or_create(id=1, defaults={"time_zone": "Europe/Berlin"})
    team = Team.objects.create(slug="content", name="Content")
    Team.objects.create(slug="ads", name="Ads")
    Workflow.objects.create(slug="briefs", name="SEO briefs", team=team, default_tier=1, status="production")


@pytest.fixture(autouse=True)
def known_keys(monkeypatch):
    """The server knows keys once they are committed; here as soon as they are made."""
    known: dict[str, KeyHolder] = {}
    monkeypatch.setattr("budgets.access.drf.find", known.get)
    return known


class Caller:
    """Sends JSON, with a key or as whoever the client is signed in as."""

    def __init__(self, client: Client, **headers: str) -> None:
        self.client, self.headers = client, headers

    def __call__(self, method: str, path: str, data: Any = None) -> Any:
        sent = {} if data is None else {"data": data, "content_type": "application/json"}
        return getattr(self.client, method)(path, headers=self.headers, **sent)


def with_key(known: dict[str, KeyHolder], scope: str, *teams: str) -> Caller:
    ids = frozenset(Team.objects.filter(slug__in=teams).values_list("pk", flat=True))
    known[scope] = KeyHolder(1, "Agent", 1, "agent", (("agent", 1),), frozenset({scope}), None, ids)
    return Caller(Client(), authorization=f"Bearer {scope}")


@pytest.fixture
def admin(known_keys):
    return with_key(known_keys, "admin")


@pytest.fixture
def reader(known_keys):
    return with_key(known_keys, "read")


@pytest.fixture
def of_content(known_keys):
    return with_key(known_keys, "admin", "content")


def test_a_rule_is_made_read_changed_and_archived(admin, reader):
    channel = a_channel()
    made = admin("post", RULES, {"trigger": "one_run", "options": {"amount": "5.00"}, "channels": [channel.pk]})
    assert made.status_code == 201
    rule = made.json()
    assert rule["sentence"] == "Tell Marketing alerts when one run costs more than $5.00."
    assert (rule["name"], rule["options"]["amount"], rule["urgent"]) == ("One run costs more than $5.00", "5", True)
    address = f"{RULES}/{rule['id']}"
    assert reader("get", address).json() == rule
    assert [one["id"] for one in reader("get", RULES).json()["results"]] == [rule["id"]]
    changed = admin("patch", address, {"options": {"steps": 9}, "urgent": False, "edit_version": rule["edit_version"]})
    assert changed.status_code == 200
    assert (changed.json()["options"]["amount"], changed.json()["options"]["steps"]) == ("5", 9)
    assert changed.json()["channels"] == [channel.pk]
    late = admin("patch", address, {"urgent": True, "edit_version": rule["edit_version"]})
    assert (late.status_code, late.json()["edit_version"]) == (409, changed.json()["edit_version"])
    assert admin("delete", address).status_code == 204
    assert reader("get", RULES).json()["results"] == []
    assert len(reader("get", f"{RULES}?state=archived").json()["results"]) == 1
    assert admin("patch", address, {"urgent": True}).status_code == 409
    assert [one.act for one in AuditEntry.objects.filter(object_type="budgets.alertrule").order_by("pk")] == [
        "created", "changed", "archived",
    ]  # fmt: skip
    assert set(AuditEntry.objects.values_list("who_text", flat=True)) == {"key Agent"}


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "trigger"),
        ({"trigger": "zebra"}, "trigger"),
        ({"trigger": "one_run"}, "options"),
        ({"trigger": "one_run", "options": {"amount": "five"}}, "options"),
        ({"trigger": "one_run", "options": {"amount": "5", "zebra": 1}}, "options"),
        ({"trigger": "one_run", "options": [1]}, "options"),
        ({"trigger": "one_run", "options": {"amount": "5"}, "team": "none"}, "team"),
        ({"trigger": "one_run", "options": {"amount": "5"}, "owner": "nobody"}, "owner"),
        ({"trigger": "one_run", "options": {"amount": "5"}, "channels": [99]}, "channels"),
        ({"trigger": "one_run", "options": {"amount": "5"}, "channels": [10**30]}, "channels"),
        ({"trigger": "one_run", "options": {"amount": "5"}, "name": "x" * 200}, "name"),
    ],
)
def test_what_is_wrong_is_said_by_field(admin, sent, field):
    answer = admin("post", RULES, sent)
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [field]
    assert not AlertRule.objects.exists()


def test_a_key_that_reads_changes_nothing(reader):
    rule = a_rule(channel_ids=(a_channel().pk,))
    alert = an_alert(rule, timezone.now())
    paths = [f"{RULES}/{rule.pk}/{act}" for act in ("mute", "unmute", "test")]
    paths += [RULES, *(f"{ALERTS}/{alert.pk}/{act}" for act in ("acknowledge", "own", "snooze"))]
    assert {reader("post", path, {}).status_code for path in paths} == {403}
    assert reader("patch", f"{RULES}/{rule.pk}", {"urgent": False}).status_code == 403
    assert reader("delete", f"{RULES}/{rule.pk}").status_code == 403


def test_a_key_of_a_team_reaches_its_own_only(of_content):
    content, ads = Team.objects.get(slug="content"), Team.objects.get(slug="ads")
    company, theirs = a_rule(name="All"), a_rule(name="Ours", team_id=content.pk)
    ours, other = an_alert(company, timezone.now(), "$1", content), an_alert(company, timezone.now(), "$2", ads)
    assert [one["name"] for one in of_content("get", RULES).json()["results"]] == ["Ours"]
    assert of_content("get", f"{RULES}/{company.pk}").status_code == 404
    assert of_content("delete", f"{RULES}/{company.pk}").status_code == 404
    assert of_content("get", f"{RULES}/{company.pk}/preview").status_code == 404
    assert [one["title"] for one in of_content("get", ALERTS).json()["results"]] == ["$1"]
    assert of_content("post", f"{ALERTS}/{other.pk}/acknowledge").status_code == 404
    assert of_content("post", f"{ALERTS}/{ours.pk}/acknowledge").status_code == 200
    new = {"trigger": "one_run", "options": {"amount": "5"}}
    for team in (None, "ads"):
        assert list(of_content("post", RULES, new | {"team": team}).json()["errors"]) == ["team"]
    assert of_content("post", RULES, new | {"team": "content"}).status_code == 201
    assert list(of_content("patch", f"{RULES}/{theirs.pk}", {"team": None}).json()["errors"]) == ["team"]


def test_muting_and_unmuting(admin, reader):
    rule = a_rule()
    later = (timezone.now() + timedelta(days=2)).isoformat()
    answer = admin("post", f"{RULES}/{rule.pk}/mute", {"until": later, "reason": "A launch"})
    assert (answer.status_code, answer.json()["mute_reason"]) == (200, "A launch")
    assert [one["id"] for one in reader("get", f"{RULES}?state=muted").json()["results"]] == [rule.pk]
    past = admin("post", f"{RULES}/{rule.pk}/mute", {"until": "2001-01-01T00:00:00Z"})
    assert (past.status_code, list(past.json()["errors"])) == (422, ["until"])
    assert admin("post", f"{RULES}/{rule.pk}/unmute", {}).json()["muted_at"] is None


def test_a_test_goes_to_the_channels(admin):
    rule, silent = a_rule(channel_ids=(a_channel().pk,)), a_rule()
    answer = admin("post", f"{RULES}/{rule.pk}/test")
    assert (answer.status_code, answer.json()) == (202, {"channels": ["Marketing alerts"]})
    assert Delivery.objects.get().payload["test"] is True
    assert admin("post", f"{RULES}/{silent.pk}/test").status_code == 409


def test_a_preview_has_the_alerts_and_the_weeks(reader):
    now = timezone.now()
    a_run(Workflow.objects.get(slug="briefs"), now - timedelta(days=3), 12, "a")
    a_run(Workflow.objects.get(slug="briefs"), now - timedelta(days=40), 7, "b")
    rule = a_rule(channel_ids=(a_channel().pk,))
    found = reader("get", f"{RULES}/{rule.pk}/preview").json()
    assert (found["count"], found["said"]) == (2, "In the last 90 days this would have sent 2 messages.")
    assert [one["amount"] for one in found["alerts"]] == ["12", "7"]
    assert sum(found["weeks"].values()) == 2
    assert reader("get", f"{RULES}/{rule.pk}/preview?days=10").json()["count"] == 1
    for days in ("0", "91", "x", "-1", "9999"):
        assert reader("get", f"{RULES}/{rule.pk}/preview?days={days}").status_code == 422


def test_there_is_a_list_of_what_a_rule_can_tell_of(reader):
    found = {one["key"]: one for one in reader("get", "/api/v1/alert-triggers").json()}
    assert found.keys() == TRIGGERS.keys()
    window = next(one for one in found["spend_above"]["options"] if one["name"] == "window")
    assert (window["kind"], window["default"]) == ("choice", "day")
    assert "day" in window["choices"]


def test_alerts_are_listed_by_filters(reader):
    now, rule = timezone.now(), a_rule(name="Dear runs")
    first = an_alert(rule, now, "$12 for briefs", Team.objects.get(slug="content"))
    second = an_alert(a_rule(name="Other"), now, "$9 for copy")
    Alert.objects.filter(pk=second.pk).update(resolved_at=now)
    for query, wanted in {
        "": {first.pk, second.pk}, "q=%00": {first.pk, second.pk}, "state=open": {first.pk}, "q=DEAR": {first.pk},
        "state=resolved": {second.pk}, "q=copy": {second.pk}, "team=content": {first.pk}, "owner=nobody": set(),
        f"rule={rule.pk}": {first.pk},
    }.items():  # fmt: skip
        found = reader("get", f"{ALERTS}?{query}")
        assert {one["id"] for one in found.json()["results"]} == wanted, query
    assert reader("get", f"{ALERTS}?state=zebra").status_code == 422
    assert reader("get", f"{ALERTS}?rule=x").status_code == 422
    one = reader("get", f"{ALERTS}/{first.pk}").json()
    assert (one["amount"], one["state"], one["facts"]["Cost"]) == ("12", "open", "$12")
    assert (one["rule_name"], one["team"], one["path"]) == ("Dear runs", "content", "/workflows/briefs/")


def test_alerts_are_handled(admin):
    now, alert = timezone.now(), an_alert(a_rule(), timezone.now())
    lena = client_of("lena", "approver")
    address = f"{ALERTS}/{alert.pk}"
    assert admin("post", f"{address}/acknowledge").json()["state"] == "acknowledged"
    assert list(admin("post", f"{address}/own", {}).json()["errors"]) == ["owner"]
    assert list(admin("post", f"{address}/own", {"owner": "nobody"}).json()["errors"]) == ["owner"]
    assert admin("post", f"{address}/own", {"owner": "lena"}).json()["owner"] == "lena"
    assert admin("post", f"{address}/own", {"owner": None}).json()["owner"] is None
    assert Caller(lena)("post", f"{address}/own", {}).json()["owner"] == "lena"
    later = (now + timedelta(hours=2)).isoformat()
    assert admin("post", f"{address}/snooze", {"until": later}).json()["state"] == "snoozed"
    assert admin("post", f"{address}/snooze", {"until": None}).json()["snoozed_until"] is None
    for until in ("2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "soon"):
        assert admin("post", f"{address}/snooze", {"until": until}).status_code == 422
    Alert.objects.filter(pk=alert.pk).update(resolved_at=now)
    assert admin("post", f"{address}/snooze", {"until": later}).status_code == 409


def test_a_rule_whose_trigger_is_gone_answers_still(admin):
    rule = a_rule(name="Old")
    AlertRule.objects.filter(pk=rule.pk).update(trigger="gone")
    assert admin("get", f"{RULES}/{rule.pk}").json()["sentence"] == "Old"
    assert admin("get", f"{RULES}/{rule.pk}/preview").status_code == 409
    assert admin("patch", f"{RULES}/{rule.pk}", {"urgent": False}).status_code == 409


def test_a_muted_rule_that_ended_is_not_listed_as_muted(reader):
    rule = a_rule()
    mute(ACTOR, rule, timezone.now() + timedelta(hours=1))
    AlertRule.objects.filter(pk=rule.pk).update(muted_until=timezone.now() - timedelta(hours=1))
    assert reader("get", f"{RULES}?state=muted").json()["results"] == []
