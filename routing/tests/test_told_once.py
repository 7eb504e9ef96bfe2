"""On PostgreSQL, with processes of their own: one alert and one message for a crossing, and none lost to a kill."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.utils import timezone

from budgets.alerts.rules import RuleValues, create_rule
from budgets.delivery.channels import ChannelValues, create_channel
from budgets.delivery.message import Message
from budgets.delivery.queue import queue
from budgets.delivery.send import LEASE, send_due
from budgets.limits.edit import BudgetValues, create_budget
from budgets.models import Alert, BudgetState, Channel, Crossing, Delivery, Workflow
from budgets.tests.made import ACTOR
from routing.alerts.triggers import TRIGGERS
from routing.tasks import settle
from usage.models import LedgerEntry
from usage.tests.events import a_sender, price_the_model

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]
PROCESSES = 8
EACH = 10  # events of one process

BEGIN = "import django; django.setup(); import sys, json, os, signal, time\n"
CHARGE = """
from datetime import UTC, datetime
from usage.ingest.decode import decode
from usage.ingest.write import Intake, Sender
from budgets.tasks import deliver
from routing.tasks import settle
number, source = int(sys.argv[1]), int(sys.argv[2])
sender = Sender(source, "gateway")
print("ready", flush=True); sys.stdin.readline()
for n in range(int(sys.argv[3])):
    event = {"id": f"{number}-{n}", "time": datetime.now(UTC).isoformat(), "workflow": "briefs", "provider": "acme",
             "model": "test-model", "input_tokens": 1000, "output_tokens": 100}
    answer = Intake(sender, decode(json.dumps(event).encode(), "application/json", {}, 10), datetime.now(UTC)).take()
    assert answer.accepted == 1, answer
    settle()
    deliver()
"""
# A worker that dies at one step of a delivery: what it does up to there is what any worker does.
DIE = """
from budgets.delivery import send
step = sys.argv[1]
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
attempt, settled = send.attempt, send.settle
if step == "claimed":
    send.attempt = die
elif step == "sending":
    import http.client
    http.client.HTTPConnection.getresponse = die
elif step == "sent":
    send.settle = die
elif step == "recording":
    from budgets.models import Delivery
    save = Delivery.save
    Delivery.save = lambda self, *a, **k: (save(self, *a, **k), die())
elif step == "recorded":
    send.settle = lambda *a: (settled(*a), die())
send.send_due()
"""


class Receiver:
    """A web server that takes webhooks and keeps each one's id."""

    def __init__(self) -> None:
        came: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                came.append(self.headers["webhook-id"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.came = came
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver(settings) -> Iterator[Receiver]:
    settings.DELIVERY_ALLOW_PRIVATE = True
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def a_webhook(receiver: Receiver) -> Channel:
    typed = {"url": f"http://127.0.0.1:{receiver.server.server_port}/in"}
    return create_channel(ACTOR, ChannelValues("Marketing alerts", "webhook", typed))


def started(code: str, *arguments: object) -> "subprocess.Popen[str]":
    """A process of the product's code on the test's own database."""
    address = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", BEGIN + code, *map(str, arguments)],
        env={**os.environ, "DATABASE_URL": address, "DELIVERY_ALLOW_PRIVATE": "true"},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_eight_processes_charge_across_a_threshold_and_one_message_leaves(receiver):
    price_the_model()  # a call costs 3,000,000 nano-dollars
    source = a_sender().source_id
    Workflow.objects.create(slug="briefs", name="Briefs", status=Workflow.Status.PRODUCTION)
    calls = PROCESSES * EACH
    budget = create_budget(
        ACTOR,
        BudgetValues(name="Briefs", scope={"workflow": "briefs"}, amount=calls * 3_000_000, thresholds=(80,)),
    )
    settle()
    options = {"budget": budget.slug, "percent": 80}
    rule = create_rule(
        ACTOR, TRIGGERS["budget_threshold"], RuleValues(options=options, channel_ids=(a_webhook(receiver).pk,))
    )
    charging = [started(CHARGE, number, source, EACH) for number in range(PROCESSES)]
    assert [one.stdout.readline() for one in charging] == ["ready\n"] * PROCESSES
    for one in charging:  # all at once
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in charging:
        _, said = one.communicate(timeout=120)
        assert one.returncode == 0, said
    settle()
    later = timezone.now() + timedelta(minutes=5)
    send_due(later)

    assert LedgerEntry.objects.count() == calls
    state = BudgetState.objects.get(budget=budget, ends_at__gt=timezone.now())
    assert (state.spent, state.calls, state.crossed) == (calls * 3_000_000, calls, 80)
    assert Crossing.objects.filter(budget=budget).count() == 1
    assert Alert.objects.filter(rule=rule).count() == 1
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts) == ("sent", 1)
    assert receiver.came == [f"tokenops-{delivery.pk}"]


@pytest.mark.parametrize(
    ("step", "times"),
    [("claimed", 1), ("sending", 2), ("sent", 2), ("recording", 2), ("recorded", 1)],
)
def test_a_worker_killed_at_any_step_of_a_delivery_loses_nothing(receiver, step, times):
    """The message arrives twice where the worker died between sending and recording; with one id, by which receivers
    drop the second (Standard Webhooks)."""
    channel = a_webhook(receiver)
    queue(Message(title="$84 of $100"), "one", channel=channel)
    victim = started(DIE, step)
    _, said = victim.communicate(timeout=60)
    assert victim.returncode == -signal.SIGKILL, said
    delivery = Delivery.objects.get()
    assert delivery.state == ("sent" if step == "recorded" else "queued")
    assert send_due() == 0  # its claim still stands: nobody sends beside it
    again = datetime.now(UTC) + LEASE
    assert send_due(again) == (0 if step == "recorded" else 1)
    delivery.refresh_from_db()
    assert delivery.state == "sent"
    assert receiver.came == [f"tokenops-{delivery.pk}"] * times
    assert send_due(again + LEASE) == 0
