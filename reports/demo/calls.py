"""One simulated run: its calls, with sizes, caching, failures and retries. Pure; a chance goes in, events come out."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from reports.demo import parameters as facts
from reports.demo.identity import event_id
from reports.demo.parameters import Model, Step

Event = dict[str, Any]
MILLISECONDS_A_TOKEN = 14  # ours: about 70 tokens a second


@dataclass
class Clock:
    """The run's own time: moves on with each call."""

    now: datetime

    def wait(self, chance: random.Random) -> datetime:
        pause = chance.lognormvariate(0, facts.STEP_SECONDS_SPREAD) * facts.STEP_SECONDS
        self.now += timedelta(milliseconds=int(min(pause, 600) * 1000))
        return self.now


@dataclass
class Run:
    """What all calls of a run share, and how far it has come. `longer` stretches prompts and answers."""

    shared: Event
    default_tier: int
    clock: Clock
    chance: random.Random
    longer: float = 1.0
    step: int = field(default=0)

    def calls(self, steps: tuple[Step, ...]) -> Iterator[Event]:
        """Every call of the run, in order; a failed one is followed by its retry."""
        for kind in steps:
            if self.chance.random() >= kind.chance:
                continue
            for _ in range(self.chance.randint(*kind.times)):
                self.step += 1
                yield from self.attempts(kind)

    def attempts(self, kind: Step) -> Iterator[Event]:
        """One step: the call, or a failed one and another try."""
        draw = self.chance.random()
        tried = 1
        if draw < facts.FAILED:  # turned away before anything was read: no tokens, and that is known
            yield self.call(kind, tried, status="error", input_tokens=0, output_tokens=0, finish_reason="overloaded")
            tried = 2
        elif draw < facts.FAILED + facts.TIMED_OUT:  # the prompt was read, the answer never came
            yield self.call(kind, tried, status="timeout", output_tokens=0)
            tried = 2
        event = self.call(kind, tried)
        if draw > 1 - facts.UNMEASURED and kind.operation == "chat":
            for name in ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens"):
                event.pop(name, None)
        elif draw > 1 - facts.UNMEASURED - facts.CANCELLED:
            event |= {"status": "cancelled", "output_tokens": event["output_tokens"] // 3}
        yield event

    def call(self, kind: Step, attempt: int, **changes: Any) -> Event:
        """One call of a step; `changes` win."""
        time = self.clock.wait(self.chance)
        event: Event = {
            "id": event_id(self.chance, time),
            "time": time,
            **self.shared,
            "step": self.step,
            "stage": kind.stage,
            "task_type": kind.task,
            "step_kind": kind.step_kind,
            "operation": kind.operation,
            "provider": kind.model.provider,
            "model": kind.model.name,
            "tier": kind.model.tier or None,
            "default_tier": self.default_tier,
            **sizes(self.chance, kind, self.longer),
        }
        if attempt > 1:
            event["attempt"] = attempt
        event |= changes
        if not event["input_tokens"]:
            for name in ("cached_input_tokens", "cache_write_tokens", "cache", "context"):
                event.pop(name, None)
        event["latency_ms"] = 400 + MILLISECONDS_A_TOKEN * event["output_tokens"]
        return event


def sizes(chance: random.Random, kind: Step, longer: float = 1.0) -> Event:
    """Token counts of one call, inclusive: cached and cache-written ones are part of the input."""
    prompt = around(chance, kind.prompt * longer, kind.spread, kind.model)
    answer = around(chance, kind.answer * longer, facts.ANSWER_SPREAD, kind.model) if kind.answer else 0
    event: Event = {"input_tokens": prompt, "output_tokens": answer}
    if kind.cached:
        share = kind.cached if kind.written else min(0.95, max(0.0, chance.gauss(kind.cached, facts.CACHED_SPREAD)))
        event["cached_input_tokens"] = int(prompt * share)
        event["cache"] = "prompt" if event["cached_input_tokens"] else "none"
    if kind.written:
        event["cache_write_tokens"] = int(prompt * kind.written)
    if kind.stage == "verify":
        system, user = prompt // 20, prompt // 10
        event["context"] = {"system": system, "retrieval": prompt - system - user, "user": user}
    return event


def around(chance: random.Random, median: float, spread: float, model: Model) -> int:
    """Log-normal around a median, within what the model takes."""
    return max(1, min(model.longest, int(median * chance.lognormvariate(0, spread))))
