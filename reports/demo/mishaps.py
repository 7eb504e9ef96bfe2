"""What a real organisation's traffic has besides ordinary runs. Pure.

A retry that never stopped, agents going round in circles, a workflow that nobody claimed, calls without a workflow, and
answers that a cache gave. Failed calls, streams without usage and late calls are in `calls` and `days`.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from reports.demo import organisation
from reports.demo import parameters as facts
from reports.demo.calls import Clock, Event, Run, sizes
from reports.demo.identity import event_id
from reports.demo.parameters import Step
from reports.demo.story import SATURDAY, Story

STORM = Step(
    "verify", "validate", "reasoning", facts.OPUS, facts.STORM_PROMPT, facts.STORM_ANSWER, cached=0, spread=0.01
)  # fmt: skip
LOOP = Step(
    "draft", "reflect", "reasoning", facts.SONNET, facts.AGENT_PROMPT_P95, facts.AGENT_ANSWER_P95,
    facts.AGENT_CACHED, facts.AGENT_CACHE_WRITE, spread=0.08,
)  # fmt: skip
BADGES = Step("draft", "answer", "generation", facts.SONNET, facts.UNCLAIMED_PROMPT, facts.UNCLAIMED_ANSWER, cached=0)
NAMELESS = Step("", "", "", facts.MINI, facts.CHAT_PROMPT, facts.CHAT_ANSWER, cached=0, spread=facts.CHAT_SPREAD)


def of_day(story: Story, when: date) -> Iterator[Event]:
    """Everything out of the ordinary on one day."""
    if when == story.storm_day:
        yield from retry_storm(story, when)
    if when in story.loop_days:
        yield from agent_loop(story, when)
    if when in story.unclaimed_days:
        yield from unclaimed(story, when)
    yield from unassigned(story, when)


def retry_storm(story: Story, when: date) -> Iterator[Event]:
    """One step of one run, sent again and again for seventy minutes; most tries time out after they were paid for."""
    chance = story.chance("storm", when)
    shared = {
        "workflow": facts.AD_COPY.slug,
        "run_id": f"ad-{when:%y%m%d}-storm",
        "application": "copydesk",
        "user": "sofia",
        "channel": "display",
        "campaign": story.campaign(when, chance),
        "tags": {"brand": organisation.BRANDS[0]},
    }
    start, end = (minutes * 60 for minutes in facts.STORM_MINUTES)
    run = Run(shared, facts.AD_COPY.default_tier, Clock(story.at(when, start)), chance, step=5)
    body = sizes(chance, STORM)
    for attempt in range(1, facts.STORM_CALLS + 1):
        event = run.call(STORM, attempt, **body)
        time = story.at(when, start + (end - start) * (attempt - chance.random()) / facts.STORM_CALLS)
        yield event | {
            "id": event_id(chance, time),
            "time": time,
            "status": "timeout" if attempt < facts.STORM_CALLS else "ok",
        }


def agent_loop(story: Story, when: date) -> Iterator[Event]:
    """One run that takes a hundred steps and more."""
    chance = story.chance("loop", when)
    shared = {
        "workflow": facts.BRIEFS.slug,
        "run_id": f"ca-{when:%y%m%d}-loop",
        "application": "briefing-agent",
        "agent": "researcher",
        "user": "henrik",
        "campaign": story.campaign(when, chance),
    }
    run = Run(shared, facts.BRIEFS.default_tier, Clock(story.at(when, 10 * 3600 + 1200)), chance)
    for _ in range(facts.LOOP_STEPS):
        run.step += 1
        yield run.call(LOOP, 1)


def unclaimed(story: Story, when: date) -> Iterator[Event]:
    """A workflow that somebody started without telling anyone; 412 calls over its days."""
    days = story.unclaimed_days
    chance = story.chance("unclaimed", when)
    place = days.index(when)
    share = facts.UNCLAIMED_CALLS * (place + 1) // len(days) - facts.UNCLAIMED_CALLS * place // len(days)
    for number in range(share):
        start = story.at(when, chance.uniform(9, 18) * 3600)
        run_id = f"eb-{when:%y%m%d}-{number:03d}"
        shared = {"workflow": organisation.UNCLAIMED, "run_id": run_id, "user": "events-intern"}
        run = Run(shared, facts.SONNET.tier, Clock(start), chance, step=1)
        yield run.call(BADGES, 1)


def unassigned(story: Story, when: date) -> Iterator[Event]:
    """Calls that name no workflow."""
    chance = story.chance("unassigned", when)
    for _ in range(1 if when.weekday() >= SATURDAY else facts.UNASSIGNED_A_DAY):
        time = story.at(when, chance.uniform(8, 20) * 3600)
        event: Event = {
            "id": event_id(chance, time),
            "time": time,
            "provider": facts.MINI.provider,
            "model": facts.MINI.name,
            "user": "notebook",
            **sizes(chance, NAMELESS),
        }
        yield event


def late_for_closed_month(story: Story, first_of_month: date) -> list[Event]:
    """Calls of the last day of the month before, which a sender delivers after that month was closed."""
    when = first_of_month - timedelta(days=1)
    chance = story.chance("closed", when)
    events = []
    for number in range(facts.LATE_FOR_CLOSED_MONTH):
        run_id = f"tr-{when:%y%m%d}-late-{number}"
        shared = {"workflow": facts.TRANSLATION.slug, "run_id": run_id, "application": "translate-hub"}
        start = story.at(when, chance.uniform(18, 23) * 3600)
        run = Run(shared, facts.TRANSLATION.default_tier, Clock(start), chance, step=1)
        events.append(run.call(facts.TRANSLATION.steps[0], 1))
    return events


def served_from_cache(run: Run, steps: tuple[Step, ...]) -> Event:
    """A run whose answer a semantic cache gave: nothing was paid, and what was not paid is known."""
    answer = next(step for step in steps if step.step_kind == "answer")
    run.step = 1
    event = run.call(answer, 1)
    avoided = {"avoided_input_tokens": event["input_tokens"], "avoided_output_tokens": event["output_tokens"]}
    for name in ("cached_input_tokens", "cache_write_tokens", "context"):
        event.pop(name, None)
    return event | avoided | {"input_tokens": 0, "output_tokens": 0, "cache": "semantic", "latency_ms": 60}
