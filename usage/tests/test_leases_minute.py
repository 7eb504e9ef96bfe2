"""Two gateways, processes of their own with the SDK, share sixty calls a minute over HTTP."""

import json
import subprocess
import sys
import time
from collections import Counter

import pytest

from budgets.access.keys import make_key
from budgets.models import Lease, Workflow

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]
LIMIT, ASKED = 60, 90
GATEWAY = """
import json, sys, time
from dataclasses import replace
import httpx
from tokenops_sdk.asking import Request
from tokenops_sdk.following import Answer, decide_without_bundle
from tokenops_sdk.leasing import Leases

url, key, name, asked = sys.argv[1:]

class Server:
    fail_mode, held, http = "block", None, httpx.Client(headers={"authorization": f"Bearer {key}"})
    def post(self, path, body, *, seconds, idempotency=""):
        answer = self.http.post(url + path, json=body, timeout=30)
        return Answer(answer.status_code, dict(answer.headers), answer.content)

call = Request(workflow="briefs")
decision = replace(decide_without_bundle(call, "allow"), leases=({"kind": "calls", "workflow": "briefs"},))
leases = Leases(Server(), name=name)
print("ready", flush=True); sys.stdin.readline()
made = []
for _ in range(int(asked)):
    minute = int(time.time() // 60)
    got = leases.enforce(call, decision)
    if got.allowed and int(time.time() // 60) == minute:
        made.append(minute)
    leases.settle(got, made=got.allowed)
print(json.dumps(made))
"""


def test_two_processes_make_sixty_calls_of_a_minute_together(live_server):
    Workflow.objects.create(slug="briefs", name="Briefs", guardrails={"max_requests_per_minute": LIMIT})
    _, key = make_key("Gateway", ["bundle"])
    gateways = [
        subprocess.Popen(
            [sys.executable, "-c", GATEWAY, live_server.url, key, f"gateway-{n}", str(ASKED)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for n in (1, 2)
    ]  # fmt: skip
    assert [one.stdout.readline() for one in gateways] == ["ready\n"] * 2
    if time.time() % 60 > 35:  # all of it within one minute
        time.sleep(60 - time.time() % 60)
    for one in gateways:
        one.stdin.write("go\n")
        one.stdin.flush()
    made: Counter[int] = Counter()
    for one in gateways:
        out, said = one.communicate(timeout=90)
        assert one.returncode == 0, said
        made.update(json.loads(out))
    first = min(made)
    assert made[first] == LIMIT  # neither more nor fewer: 180 were asked for
    assert all(calls <= LIMIT for calls in made.values())
    assert set(Lease.objects.values_list("client", flat=True)) == {"gateway-1", "gateway-2"}
