"""A day of the simulated organisation: every call that ended on it, and when each arrives. Pure."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from reports.demo import mishaps, organisation
from reports.demo import parameters as facts
from reports.demo.calls import Clock, Event, Run
from reports.demo.parameters import WorkflowFacts
from reports.demo.story import Story

CLUSTERED = 0.3  # ours: runs that are started right after another, by the same person or job


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call, and when its sender delivered it: at once, or late."""

    event: Event
    at: datetime


def day(story: Story, when: date) -> list[Arrival]:
    """All calls of one day by the organisation's clock, in the order of their arrival."""
    late = story.chance("late", when)
    arrivals = [Arrival(event, arrival(late, event["time"])) for event in day_events(story, when)]
    arrivals.sort(key=lambda one: (one.at, one.event["id"]))
    return arrivals


def arrival(chance: random.Random, ended: datetime) -> datetime:
    """Nearly always a moment after the call; sometimes hours or days."""
    if chance.random() < facts.LATE:
        return ended + timedelta(hours=chance.uniform(*facts.LATE_HOURS))
    return ended + timedelta(seconds=chance.uniform(0.2, 5))


def day_events(story: Story, when: date) -> Iterator[Event]:
    pace = story.pace(when, story.chance("pace", when))
    for workflow in facts.WORKFLOWS:
        yield from workflow_events(story, workflow, when, pace)
    yield from mishaps.of_day(story, when)


def workflow_events(story: Story, workflow: WorkflowFacts, when: date, pace: float) -> Iterator[Event]:
    """The calls of one workflow's runs."""
    chance = story.chance(workflow.slug, when)
    runs = workflow.runs * pace * chance.lognormvariate(0, 0.06)
    if workflow.uplifted and story.in_campaign(when):
        runs *= facts.CAMPAIGN_UPLIFT
    steps = tuple(step for step in workflow.steps if step.model is not facts.OWN or when >= story.own_model_since)
    start = story.at(when, 0)
    for number in range(round(runs)):
        if number == 0 or chance.random() > CLUSTERED:
            hour = chance.choices(range(24), workflow.hours)[0]
            start = story.at(when, hour * 3600 + chance.random() * 3600)
        shared = shared_by_run(story, workflow, when, number, chance)
        longer = facts.LONGER_TEXTS if workflow is facts.TRANSLATION and when >= story.longer_texts_since else 1.0
        run = Run(shared, workflow.default_tier, Clock(start), chance, longer)
        if workflow.semantic and chance.random() < facts.SEMANTIC_HITS:
            yield mishaps.served_from_cache(run, workflow.steps)
        else:
            yield from run.calls(steps)


def shared_by_run(story: Story, workflow: WorkflowFacts, when: date, number: int, chance: random.Random) -> Event:
    """What all calls of a run say alike."""
    about = organisation.workflow(workflow.slug)
    shared: Event = {
        "workflow": workflow.slug,
        "run_id": f"{workflow.slug[:2]}-{when:%y%m%d}-{number:04d}",
        "application": about.application,
        "user": chance.choice(about.users),
        "environment": "staging" if chance.random() < 0.03 else "production",
        "tags": {"brand": organisation.BRANDS[min(2, int(chance.expovariate(1.6)))]},
    }
    if workflow.channels:
        shared["channel"] = chance.choice(workflow.channels)
    if workflow.uplifted:
        shared["campaign"] = story.campaign(when, chance)
    if workflow.customers:
        shared["customer"] = f"customer-{int(chance.paretovariate(1.1)) % workflow.customers:03d}"
        shared["session"] = f"ticket-{when:%m%d}-{number:04d}"
        shared["user_tier"] = "plus" if chance.random() < 0.2 else "standard"
    if workflow is facts.TRANSLATION:
        shared["tags"] = {**shared["tags"], "locale": chance.choice(organisation.LOCALES)}
    return shared
