"""Who runs which policy: reports of clients, the page, the list over HTTP."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.test import Client
from django.utils import timezone

from budgets.access.keys import make_key
from budgets.tests.made import at_once
from routing.bundle.compile import compile_if_changed
from routing.fleet import report as reports
from routing.fleet.listing import STATES, counts, found, state_of
from routing.fleet.report import Report, forget_silent, newest_revision, take_report
from routing.models import FleetClient, PolicyBundle
from routing.models.fleet import SETTLING
from routing.tests.alerting import client_of, rows, text

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
STATUS = "/api/v1/policy-bundle/status"


def ack(client="gw-1", revision=7, **values):
    return Report(client, "ack", epoch=1, revision=revision, **values)


def nack(client="gw-1", revision=7, error="The signature does not hold."):
    return Report(client, "nack", epoch=1, revision=revision, refused_epoch=1, refused_revision=8, error=error)


def only() -> FleetClient:
    return FleetClient.objects.get()


def test_since_when_a_revision_runs_and_what_went_wrong_last():
    key, _ = make_key("Gateway", ["bundle"])
    take_report(key.pk, ack(software="sdk 1"), NOW)
    take_report(key.pk, ack(software="sdk 2"), NOW + MINUTE)
    row = only()
    assert (row.since, row.seen_at, row.software, row.error_at) == (NOW, NOW + MINUTE, "sdk 2", None)
    take_report(key.pk, nack(), NOW + 2 * MINUTE)
    row = only()
    assert (row.since, row.revision, row.refused_revision) == (NOW, 7, 8)
    assert (row.error, row.error_at) == ("The signature does not hold.", NOW + 2 * MINUTE)
    take_report(key.pk, ack(revision=8), NOW + 3 * MINUTE)
    row = only()
    assert (row.since, row.answer, row.refused_revision) == (NOW + 3 * MINUTE, "ack", None)
    assert row.error == "The signature does not hold."  # the last problem stays to be read
    take_report(key.pk, ack(revision=7), NOW)  # came late, by another connection
    assert only().revision == 8


def test_clients_are_few_for_each_key_and_the_silent_are_forgotten(monkeypatch):
    monkeypatch.setattr(reports, "MOST", 3)
    key, other = make_key("Gateway", ["bundle"])[0], make_key("Other", ["bundle"])[0]
    take_report(other.pk, ack("theirs"), NOW - timedelta(days=31))
    for n in range(5):
        take_report(key.pk, ack(f"gw-{n}"), NOW + n * MINUTE)
    assert set(FleetClient.objects.filter(key=key).values_list("client", flat=True)) == {"gw-2", "gw-3", "gw-4"}
    assert forget_silent(NOW) == 1
    assert not FleetClient.objects.filter(key=other).exists()


def test_reports_of_one_client_at_once_are_one_row():
    key, _ = make_key("Gateway", ["bundle"])
    at_once(*[partial(take_report, key.pk, ack(revision=n), NOW + n * MINUTE) for n in range(8)])
    assert only().revision == 7


def bundles(*made_at: datetime, first: int = 1) -> None:
    PolicyBundle.objects.all().delete()
    for revision, when in enumerate(made_at, first):
        row = PolicyBundle.objects.create(epoch=1, revision=revision, body=b"{}")
        PolicyBundle.objects.filter(pk=row.pk).update(created_at=when)


def states(newest: tuple[int, int], now: datetime) -> dict[str, str]:
    return {row.client: state_of(row, newest, now) for row in FleetClient.objects.with_behind()}


def test_how_each_stands():
    key, _ = make_key("Gateway", ["bundle"])
    now, newest = NOW + timedelta(hours=1), (1, 9)
    bundles(NOW, NOW + MINUTE, now - 5 * MINUTE, first=7)
    for at in (NOW, now):
        take_report(key.pk, ack("newest", 9), at)
        take_report(key.pk, ack("older", 7), at)
        take_report(key.pk, ack("ahead", 12), at)
    take_report(key.pk, ack("just came to an older one", 8), now)
    take_report(key.pk, nack("refusing", 7), now)
    take_report(key.pk, Report("nothing", "nack", error="No signature."), now)
    take_report(key.pk, ack("silent", 9), now - timedelta(minutes=11))
    found_out = states(newest, now)
    assert found_out == {
        "newest": "current", "older": "behind", "ahead": "behind", "just came to an older one": "current",
        "refusing": "refused", "nothing": "refused", "silent": "silent",
    }  # fmt: skip
    assert counts(newest, now) == {"refused": 2, "behind": 2, "silent": 1, "current": 2}
    for state in STATES:  # what is counted is what is listed
        listed = {row.client for row in found("", state, newest, now)}
        assert listed == {client for client, one in found_out.items() if one == state}


def test_a_new_revision_puts_nobody_behind_before_it_could_be_heard_of():
    key, _ = make_key("Gateway", ["bundle"])
    bundles(NOW, NOW + 10 * MINUTE)
    for at in (NOW, NOW + 9 * MINUTE, NOW + 10 * MINUTE + SETTLING / 2):
        take_report(key.pk, ack("gw", 1), at)
        assert states((1, 2), at) == {"gw": "current"}
    late = NOW + 10 * MINUTE + SETTLING
    take_report(key.pk, ack("gw", 1), late)
    assert states((1, 2), late) == {"gw": "behind"}


def test_who_stands_still_while_many_are_made_is_behind_though_the_next_is_kept_no_more():
    """Two revisions a second leave the two hundred that are kept less than two minutes old."""
    key, _ = make_key("Gateway", ["bundle"])
    now = NOW + timedelta(hours=1)
    bundles(*[now - timedelta(seconds=n) for n in (3, 2, 1)], first=7_000)
    for at in (NOW, now):
        take_report(key.pk, ack("stands still", 40), at)
    take_report(key.pk, ack("keeps up", 6_998), now)
    assert states((1, 7_002), now) == {"stands still": "behind", "keeps up": "current"}
    assert [(row.client, row.behind_at) for row in FleetClient.objects.late()] == [("stands still", NOW)]


def test_a_client_reports_over_http():
    _, key = make_key("Gateway", ["bundle"])
    _, reader = make_key("Reader", ["read"])
    revision = compile_if_changed()
    headers = {"HTTP_AUTHORIZATION": f"Bearer {key}"}
    send = partial(Client().post, STATUS, content_type="application/json")
    answer = send({"client": "gw-1", "answer": "ack", "epoch": 1, "revision": revision}, **headers)
    assert (answer.status_code, answer.json()) == (200, {"epoch": 1, "revision": revision})
    assert only().revision == revision and newest_revision() == (1, revision)
    for body, field in (
        ({"answer": "ack", "epoch": 1, "revision": 1}, "client"),
        ({"client": "gw", "answer": "yes"}, "answer"),
        ({"client": "gw", "answer": "ack"}, "revision"),
        ({"client": "gw", "answer": "ack", "revision": 4}, "revision"),
        ({"client": "gw", "answer": "nack", "epoch": 1, "revision": 1}, "error"),
        ({"client": "gw", "answer": "ack", "epoch": -1, "revision": 1}, "epoch"),
        ({"client": "gw", "answer": "ack", "epoch": 1, "revision": 10**30}, "revision"),
        ({"client": "g" * 200, "answer": "ack", "epoch": 1, "revision": 1}, "client"),
        ({"client": "g\x00w", "answer": "ack", "epoch": 1, "revision": 1}, "client"),
    ):
        answer = send(body, **headers)
        assert answer.status_code == 422 and field in answer.json()["errors"], body
    assert send({"client": "gw", "answer": "ack", "epoch": 1, "revision": 1}).status_code == 401
    refused = send({"client": "gw"}, HTTP_AUTHORIZATION=f"Bearer {reader}")
    assert refused.status_code == 403
    listed = Client().get("/api/v1/policy-bundle/clients", HTTP_AUTHORIZATION=f"Bearer {reader}").json()["results"]
    assert [(one["client"], one["state"], one["key"]) for one in listed] == [("gw-1", "current", "Gateway")]
    admin = client_of("ada", "administrator")
    assert admin.post(STATUS, {"client": "x"}, content_type="application/json").status_code == 403


def test_the_page_and_its_csv_say_the_same():
    client = client_of("paul", "viewer")
    assert "No gateway has reported yet" in text(client.get("/data/gateways/"))
    key, _ = make_key("Gateway", ["bundle"])
    revision = compile_if_changed()
    now = timezone.now()
    PolicyBundle.objects.update(created_at=now - 5 * MINUTE)
    take_report(key.pk, ack("eu-1", revision), now)
    for at in (now - 4 * MINUTE, now):
        take_report(key.pk, ack("eu-2", revision - 1), at)
    take_report(key.pk, nack("us-1", revision - 1, "Older <b>revision</b>."), now)
    shown = text(client.get("/data/gateways/"))
    assert "2 gateways do not go by the newest policy" in shown
    assert "1 revision behind" in shown and "Older &lt;b&gt;revision" in shown
    told = rows(client.get("/export/gateways.csv"))
    assert {one["client"]: one["state"] for one in told} == {"eu-1": "current", "eu-2": "behind", "us-1": "refused"}
    assert [one["client"] for one in rows(client.get("/export/gateways.csv?state=behind"))] == ["eu-2"]
    assert "No gateway matches" in text(client.get("/data/gateways/?q=asia&state=nope\x00"))
    assert "1 <small>of 3 that report" in text(client.get("/data/gateways/card/"))


def test_when_all_are_silent_nothing_is_said_to_be_well():
    client = client_of("paul", "viewer")
    key, _ = make_key("Gateway", ["bundle"])
    revision = compile_if_changed()
    take_report(key.pk, ack("eu-1", revision), timezone.now() - timedelta(hours=1))
    page, card = text(client.get("/data/gateways/")), text(client.get("/data/gateways/card/"))
    assert "No gateway was heard of in the last ten minutes." in page
    assert "Every gateway that was heard of" not in page
    assert "Fine" not in card and "reaches all of them" not in card
    assert "None of them was heard of in the last ten minutes." in card
    take_report(key.pk, ack("eu-2", revision), timezone.now())
    page, card = text(client.get("/data/gateways/")), text(client.get("/data/gateways/card/"))
    assert "Every gateway that was heard of in the last ten minutes goes by the newest policy." in page
    assert "Fine" in card and "1 was not heard of in the last ten minutes." in card


def test_what_the_page_asks_of_the_database(django_assert_max_num_queries):
    client = client_of("paul", "viewer")
    key, _ = make_key("Gateway", ["bundle"])
    for n in range(60):
        take_report(key.pk, ack(f"gw-{n}"), timezone.now())
    client.get("/data/gateways/")
    with django_assert_max_num_queries(16):
        client.get("/data/gateways/")
