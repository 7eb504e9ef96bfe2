"""What levers may not promise: what failed calls leave, what a rule would send too, what a sample is of, what meets."""

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from reports.savings.call import Call
from reports.savings.lever import Known, Shape, Terms, TierModels, Use
from reports.savings.levers import BY_KEY
from reports.savings.replay import Replay
from reports.savings.result import read
from reports.savings.take import ask, work_off
from reports.tests.savings_ledger import NOW, company, one
from usage.prices.price import price_from
from usage.tests.events import a_sender, take

BIG, BIGGER, SMALL = ("acme", "big-1"), ("acme", "big-2"), ("acme", "small")
PRICES = {BIG: "10", BIGGER: "5", SMALL: "1"}


class Book:
    """A price for input and output each, in dollars a million tokens; as a batch half."""

    def find(self, provider, model, service_tier, time):
        price = PRICES.get((provider, model))
        return price and price_from(1, provider, model, service_tier, {"input": price, "output": price})

    def canonical(self, provider, model):
        return provider, model


KNOWN = Known(Book(), [TierModels(1, "Economy", [SMALL])], sorted(PRICES), NOW)


def use(**more: Any) -> Use:
    stated: dict[str, Any] = {"provider": "acme", "model": "big-1", "tier": 3, "service_tier": "standard"}
    stated |= {"task_type": "", "stage": "", "operation": "", "application": "", "calls": 200, "cost": 1, "quiet": 0}
    stated |= {"input_tokens": 0, "output_tokens": 0, "night": 0, "hits": 0, "schema": 0, "schema_output": 0}
    return Use(**stated | {"plain": 0} | more)


def shape(*uses: Use, **more: Any) -> Shape:
    return Shape("briefs", **{"calls": sum(one.calls for one in uses), "cost": 1, "tokens": 1, "uses": uses,
                              "limits": {}, "days": 30} | more)  # fmt: skip


def a_call(**more: Any) -> Call:
    stated: dict[str, Any] = dict.fromkeys(Call.__struct_fields__) | {
        "id": 1,
        "time": datetime(2026, 11, 1, tzinfo=UTC),
    }
    stated |= {"workflow": "briefs", "attempt": 1, "stage": "", "task_type": "", "operation": "", "provider": "acme"}
    stated |= {"model": "big-1", "tier": 3, "service_tier": "standard", "status": "ok", "response_format": ""}
    stated |= {"input_tokens": 1_000_000, "cached_input_tokens": 0, "cache_write_tokens": 0, "output_tokens": 0}
    stated |= {"reasoning_tokens": 0, "cache": "none", "waits": False, "cost": 10 * 10**9, "made": 10_000}
    return Call(**stated | more)


def learnt(key: str, *uses: Use, **more: Any) -> Terms:
    found = BY_KEY[key].learn(shape(*uses, **more), KNOWN)
    assert isinstance(found, Terms)
    return found


def test_a_rule_never_sends_what_somebody_waits_for():
    tagging = use(task_type="tagging", quiet=200, night=200)
    answers = use(task_type="answers", quiet=198, night=198)
    (rule,) = learnt("batch", tagging, answers).rules
    assert rule["when"] == {"workflow": ["briefs"], "task_type": ["tagging"]}
    found = learnt("batch", answers)
    assert (found.rules, found.values["task_types"]) == ([], ["answers"])
    assert "callers have to ask for a batch themselves" in found.says
    assert learnt("batch", tagging, use(quiet=200, night=200)).rules[0]["when"] == {"workflow": ["briefs"]}
    (rule,) = learnt("batch", use(quiet=200, night=200), tagging, use(task_type="answers")).rules
    assert rule["when"]["task_type"] == ["tagging"], "calls of no stated kind cannot be told apart"


def test_a_share_of_a_sample_is_of_the_sample():
    assert "200 calls (100%)" in learnt("batch", use(quiet=200, night=200), calls=2_000).says


def test_tokens_a_day_are_those_of_all_calls_not_of_the_sample():
    seen = use(task_type="tagging", input_tokens=10_000_000)
    assert BY_KEY["small-model"].learn(shape(seen, tokens=10_000_000), KNOWN) is None
    assert "tagging uses 3,333,333 tokens a day" in learnt("small-model", seen, tokens=100_000_000).says


def test_easy_work_goes_down_from_the_newer_model_too():
    drafts = use(stage="draft", input_tokens=1_000_000)
    levers = [BY_KEY["newer-model"], BY_KEY["routing-down"]]
    replay = Replay(levers, {"briefs": shape(drafts)}, KNOWN)
    replay.add(a_call(stage="draft"))
    of = replay.found()["briefs"]
    assert {key: (one.alone, one.together) for key, one in of.levers.items()} == {
        "newer-model": (5 * 10**9, 5 * 10**9),
        "routing-down": (9 * 10**9, 4 * 10**9),
    }
    assert of.after == 10**9


def test_narrow_work_goes_to_the_small_model_from_the_newer_one_too():
    work = use(task_type="translation", input_tokens=100_000_000)
    levers = [BY_KEY["newer-model"], BY_KEY["small-model"]]
    replay = Replay(levers, {"briefs": shape(work, tokens=100_000_000)}, KNOWN)
    replay.add(a_call(task_type="translation"))
    assert replay.found()["briefs"].after == 10**9


def test_short_prose_becomes_as_long_as_a_fixed_form_too():
    both = use(task_type="tagging", calls=200, schema=100, schema_output=4_000, output_tokens=4_000 + 6_000)
    terms = learnt("structured", both)
    applies = BY_KEY["structured"].applies
    lengths = [applies(a_call(task_type="tagging", output_tokens=n), terms).output_tokens for n in (110, 10, 0)]
    assert lengths == [40, 40, 0], "an answer that failed stays without one"
    alike = use(task_type="tagging", calls=200, schema=100, schema_output=4_000, output_tokens=8_000)
    assert BY_KEY["structured"].learn(shape(alike), KNOWN) is None


@pytest.mark.django_db
def test_what_failed_leaves_no_answer_and_no_beginning_in_a_cache():
    company()
    sent = []
    for n in range(100):
        alike = {"tags": {"prompt_hash": f"p{n}"}, "context": {"system": 2000, "user": 1000}, "input_tokens": 3000}
        sent.append(one("answers", n, **alike, status="error" if n in {7, 50} else "ok"))
    again = {"tags": {"prompt_hash": "p7"}, "context": {"system": 2000, "user": 1000}, "input_tokens": 3000}
    sent += [one("answers", 200, **again), one("answers", 201, **again)]
    for n in range(100):
        layers = {"context": {"system": 2000 + n // 2, "user": 1000}, "input_tokens": 3100}
        sent.append(one("history", n, **layers, status="ok" if n % 2 else "error"))
    with time_machine.travel(NOW, tick=False):
        take(sent, a_sender(), NOW)
        run, _ = ask()
        assert work_off() == 1
    run.refresh_from_db()
    assert (run.state, run.problem) == ("done", "")
    found = read(run.result).workflows
    assert found["answers"].levers["semantic-cache"].calls == 1, "the second answer, not the one after the failure"
    assert found["answers"].levers["prompt-cache"].terms
    assert "prompt-cache" not in found["history"].levers, "each began alike only after one that failed"
