"""What reviewers said of the simulated runs: drawn for each run by itself, so the same whenever it is told."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from heapq import heappop, heappush
from typing import Any

from reports.demo import organisation
from reports.demo import parameters as facts
from reports.demo.calls import Event
from reports.demo.story import Story

REVIEWERS = ("Lena Kraus", "Sam Reed", "Priya Shah", "Tom Weiss")
UNREVIEWED = 0.12  # of the runs: nobody said anything
# Cents that one shipped run of these brings in, about; replies resolve a case each, of briefs nobody says.
BRINGS_IN = {
    "ad-copy-variations": (250, 900), "translation": (150, 420), "blog-and-seo-drafts": (200, 1_200),
    "social-listening-digest": (30, 140),
}  # fmt: skip
RESOLVES = "customer-reply-assistant"
SENT_BACK, REJECTED, FAILED, TWICE = 0.14, 0.07, 0.04, 0.02


def reviews(story: Story, events: Iterable[Event], until: datetime) -> Iterator[dict[str, Any]]:
    """Messages about the runs of these calls that were decided by `until`. What nobody answers for nobody reviews."""
    last: dict[tuple[str, str], datetime] = {}
    for event in events:
        run, workflow = event.get("run_id"), event.get("workflow")
        if run and workflow and workflow != organisation.UNCLAIMED:
            last[workflow, run] = max(last.get((workflow, run), event["time"]), event["time"])
    for (workflow, run), ended in last.items():
        for message in of_run(story, workflow, run, ended):
            if message["time"] <= until:
                yield message | {"time": message["time"].isoformat()}


def of_run(story: Story, workflow: str, run: str, ended: datetime) -> Iterator[dict[str, Any]]:
    """Looked at within hours; some are sent back first, a few looked at twice; most of the good ones are shipped."""
    chance = story.chance("review", workflow, run)
    if chance.random() < UNREVIEWED:
        return
    said = {"workflow": workflow, "run_id": run}
    reviewer, at = chance.choice(REVIEWERS), ended + timedelta(minutes=chance.randint(5, 300))
    if chance.random() < FAILED:
        yield said | {"id": f"{run}-failed", "outcome": "failed", "time": ended + timedelta(minutes=1)}
        return
    if chance.random() < SENT_BACK:
        yield said | review(chance, f"{run}-back", "reworked", reviewer, at)
        at += timedelta(minutes=chance.randint(20, 200))
    if chance.random() < REJECTED:
        yield said | review(chance, f"{run}-no", "rejected", reviewer, at)
        return
    yield said | review(chance, f"{run}-yes", "approved", reviewer, at)
    if chance.random() < TWICE:
        other = chance.choice([one for one in REVIEWERS if one != reviewer])
        yield said | review(chance, f"{run}-again", "approved", other, at + timedelta(minutes=chance.randint(2, 25)))
    if chance.random() < 0.8:
        worth: dict[str, Any] = {"minutes_saved": chance.randint(15, 150), "asset": f"cms/{workflow}/{run}"}
        if workflow in BRINGS_IN:
            worth["revenue_usd"] = f"{Decimal(chance.randint(*BRINGS_IN[workflow])) / 100:.2f}"
        if workflow == RESOLVES:
            worth["cases"] = 1
        yield (
            said
            | worth
            | {"id": f"{run}-out", "outcome": "shipped", "time": at + timedelta(hours=chance.randint(1, 9))}
        )


class Desk:
    """The reviewers of live runs: now and then they take one, and say in seconds what takes hours in the history."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.waiting: list[tuple[datetime, str, dict[str, Any]]] = []  # a heap, by when it is said
        self.free_at: datetime | None = None

    def see(self, events: Iterable[Event], now: datetime) -> None:
        """Take the first run that can be looked at, where it is time for one."""
        for event in events:
            if self.free_at is not None and now < self.free_at:
                return
            run, workflow = event.get("run_id"), event.get("workflow")
            if not run or not workflow or workflow == organisation.UNCLAIMED or event.get("status") == "blocked":
                continue
            self.free_at = now + timedelta(seconds=facts.LIVE_REVIEW_EVERY)
            for message in of_run(self.story, workflow, run, now):
                at = now + (message["time"] - now) / facts.LIVE_REVIEW_SPEED
                heappush(self.waiting, (at, message["id"], message | {"time": at.isoformat()}))

    def said(self, now: datetime) -> list[dict[str, Any]]:
        """What was said by now, each once."""
        found = []
        while self.waiting and self.waiting[0][0] <= now:
            found.append(heappop(self.waiting)[2])
        return found


def review(chance: Any, message_id: str, outcome: str, reviewer: str, at: datetime) -> dict[str, Any]:
    """One look at a run, by somebody, for some minutes; now and then with a score."""
    found: dict[str, Any] = {"id": message_id, "outcome": outcome, "reviewer": reviewer, "time": at}
    found["review_minutes"] = str(chance.randint(2, 24) / 2)
    if chance.random() < 0.4:
        found["satisfaction"] = chance.choice((2, 3, 4, 4, 5, 5)) if outcome == "approved" else chance.choice((1, 2, 3))
    return found
