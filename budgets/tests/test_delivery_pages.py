"""Channels and deliveries in the browser."""

import json

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from budgets.delivery.sealed import secret_of
from budgets.delivery.send import Tried, claim, settle
from budgets.models import AuditEntry, Channel, Delivery

pytestmark = pytest.mark.django_db
MAIL = {"name": "Marketing", "to": "ann@example.com", "digest_at": "09:00"}


@pytest.fixture
def boss():
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


def made(boss, **values):
    answer = boss.post("/settings/channels/new/?transport=email", MAIL | values)
    assert answer.status_code == 302, answer.content.decode()
    return Channel.objects.get(name=(MAIL | values)["name"])


def test_a_channel_is_made_changed_tested_removed_and_back(boss):
    assert b"No channel yet" in boss.get("/settings/channels/").content
    channel = made(boss)
    assert b"ann@example.com" in boss.get("/settings/channels/").content
    edited = MAIL | {"to": "bob@example.com", "quiet_from": "20:00", "quiet_to": "08:00", "seen": "1"}
    assert boss.post(f"/settings/channels/{channel.pk}/", edited).status_code == 302
    assert boss.post(f"/settings/channels/{channel.pk}/", edited | {"name": "Other"}).status_code == 409
    boss.post(f"/settings/channels/{channel.pk}/test/")
    delivery = Delivery.objects.get()
    assert delivery.payload["test"] and delivery.address == "bob@example.com"
    boss.post(f"/settings/channels/{channel.pk}/remove/")
    delivery.refresh_from_db()
    assert delivery.state == "cancelled"
    entry = AuditEntry.objects.order_by("-pk").first()
    boss.post(f"/settings/channels/{channel.pk}/undo/{entry.pk}/")
    channel.refresh_from_db()
    assert (channel.name, channel.archived_at) == ("Marketing", None)
    acts = list(AuditEntry.objects.order_by("pk").values_list("act", flat=True))
    assert acts == ["created", "changed", "tested", "archived", "restored"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "…"}, "Give it a name"),
        ({"name": "marketing"}, "There is a channel called"),
        ({"to": "ann"}, "is no e-mail address"),
        ({"to": ""}, "Type at least one e-mail address"),
        ({"quiet_from": "20:00"}, "Quiet hours need both times"),
        ({"quiet_from": "20:00", "quiet_to": "20:00"}, "end at another time"),
        ({"digest_at": "late"}, "Enter a valid time"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(boss, values, said):
    made(boss)
    answer = boss.post("/settings/channels/new/?transport=email", MAIL | {"name": "New"} | values)
    assert answer.status_code == 422 and said in answer.content.decode()


def test_a_webhooks_secret_is_shown_once_and_its_address_never(boss):
    url = "https://hooks.example.com/very-secret-path"
    values = {"name": "Hook", "url": url, "digest_at": "09:00"}
    answer = boss.post("/settings/channels/new/?transport=webhook", values)
    channel = Channel.objects.get()
    secret = secret_of(channel)["secrets"][0]["secret"]
    assert secret in answer.content.decode() and "no-store" in answer["Cache-Control"]
    pages = [boss.get(path).content.decode() for path in ("/settings/channels/", f"/settings/channels/{channel.pk}/")]
    assert all(secret not in page and "very-secret" not in page for page in pages)
    assert "hooks.example.com" in pages[0]
    renamed = {"name": "Hook 2", "digest_at": "09:00"}
    assert boss.post(f"/settings/channels/{channel.pk}/", renamed).status_code == 302
    channel.refresh_from_db()
    assert secret_of(channel)["url"] == url  # left empty: kept
    renewed = boss.post(f"/settings/channels/{channel.pk}/secret/").content.decode()
    channel.refresh_from_db()
    kept = [one["secret"] for one in secret_of(channel)["secrets"]]
    assert kept[0] in renewed and kept[1] == secret
    history = json.dumps(list(AuditEntry.objects.values("before", "after")))
    assert "very-secret" not in history and kept[0] not in history and secret not in history
    assert url.encode() not in bytes(channel.sealed)


def test_deliveries_are_found_sent_again_and_exported(boss):
    channel = made(boss)
    boss.post(f"/settings/channels/{channel.pk}/test/")
    settle(claim(timezone.now()), Tried("failed", "No such person"), timezone.now())
    page = boss.get("/settings/deliveries/?state=failed&q=messages").content.decode()
    assert "No such person" in page and "Send again" in page
    assert "No message matches" in boss.get("/settings/deliveries/?q=nothing").content.decode()
    delivery = Delivery.objects.get()
    boss.post(f"/settings/deliveries/{delivery.pk}/again/")
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("queued", 0)
    text = b"".join(boss.get("/export/deliveries.csv").streaming_content).decode()
    assert text.splitlines()[1].split(",")[1:7] == [
        "test", "This is how messages from TokenOps to Marketing look", "Marketing", "email", "ann@example.com",
        "queued",
    ]  # fmt: skip


@pytest.mark.parametrize("query", ["?channel=%00", "?channel=99999999999999999999", "?state=%27", "?q=%00", "?page=x"])
def test_hostile_queries_are_ignored(boss, query):
    assert boss.get(f"/settings/deliveries/{query}").status_code == 200
