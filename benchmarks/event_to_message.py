"""From an event that takes a budget to 80 % to the message about it in the receiver's hands.

    python -m benchmarks.event_to_message [--tries 40] [--broker redis://127.0.0.1:6379/0]

A database of its own is made on the server of DATABASE_URL, or on an embedded one, and dropped. Starts the whole
product and a web server that takes signed webhooks. Each try has a budget, a workflow, an alert rule and a channel of
its own (many messages to one channel within a minute are put together, which is not what is measured). A try posts the
four calls that make 80 % of five and takes the time from the answer to that post until the webhook came in.
"""

import argparse
import http.client
import json
import os
import secrets
import statistics
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from benchmarks.load import percentile
from benchmarks.stack import running_stack
from tests.stack import Stack

MAKE = """
from budgets.alerts.rules import RuleValues, create_rule
from budgets.audit.record import Actor
from budgets.delivery.channels import ChannelValues, create_channel
from budgets.limits.edit import create_budget
from budgets.limits.values import BudgetValues
from budgets.models import Workflow
from budgets.organisation.configuration import changing_configuration
from routing.alerts.triggers import TRIGGERS
actor = Actor.command("benchmark")
for slug in {slugs!r}:
    with changing_configuration():
        Workflow.objects.create(slug=slug, name=slug)
    budget = create_budget(actor, BudgetValues(
        name=slug, scope={{"workflow": slug}}, metric="calls", period="month", amount=5, thresholds=(80, 100)))
    channel = create_channel(actor, ChannelValues(slug, "webhook", {{"url": "{url}/" + slug}}))
    options = {{"budget": budget.slug, "percent": 80}}
    create_rule(actor, TRIGGERS["budget_threshold"], RuleValues(name=slug, options=options, channel_ids=(channel.pk,)))
"""


class Receiver:
    """Takes webhooks and notes when the first for each path came in, and how many did."""

    def __init__(self) -> None:
        came: dict[str, list[float]] = {}
        changed = threading.Condition()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                when = time.perf_counter()
                self.rfile.read(int(self.headers["content-length"]))
                with changed:
                    came.setdefault(self.path.strip("/"), []).append(when)
                    changed.notify_all()
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.came, self.changed = came, changed
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait_for(self, slug: str, seconds: float = 60) -> float:
        with self.changed:
            assert self.changed.wait_for(lambda: slug in self.came, seconds), f"nothing was said about {slug}"
            return self.came[slug][0]


def post_calls(connection: http.client.HTTPConnection, key: str, workflow: str) -> float:
    """When the four calls were acknowledged."""
    events = [
        {
            "id": secrets.token_hex(8),
            "time": datetime.now(UTC).isoformat(),
            "model": "gpt-4.1-mini",
            "provider": "openai",
            "workflow": workflow,
            "input_tokens": 10,
            "output_tokens": 5,
        }
        for _ in range(4)
    ]
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request("POST", "/api/v1/events", json.dumps(events), headers)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, (answer.status, body)
    return time.perf_counter()


def measure(stack: Stack, receiver: Receiver, tries: int) -> list[float]:
    """Seconds, sorted."""
    slugs = [f"try-{number}" for number in range(tries)]
    stack.manage("shell", "-c", MAKE.format(slugs=slugs, url=receiver.url))
    key = stack.make_key(["ingest"])
    connection = http.client.HTTPConnection(urlsplit(stack.base_url).netloc, timeout=30)
    time.sleep(3)  # budgets are opened
    taken = []
    for slug in slugs:
        posted = post_calls(connection, key, slug)
        taken.append(receiver.wait_for(slug) - posted)
        time.sleep(0.2 + secrets.randbelow(1000) / 1000)  # not in step with the sweep
    assert all(len(receiver.came[slug]) == 1 for slug in slugs), "a message came twice"
    return sorted(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=40)
    parser.add_argument("--broker", default="filesystem://")
    chosen = parser.parse_args()
    os.environ["DELIVERY_ALLOW_PRIVATE"] = "1"  # the receiver is on this machine
    receiver = Receiver()
    with running_stack(chosen.broker) as stack:
        taken = measure(stack, receiver, chosen.tries)
    name = chosen.broker.partition(":")[0]
    print(f"event acknowledged → message in the receiver's hands, {len(taken)} tries, broker {name}")
    print(f"  p50 {statistics.median(taken) * 1000:.0f} ms   p95 {percentile(taken, 95) * 1000:.0f} ms   "
          f"worst {taken[-1] * 1000:.0f} ms   (goal: p95 below 2,000 ms)")  # fmt: skip


if __name__ == "__main__":
    main()
