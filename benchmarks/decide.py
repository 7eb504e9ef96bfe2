"""One decision in one Python process: 500 workflows, 2,000 budgets, 200 rules; against parsing the request's JSON.

    python -m benchmarks.decide

Needs no database: the bundle is made up, with limits on every workflow, budgets of eleven kinds of scope and rules of
every condition. Prints p50 and p99 of each way over the same calls, the ways in turn, so that a busy machine weighs on
all alike; their ratio; and what laying out a bundle takes, which is done once per bundle. The goal is 50 µs at p50 and
200 µs at p99. Measured is the thread's own processor time; with `--wall` the clock's, which on a machine that does
other things says at p99 how long those keep it.
"""

import argparse
import gc
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from tokenops_sdk import Prepared, decide_prepared
from tokenops_sdk.wire import read_request, write_decision

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)
WORKFLOWS, BUDGETS, RULES, TEAMS, USERS = 500, 2_000, 200, 25, 300
STAGES, TASKS = ("draft", "refine", "verify", "publish"), ("extraction", "generation", "reasoning", "classification")
PERIOD = {"period": "month", "starts_at": "2026-11-01T00:00:00Z", "ends_at": "2026-12-01T00:00:00Z"}
MODELS = {1: ("mini", "flash", "nano"), 2: ("standard", "sonnet"), 3: ("large", "opus")}


def bundle(dice: random.Random) -> dict[str, Any]:
    """A document of the size that is measured."""
    tiers = [
        {
            "number": number, "name": f"Tier {number}", "needs_approval": number == 3, "review_note": "",
            "models": [
                {"provider": f"provider-{n}", "model": model, "latency_ms": 300 * number, "quality": "0.8",
                 "prices": [{"from_input_tokens": 0, "input": 10**8 * (n + 1) * 5**number, "output": 10**9}]}
                for n, model in enumerate(models)
            ],
        }
        for number, models in MODELS.items()
    ]  # fmt: skip
    workflows = {
        f"workflow-{n}": {
            "status": "production", "team": f"team-{n % TEAMS}", "default_tier": 1 + n % 2, "value_weight": "1.5",
            "risk_categories": ["public"], "paused": False, "snippets": [], "merged_into": None,
            "guardrails": {
                "max_output_tokens": 2_000, "max_input_tokens": 50_000, "max_run_steps": 12, "max_run_money": "2.5",
                "max_steps_by_kind": {"retrieve": 3}, "cache": {"kinds": ["prompt", "semantic"]},
                "by_task_type": {"extraction": {"max_output_tokens": 500}},
            },
        }
        for n in range(WORKFLOWS)
    }  # fmt: skip
    policy = {
        "version": 3, "unlisted_models": "replace", "otherwise": {"max_output_tokens": 4_000},
        "daily_tokens": {"*": 10**6}, "rules": [rule(n, dice) for n in range(RULES)],
    }  # fmt: skip
    return {
        "schema": "", "epoch": 1, "revision": 1, "policy_version": 3, "fail_mode": "last_known_good", "default_tier": 1,
        "organisation": {"utc_offsets": [{"since": "2026-10-25T01:00:00Z", "minutes": 60}]}, "tiers": tiers,
        "workflows": workflows, "policy": policy, "budgets": [budget(n, dice) for n in range(BUDGETS)],
        "grants": [
            {"id": f"grant-{n}", "scope": {"workflow": f"workflow-{n}"}, "tier": 3, "starts_at": PERIOD["starts_at"],
             "expires_at": PERIOD["ends_at"], "remaining_percent": 50, "takes_new_runs": True, "runs": []}
            for n in range(0, WORKFLOWS, 10)
        ],
        "blocked": [
            {"scope": {"workflow": f"workflow-{n}"}, "code": "workflow_paused", "reason": "Stop.", "until": None}
            for n in range(0, WORKFLOWS, 50)
        ],
    }  # fmt: skip


def rule(n: int, dice: random.Random) -> dict[str, Any]:
    """Most name a workflow or a team, as rules do; every tenth only what any call may have."""
    when: dict[str, Any] = {"stage": [dice.choice(STAGES)]}
    kind = n % 10
    if kind < 5:
        when["workflow"] = [f"workflow-{dice.randrange(WORKFLOWS)}" for _ in range(5)]
    elif kind < 7:
        when["team"] = [f"team-{dice.randrange(TEAMS)}"]
    elif kind == 7:
        when = {"user": [f"user-{dice.randrange(USERS)}"], "task_type": [dice.choice(TASKS)]}
    elif kind == 8:
        when |= {"input_tokens": {"at_least": 40_000}, "environment": ["staging"]}
    else:
        when = {
            "complexity": {"at_least": "0.99"}, "estimated_cost_nano": {"at_least": 10**9},
            "time_of_day": {"from": "22:00", "to": "06:00"},
        }  # fmt: skip
    return {"id": f"rule-{n}", "name": f"Rule {n}", "when": when, "then": {"tier": 1 + n % 3, "cache": ["prompt"]}}


def budget(n: int, dice: random.Random) -> dict[str, Any]:
    """Three in four are of a workflow, most others of a person; a few of the whole company. One in forty is used up."""
    workflow, team = f"workflow-{n % WORKFLOWS}", f"team-{n % TEAMS}"
    of_workflow = ({"workflow": workflow}, {"workflow": workflow, "environment": "production"})
    few = (
        {}, {"model": dice.choice(MODELS[1])}, {"provider": f"provider-{n % 3}"}, {"tier": str(1 + n % 3)},
        {"team": team, "environment": "production"},
    )  # fmt: skip
    many = (
        {"user": f"user-{n % USERS}"}, {"customer": f"customer-{n}"}, {"team": team}, {"application": f"app-{n % 40}"},
        {"tag": f"campaign=c-{n % 50}"},
    )  # fmt: skip
    scope = of_workflow[n % 2] if n % 4 else few[n // 80 % 5] if n % 80 == 0 else many[n // 4 % 5]
    used_up = n % 40 == 1
    return {
        "slug": f"budget-{n}", "name": f"Budget {n}", "scope": scope, "metric": "money", **PERIOD, "limit": "1000",
        "limit_version": 1, "remaining_percent": 0 if used_up else 60, "crossed": 100 if used_up else 0,
        "status": "exhausted" if used_up else "under", "on_exhausted": "downgrade", "settings": {"tier": 1},
        "hard": n % 3 == 0,
    }  # fmt: skip


def call(dice: random.Random) -> dict[str, Any]:
    """A call with the facts that a gateway has."""
    said: dict[str, Any] = {
        "workflow": f"workflow-{dice.randrange(WORKFLOWS)}", "run_id": f"run-{dice.randrange(10**6)}",
        "stage": dice.choice(STAGES), "task_type": dice.choice(TASKS), "environment": "production",
        "user": f"user-{dice.randrange(USERS)}", "application": f"app-{dice.randrange(40)}",
        "customer": f"customer-{dice.randrange(2_000)}", "tags": {"campaign": f"c-{dice.randrange(50)}", "squad": "a"},
        "input_tokens": dice.randrange(100, 60_000), "context": {"system": 400, "history": 900},
        "output_tokens": dice.randrange(50, 3_000), "complexity": "0.4",
        "run": {"steps": dice.randrange(14), "tokens": 20_000, "cost_nano": 10**8},
    }  # fmt: skip
    if dice.random() < 0.6:
        said |= {"model": dice.choice(sum(MODELS.values(), ("gizmo",)))}
    return said


def each(work: Callable[[Any], object], values: Sequence[Any], clock: Callable[[], int]) -> list[int]:
    """Nanoseconds of each."""
    taken = []
    for value in values:
        started = clock()
        work(value)
        taken.append(clock() - started)
    return taken


def at(percent: float, taken: Sequence[int]) -> float:
    """Microseconds at a percentile."""
    return sorted(taken)[min(len(taken) - 1, int(len(taken) * percent / 100))] / 1_000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--calls", type=int, default=20_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--wall", action="store_true")
    given = options.parse_args()
    clock = time.perf_counter_ns if given.wall else time.thread_time_ns
    dice = random.Random(7)
    document = bundle(dice)
    started = time.perf_counter()
    prepared = Prepared(document)
    laid_out = time.perf_counter() - started
    texts = [json.dumps(call(dice)) for _ in range(given.calls)]
    requests = [read_request(json.loads(text)) for text in texts]
    ways: dict[str, tuple[Callable[[Any], object], Sequence[Any]]] = {
        "json.loads": (json.loads, texts),
        "decide": (lambda request: decide_prepared(prepared, request, NOW), requests),
        "read, decide, write": (
            lambda text: json.dumps(write_decision(decide_prepared(prepared, read_request(json.loads(text)), NOW))),
            texts,
        ),
    }
    taken: dict[str, list[int]] = {name: [] for name in ways}
    gc.freeze()
    for _ in range(given.rounds):
        for name, (work, values) in ways.items():
            taken[name] += each(work, values[:: given.rounds], clock)
    yardstick = at(50, taken["json.loads"])
    print(f"laid out in {laid_out * 1e3:.0f} ms")
    for name, found in taken.items():
        p50, p99 = at(50, found), at(99, found)
        print(f"{name:20} p50 {p50:7.1f} µs   p99 {p99:7.1f} µs   {p50 / yardstick:5.1f} × json.loads")
    print(dict(Counter(decide_prepared(prepared, request, NOW).action for request in requests).most_common()))


if __name__ == "__main__":
    main()
