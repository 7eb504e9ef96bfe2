"""Alerts put into messages: at once, later or in a digest, alone or together, each notice in one message."""

import threading
from datetime import UTC, datetime, time, timedelta

import pytest
from django.db import connection

from budgets.alerts.findings import Finding, Over
from budgets.alerts.tell import resolve, tell
from budgets.delivery import compose as composing
from budgets.delivery.compose import compose
from budgets.models import AlertRule, Channel, Delivery, Notice, Organisation

pytestmark = pytest.mark.django_db(transaction=True)
NOON = datetime(2026, 11, 18, 11, 0, tzinfo=UTC)  # noon in Berlin
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def berlin():
    Organisation.objects.update_or_create(id=1, defaults={"time_zone": "Europe/Berlin"})


@pytest.fixture
def channel():
    return Channel.objects.create(name="Marketing", transport="email", address="a@example.com")


def a_rule(channel, urgent=True):
    rule = AlertRule.objects.create(name="R", trigger="x", urgent=urgent, since=NOON - 9 * DAY)
    rule.channels.add(channel)
    return rule


def tell_of(rule, *causes, now=NOON):
    found = [Finding(cause, f"$5: {cause}", now, "/data/", facts={"Spent": "$5"}) for cause in causes]
    return tell(rule, found, now)


def sent():
    return [one.payload for one in Delivery.objects.order_by("pk")]


def test_one_alert_is_one_message_with_its_facts(channel):
    tell_of(a_rule(channel), "a")
    assert [compose(NOON), compose(NOON)] == [1, 0]
    (payload,) = sent()
    assert payload["title"] == "$5: a" and payload["facts"] == [{"label": "Spent", "value": "$5"}]
    assert payload["path"].startswith("/alerts/")
    assert Delivery.objects.get().channel == channel


def test_what_comes_together_is_one_message(channel):
    tell_of(a_rule(channel), "a", "b", "c")
    assert compose(NOON) == 1
    (payload,) = sent()
    assert payload["title"] == "3 alerts" and [one["title"] for one in payload["items"]] == ["$5: a", "$5: b", "$5: c"]
    assert Notice.objects.filter(delivery=None).count() == 0


def test_after_many_messages_the_next_waits_and_tells_of_everything(channel):
    rule = a_rule(channel)
    for n in range(composing.MANY):
        tell_of(rule, f"first {n}")
        assert compose(NOON) == 1
    Delivery.objects.update(created_at=NOON)
    tell_of(rule, "late 1")
    tell_of(rule, "late 2")
    assert compose(NOON + timedelta(seconds=30)) == 0
    assert compose(NOON + timedelta(seconds=61)) == 1
    assert sent()[-1]["title"] == "2 alerts"


def test_that_it_is_over_is_told_once(channel):
    rule = a_rule(channel)
    tell_of(rule, "a")
    compose(NOON)
    resolve(rule, [Over("a", "Back under.")], NOON)
    resolve(rule, [Over("a", "Back under.")], NOON)
    compose(NOON)
    assert [one["title"] for one in sent()] == ["$5: a", "Resolved: $5: a"]
    assert sent()[1]["text"] == "Back under." and sent()[1]["resolved"]


def test_quiet_hours_hold_back_everything_but_new_urgent_alerts(channel):
    """From 22:00 to 7:00 in Berlin, over midnight."""
    Channel.objects.update(quiet_from=time(22), quiet_to=time(7))
    rule = a_rule(channel)
    night = datetime(2026, 11, 18, 22, 30, tzinfo=UTC)  # 23:30 in Berlin
    tell_of(rule, "a", now=night)
    assert compose(night) == 1
    resolve(rule, [Over("a", "Back under.")], night)
    assert compose(night + timedelta(hours=7, minutes=29)) == 0
    assert compose(night + timedelta(hours=7, minutes=30)) == 1


def test_what_is_not_urgent_comes_once_a_day_at_the_channels_time(channel):
    Channel.objects.update(digest_at=time(9))
    rule = a_rule(channel, urgent=False)
    tell_of(rule, "a")
    tell_of(rule, "b", now=NOON + timedelta(hours=3))
    assert compose(NOON + timedelta(hours=20)) == 0  # 8:00 in Berlin
    assert compose(NOON + timedelta(hours=21)) == 1
    (payload,) = sent()
    assert payload["title"] == "Your alerts of the day: 2 alerts" and payload["kind"] == "digest"
    assert not payload["urgent"]


def test_what_waits_for_a_digest_is_not_read_each_second(channel):
    Channel.objects.update(digest_at=time(9))
    channel.refresh_from_db()
    zone = Organisation.get().zone
    tell_of(a_rule(channel, urgent=False), *"abcdef")
    waiting = Notice.objects.filter(channel=channel)
    assert composing.maybe_due(waiting, channel, NOON + timedelta(hours=20), zone).count() == 0
    assert composing.maybe_due(waiting, channel, NOON + timedelta(hours=21), zone).count() == 6


def test_what_one_pass_leaves_is_told_in_the_next(channel, monkeypatch):
    monkeypatch.setattr(composing, "AT_ONCE", 2)
    tell_of(a_rule(channel), *"abcde")
    assert [compose(NOON) for _ in range(4)] == [1, 1, 1, 0]
    assert [one["title"] for one in sent()] == ["2 alerts", "2 alerts", "$5: e"]


def test_a_digest_that_falls_into_quiet_hours_comes_after_them(channel):
    Channel.objects.update(digest_at=time(9), quiet_from=time(20), quiet_to=time(10))
    tell_of(a_rule(channel, urgent=False), "a")
    assert compose(NOON + timedelta(hours=21, minutes=59)) == 0
    assert compose(NOON + timedelta(hours=22)) == 1


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-03-28", 23), ("2026-10-24", 25), ("2026-11-18", 24)],  # Berlin's clocks go forward, go back, stay
)
def test_the_digest_keeps_its_hour_across_daylight_saving(day, hours):
    zone = Organisation.get().zone
    at = datetime.combine(datetime.fromisoformat(day).date(), time(9), zone)
    later = composing.next_at(time(9), at.astimezone(UTC) + timedelta(seconds=1), zone)
    assert (later.astimezone(UTC) - at.astimezone(UTC)) == timedelta(hours=hours)


def test_a_removed_channel_hears_nothing(channel):
    tell_of(a_rule(channel), "a")
    Channel.objects.update(archived_at=NOON)
    assert compose(NOON) == 0 and not Delivery.objects.exists() and not Notice.objects.exists()


def test_eight_at_once_make_each_message_once(channel):
    rule = a_rule(channel)
    others = [Channel.objects.create(name=f"c{n}", transport="email", address="a@example.com") for n in range(4)]
    rule.channels.add(*others)
    faults = []

    def run():
        try:
            tell_of(rule, "a", "b")
            compose(NOON)
        except Exception as fault:
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    compose(NOON)
    assert faults == []
    assert Delivery.objects.count() == 5
    assert Notice.objects.count() == 10 and not Notice.objects.filter(delivery=None).exists()
