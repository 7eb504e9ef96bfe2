"""A LiteLLM proxy that obeys TokenOps, from end to end, and what that costs.

    make setup-litellm; python -m benchmarks.litellm_proxy [--broker redis://127.0.0.1:6379/0] [--quick]

Starts the whole product with a database of its own (on the server of DATABASE_URL, or on an embedded one), a model
provider on this machine and a real LiteLLM proxy with the plugin, and calls it with the `openai` client. A budget runs
out on the way, another one lowers calls to a cheaper tier, premium models need an approval, an endless answer is cut.
Prints what was allowed, lowered and refused, in the words that callers see; then holds the ledger against what the
provider served, call by call, and ends with status 1 where they differ.

Measured then: a call through the proxy with the plugin against the same proxy without it, in turns; and how long it
takes until 200 clients that wait have learnt of a kill switch.
"""

import argparse
import asyncio
import collections
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.load import percentile
from benchmarks.stack import running_stack
from sdk.tests_litellm.conftest import configuration, deployment
from sdk.tests_litellm.provider import Provider, open_provider
from sdk.tests_litellm.proxy import CHECKOUT, Proxy, open_proxy
from tests.stack import Stack
from tokenops_site.serve.command import free_port

BUNDLE = "/api/v1/policy-bundle"
SET_UP = """
from budgets.audit.record import Actor
from budgets.limits.edit import create_budget
from budgets.limits.values import BudgetValues
from budgets.models import Workflow
from budgets.organisation.configuration import changing_configuration
from routing.policy.document import Policy, PolicyModel, PolicyTier
from routing.policy.edit import begin_draft
from routing.policy.publish import publish
actor = Actor.command("benchmark")
flows = {"seo-briefs": (2, {}), "social": (2, {}), "press": (3, {}), "letters": (2, {}), "catalogue": (2, {}),
         "timed": (1, {}), "stories": (1, {"max_output_tokens": 40}), "agents": (1, {"max_run_steps": 3})}
with changing_configuration():
    for slug, (tier, limits) in flows.items():
        Workflow.objects.create(slug=slug, name=slug, default_tier=tier, guardrails=limits)
def tier(number, name, *models, **more):
    return PolicyTier(number=number, name=name, models=[PolicyModel(*one.split("/")) for one in models], **more)
tiers = [tier(1, "Cheap", "openai/gpt-4o-mini", "openai/endless-gpt"),
         tier(2, "Middle", "openai/gpt-4o", "openai/gpt-4.1"),
         tier(3, "Premium", "anthropic/claude-opus-4-1", needs_approval=True)]
publish(actor, begin_draft(actor, "For the benchmark", policy=Policy(tiers=tiers)))
cents = 10_000_000
create_budget(actor, BudgetValues(name="SEO briefs, month", scope={"workflow": "seo-briefs"}, amount=10 * cents,
                                  on_exhausted="block"))
create_budget(actor, BudgetValues(name="Social, month", scope={"workflow": "social"}, amount=4 * cents,
                                  on_exhausted="downgrade", action_settings={"tier": 1}))
create_budget(actor, BudgetValues(name="Catalogue, month", scope={"workflow": "catalogue"}, amount=5 * cents,
                                  on_exhausted="block", action_settings={"hard": True}))
"""
PAUSE = """
import time
from budgets.audit.record import Actor
from budgets.models import Workflow
from budgets.workflows.pause import pause_workflow, resume_workflow
actor, workflow = Actor.command("benchmark"), Workflow.objects.get(slug="timed")
for number in range({tries}):
    pause_workflow(actor, workflow, f"stop {{number}}")
    print("committed", number, time.time(), flush=True)
    time.sleep(3)
    resume_workflow(actor, workflow)
    time.sleep(3)
"""
CALLS = """SELECT event_id, status, workflow_id, model, tier, input_tokens, output_tokens, cost
           FROM usage_ledger WHERE kind = 0"""
COUNTS: collections.Counter[str] = collections.Counter()  # what became of all calls


class Caller:
    """The `openai` client in its own virtual environment."""

    def __init__(self, proxy: Proxy) -> None:
        python = CHECKOUT / ".venv-litellm" / "bin" / "python"
        words = [python, CHECKOUT / "benchmarks" / "litellm_client.py", proxy.url, proxy.key]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, kind: str, **arguments: Any) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        print(json.dumps({"kind": kind, **arguments}), file=self.process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def chat(
        self, model: str, workflow: str, kind: str = "chat", max_tokens: int | None = None, **said: Any
    ) -> dict[str, Any]:
        messages = [{"role": "user", "content": "Write one line about tea."}]
        more = {} if max_tokens is None else {"max_tokens": max_tokens}
        return self.ask(
            kind, model=model, messages=messages, extra_body={"metadata": {"workflow": workflow, **said}}, **more
        )


def tell(what: str, answers: list[dict[str, Any]]) -> collections.Counter[str]:
    """How many were allowed, lowered and refused, each kind of answer once in words."""
    kinds: collections.Counter[str] = collections.Counter()
    words: dict[str, str] = {}
    for one in answers:
        headers = one["headers"]
        action = headers.get("x-tokenops-action", "?")
        kind = "refused" if one["status"] >= 400 else "lowered" if action == "downgrade" else "allowed"
        if one.get("finish") == "length":
            kind = "cut"
        kinds[kind] += 1
        COUNTS[kind] += 1
        message = (
            (one.get("error") or {}).get("message") if one["status"] >= 400 else (one.get("told") or {}).get("text")
        )
        words.setdefault(kind, f"{one['status']} {headers.get('x-tokenops-model', '')} {message or ''}".strip())
    print(f"  {what}: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items()))
    for kind, text in words.items():
        print(f"      {kind}: {text}")
    return kinds


def scenario(caller: Caller) -> bool:
    """All calls, with what came of them; whether that is what the policy says."""
    print("calls, by workflow")
    seo: list[dict[str, Any]] = []
    for _ in range(40):
        seo.append(caller.chat("middle", "seo-briefs"))
        time.sleep(0.15)
        if sum(one["status"] == 429 for one in seo) >= 4:
            break
    right = tell("seo-briefs, a budget of $0.10 at $0.01 a call, which blocks", seo).keys() == {"allowed", "refused"}
    exact = {"context": json.dumps({"retrieval": 1993})}  # with the question itself 2,000 tokens, as the provider says
    catalogue = [caller.chat("middle", "catalogue", max_tokens=500, **exact) for _ in range(8)]
    what = "catalogue, a hard budget of $0.05, reserved before each call, nothing waited for in between"
    right &= tell(what, catalogue) == {"allowed": 5, "refused": 3}
    social = []
    for _ in range(12):
        social.append(caller.chat("middle", "social"))
        time.sleep(0.3)
    right &= tell("social, a budget of $0.04, which lowers to tier 1", social).keys() == {"allowed", "lowered"}
    press = [caller.chat("large", "press") for _ in range(3)]
    right &= tell("press, premium models without an approval", press).keys() == {"refused"}
    agents = [caller.chat("small", "agents", run_id="one") for _ in range(6)]
    right &= tell("agents, three steps a run", agents) == {"allowed": 3, "refused": 3}
    stories = [caller.chat("endless", "stories", kind="stream") for _ in range(2)]
    right &= tell("stories, at most 40 tokens", stories).keys() == {"cut"}
    others = [caller.chat("small", "press-kit", kind="stream") for _ in range(3)]
    others += [caller.ask("responses", model="small", input="hi", metadata={"workflow": "press-kit"}) for _ in range(2)]
    others += [caller.ask("embeddings", model="embed", input="hi", extra_body={"metadata": {"workflow": "press-kit"}})]
    right &= tell("press-kit, not known before: streams, responses, embeddings", others) == {"allowed": 6}
    fallback = [caller.chat("falls-to-small", "letters")]
    right &= tell("letters, a provider that fails, and what LiteLLM falls back to", fallback) == {"allowed": 1}
    return right


def differences(rows: list[tuple[Any, ...]], provider: Provider, refused: int) -> list[str]:
    """The ledger against what the provider served, call by call, in sentences; empty where they agree."""
    found = []
    by_answer: dict[str, tuple[Any, ...]] = {}
    statuses = collections.Counter(row[1] for row in rows)
    for row in rows:
        if row[1] == "ok":
            answer = row[0].split(":", 2)[-1]
            if answer in by_answer:
                found.append(f"{answer} stands in the ledger twice")
            by_answer[answer] = row
    responses = 0
    for one in provider.served:
        kind = one.path.rsplit("/", 1)[-1]
        if kind in ("responses", "embeddings"):  # LiteLLM gives these answers ids of its own
            responses += 1
            continue
        row = by_answer.pop(f"chatcmpl-{one.number}", None)
        if row is None:
            found.append(f"call {one.number} of the provider, {one.body['model']}, is not in the ledger")
            continue
        endless = one.body["model"].startswith("endless")
        expected = (one.body["model"], 11 if one.body.get("stream") else provider.usage[0])
        counted = (row[3], row[5])
        if not endless and (counted != expected or row[6] != (5 if one.body.get("stream") else provider.usage[1])):
            found.append(f"call {one.number}: the ledger has {row[3:7]}, the provider said {expected}")
        if endless and (row[3] != one.body["model"] or not 40 <= row[6] <= one.pieces + 1):
            found.append(f"call {one.number}: cut after {one.pieces} pieces, the ledger has {row[6]} tokens")
    if len(by_answer) != responses:
        found.append(f"{len(by_answer)} other calls in the ledger, {responses} were served: {sorted(by_answer)}")
    if statuses["blocked"] != refused:
        found.append(f"{statuses['blocked']} blocked calls in the ledger, {refused} were refused")
    if statuses["error"] != 1:
        found.append(f"{statuses['error']} failed attempts in the ledger, there was one")
    return found


def read_ledger(stack: Stack, calls: int) -> list[tuple[Any, ...]]:
    """As soon as it has so many calls, and no more for a second."""
    deadline = time.monotonic() + 60
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        while True:
            rows = connection.execute(CALLS).fetchall()
            if len(rows) >= calls or time.monotonic() > deadline:
                time.sleep(1.5)
                return connection.execute(CALLS).fetchall()
            time.sleep(0.2)


def end_to_end(stack: Stack, provider: Provider, caller: Caller) -> bool:
    provider.usage = (2000, 500)  # one cent at gpt-4o's prices
    right = scenario(caller)
    refused = COUNTS["refused"]
    rows = read_ledger(stack, len(provider.served) + refused + 1)
    found = differences(rows, provider, refused)
    cost = sum(row[7] or 0 for row in rows) / 1_000_000_000
    print(f"the ledger: {len(rows)} rows, ${cost:.4f}; the provider served {len(provider.served)} calls")
    for sentence in found or ["equal to what the provider served, call by call"]:
        print(f"  {sentence}")
    print(stack.manage("check_ledger").strip().splitlines()[-1])
    return right and not found


def overhead(caller: Caller, proxies: list[Proxy], provider: Provider, rounds: int) -> None:
    """Calls of the proxy with the plugin and of the one without, in turns."""
    urls, keys = [one.url for one in proxies], [one.key for one in proxies]
    print("a call through the proxy, with the plugin against the same proxy without it, in turns")
    for name, model, seconds in (
        ("answered by LiteLLM itself", "mocked", 0.0),
        ("a provider that takes 300 ms", "small", 0.3),
    ):
        provider.seconds = seconds
        calls = rounds if seconds else rounds * 6
        taken = caller.ask("time", urls=urls, keys=keys, model=model, rounds=1, calls=calls)["milliseconds"]
        plugin, plain = (sorted(one) for one in taken)
        p50, p95 = ([of(one) for one in (plugin, plain)] for of in (statistics.median, lambda one: percentile(one, 95)))
        ratio = f"ratio {p50[0] / p50[1]:.3f} (goal 1.02)"
        print(f"  {name}: p50 {p50[0]:.2f} ms against {p50[1]:.2f} ms, {ratio}; ", end="")
        print(f"p95 {p95[0]:.2f} against {p95[1]:.2f}; {len(plain)} calls each")
    provider.seconds = 0.0


async def learn(stack: Stack, key: str, many: int, tries: int) -> list[float]:
    """Seconds from the commit of a pause until each of `many` waiting clients has the bundle that says so, sorted."""
    host, port = stack.push_url.split("/")[2].split(":")
    came: dict[str, list[float]] = collections.defaultdict(list)
    waiting = asyncio.Event()
    asked = 0

    async def one() -> None:
        nonlocal asked
        etag = '"none"'
        reader, writer = await asyncio.open_connection(host, int(port))
        while True:
            head = f"GET {BUNDLE} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nPrefer: wait=60\r\n"
            writer.write(f"{head}If-None-Match: {etag}\r\n\r\n".encode())
            await writer.drain()
            asked += 1
            if asked >= 2 * many:
                waiting.set()
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
            body = await reader.readexactly(int(headers.get("content-length") or 0))
            when, etag = time.time(), headers["etag"]
            for number in range(tries):
                if f"stop {number}".encode() in body:
                    came[f"stop {number}"].append(when)

    clients = [asyncio.create_task(one()) for _ in range(many)]
    await waiting.wait()
    await asyncio.sleep(1)
    words = [sys.executable, "manage.py", "shell", "-c", PAUSE.format(tries=tries)]
    pausing = await asyncio.create_subprocess_exec(
        *words, cwd=CHECKOUT, env=stack.environment, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await pausing.communicate()
    for client in clients:
        client.cancel()
    taken = []
    for line in told.decode().splitlines():
        if line.startswith("committed"):
            _, number, when = line.split()
            first = came[f"stop {number}"][:many]
            assert len(first) == many, f"{len(first)} of {many} clients learnt of stop {number}"
            taken += [one - float(when) for one in first]
    return sorted(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", default="filesystem://")
    parser.add_argument("--quick", action="store_true", help="only the calls and the ledger; measures nothing")
    parser.add_argument("--rounds", type=int, default=100, help="calls of each proxy for the overhead")
    parser.add_argument("--waiting", type=int, default=200)
    parser.add_argument("--tries", type=int, default=5)
    chosen = parser.parse_args()
    with ExitStack() as running:
        stack = running.enter_context(running_stack(chosen.broker))
        stack.manage("shell", "-c", SET_UP)
        key = stack.make_key(["ingest", "bundle"])
        provider = running.enter_context(open_provider())
        proxies = []
        for name in ("with", "without"):
            folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
            config = configuration(
                provider, **({"callbacks": "tokenops_sdk.litellm.handler"} if name == "with" else {})
            )
            config["model_list"].append(deployment("timed", "openai/gpt-4o-mini", provider))
            environment = {
                "TOKENOPS_URL": stack.base_url, "TOKENOPS_KEY": key, "TOKENOPS_STATE_DIR": str(folder / "state"),
                "TOKENOPS_SPOOL_DIR": str(folder / "spool"),
            }  # fmt: skip
            proxies.append(running.enter_context(open_proxy(folder, config, free_port(), **environment)))
            if chosen.quick:
                break
        caller = Caller(proxies[0])
        right = end_to_end(stack, provider, caller)
        if not chosen.quick:
            overhead(caller, proxies, provider, chosen.rounds)
            taken = asyncio.run(learn(stack, key, chosen.waiting, chosen.tries))
            print(f"a kill switch, from its commit until a waiting client has the bundle; {chosen.waiting} clients, "
                  f"{chosen.tries} times\n  p50 {statistics.median(taken) * 1000:.0f} ms   "
                  f"p99 {percentile(taken, 99) * 1000:.0f} ms   worst {taken[-1] * 1000:.0f} ms   "
                  "(goal: p99 below 1,000 ms)")  # fmt: skip
        caller.process.terminate()
    sys.exit(0 if right else 1)


if __name__ == "__main__":
    os.environ.setdefault("SECRET_KEY", "only-for-a-benchmark")
    main()
