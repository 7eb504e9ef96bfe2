"""The outbox on PostgreSQL: each message once, tried again with longer pauses, given up aloud."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from budgets.delivery import send
from budgets.delivery.message import Message
from budgets.delivery.queue import queue
from budgets.delivery.send import claim, send_again, send_due, settle
from budgets.delivery.transport import Refused, Temporary
from budgets.models import Delivery

pytestmark = pytest.mark.django_db(transaction=True)


class Recorder:
    """A transport that keeps what it was given, or fails as told."""

    key, words, fields = "recorder", "Recorder", ()

    def __init__(self):
        self.sent, self.fault = [], None

    def send(self, target, message):
        if self.fault:
            raise self.fault
        self.sent.append((target.id, message.title))
        return {"ts": "1"}


@pytest.fixture
def recorder(monkeypatch):
    one = Recorder()
    monkeypatch.setitem(send.TRANSPORTS, "recorder", one)
    return one


def waiting(key="a", **values):
    return queue(Message(title=f"Message {key}"), key, transport="recorder", address="x", **values)


def test_a_message_leaves_once_and_is_recorded(recorder):
    delivery = waiting()
    assert waiting() is None
    assert [send_due(), send_due()] == [1, 0]
    delivery.refresh_from_db()
    assert recorder.sent == [(f"tokenops-{delivery.pk}", "Message a")]
    assert (delivery.state, delivery.attempts, delivery.external, delivery.problem) == ("sent", 1, {"ts": "1"}, "")


def test_not_before_its_time(recorder):
    waiting(not_before=timezone.now() + timedelta(hours=1))
    assert send_due() == 0
    assert send_due(timezone.now() + timedelta(hours=2)) == 1


def test_pauses_grow_until_it_is_given_up_and_said_why(recorder):
    delivery = waiting()
    recorder.fault = Temporary("No answer.")
    now, pauses = delivery.next_at, []
    for _ in range(100):
        send_due(now)
        delivery.refresh_from_db()
        if delivery.state != "queued":
            break
        pauses.append((delivery.next_at - now).total_seconds())
        now = delivery.next_at
    assert pauses[:8] == [30, 60, 120, 240, 480, 960, 1920, 3600]
    assert delivery.state == "failed"
    assert delivery.problem == f"Given up after {delivery.attempts} attempts. No answer."
    assert now <= delivery.give_up_at
    recorder.fault = None
    assert send_again(delivery, now)
    assert send_due(now) == 1
    delivery.refresh_from_db()
    assert not send_again(delivery, now)


def test_what_will_never_be_taken_is_not_tried_again(recorder):
    delivery = waiting()
    recorder.fault = Refused("No such channel.")
    send_due()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.problem, delivery.attempts) == ("failed", "No such channel.", 1)


def test_a_fault_of_our_own_is_tried_again_and_gives_nothing_away(recorder):
    delivery = waiting()
    recorder.fault = ValueError("secret-token")
    send_due()
    delivery.refresh_from_db()
    assert delivery.state == "queued" and "secret-token" not in delivery.problem


def test_killed_after_the_claim_it_leaves_after_the_lease(recorder):
    delivery = waiting()
    now = timezone.now()
    assert claim(now).pk == delivery.pk  # and died here
    assert send_due(now) == 0
    assert send_due(now + send.LEASE) == 1
    assert len(recorder.sent) == 1


def test_killed_after_sending_it_leaves_twice_with_one_id(recorder):
    delivery = waiting()
    now = timezone.now()
    send.attempt(claim(now))  # and died before it was recorded
    send_due(now + send.LEASE)
    assert recorder.sent == [(f"tokenops-{delivery.pk}", "Message a")] * 2


def test_who_lost_the_lease_records_nothing(recorder):
    waiting()
    now = timezone.now()
    late = claim(now)
    assert send_due(now + send.LEASE) == 1
    assert not settle(late, send.Tried("failed", "late"), now)
    assert Delivery.objects.get().state == "sent"


def test_eight_senders_send_each_once(recorder):
    for n in range(40):
        waiting(str(n))
    faults = []

    def run():
        try:
            send_due()
        except Exception as fault:
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    send_due()
    assert faults == []
    assert sorted(title for _, title in recorder.sent) == sorted(f"Message {n}" for n in range(40))


def test_a_link_that_lets_somebody_in_is_not_kept_once_it_was_sent(recorder):
    message = Message(title="Join", path="/invitation/secret/", kind="invitation")
    delivery = queue(message, "i", transport="recorder", address="x")
    assert delivery.payload["path"] == "/invitation/secret/"
    send_due()
    delivery.refresh_from_db()
    assert delivery.payload["path"] == "" and delivery.payload["title"] == "Join"
