"""Live traffic of the simulated organisation: sent over HTTP with a key, obeying the bundle, until stopped."""

import contextlib
import http.client
import random
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from budgets.access.keys import KEYS_CHANNEL, make_key
from budgets.models import ApiKey
from budgets.notices.listener import notify
from reports.demo import history, organisation, setting_up
from reports.demo import parameters as facts
from reports.demo.calls import Clock, Event, Run
from reports.demo.gateway import Gateway, standing
from reports.demo.history import Loader, Told
from reports.demo.identity import event_id
from reports.demo.parameters import Model, Step
from reports.demo.reviews import Desk
from reports.demo.setting_up import Beginning
from usage.replay.sender import EventSender, GaveUp, Refused, encoded

KEY_NAME = "Simulated gateway (demo)"
KEY_LIFE = timedelta(days=30)
TICK_SECONDS = 0.5
GAP = timedelta(minutes=20)  # shorter stops are not filled
NEWS_EVERY = 60.0
CHEAPER = {1: facts.MINI, 2: facts.GPT}


class Stopping(Exception):
    """Raised out of a wait, to end at once."""


def run(beginning: Beginning, url: str, stop: threading.Event, told: Told) -> None:
    """History in a thread, live traffic here, until `stop`. Whatever was interrupted is taken up at the next start."""
    trouble: list[BaseException] = []
    past = in_background(lambda: catch_up(beginning, stop, told), trouble, stop)
    with contextlib.suppress(Stopping):
        wait_for_server(url, stop, told)
        budget = setting_up.refill_watched(beginning)
        plain = new_key()
        told(f"live traffic starts, about {facts.LIVE_PER_SECOND:g} calls a second.")
        told(f"watch the budget {budget.name!r}: it is small and runs out in a minute or two.")
        gateway = Gateway(url, plain, stop, told)
        in_background(gateway.follow, trouble, stop)
        connection.close()
        Live(beginning, gateway).run()
    past.join(timeout=4)
    if trouble:
        raise trouble[0]


def in_background(work: Callable[[], None], trouble: list[BaseException], stop: threading.Event) -> threading.Thread:
    """A thread whose failure stops everything: the supervisor then starts it anew."""

    def watched() -> None:
        try:
            work()
        except Exception as problem:
            trouble.append(problem)  # for the main thread, which raises it
            stop.set()
        finally:
            connection.close()

    thread = threading.Thread(target=watched, daemon=True)
    thread.start()
    return thread


def catch_up(beginning: Beginning, stop: threading.Event, told: Told) -> None:
    """Load the history if it is not there yet; else what was missed while nothing ran."""
    loader = Loader.make(stop.is_set)
    if not setting_up.is_loaded():
        told(f"loading {beginning.story.days} days of made-up history.")
        history.load(beginning, loader, told)
        return
    since, now = setting_up.last_usage(), datetime.now(UTC)
    if since is not None and now - since > GAP:
        history.fill_gap(beginning, loader, since, now)
        told(f"{loader.taken:,} calls since {since.astimezone(beginning.story.zone):%d %b %H:%M} were added.")


def wait_for_server(url: str, stop: threading.Event, told: Told) -> None:
    """Until the web server answers. Stopping when asked to stop before."""
    waited = 0.0
    while True:
        with (
            contextlib.suppress(OSError, http.client.HTTPException),
            urllib.request.urlopen(f"{url}/healthz", timeout=3) as response,  # noqa: S310 (http, ours)
        ):
            if response.status == 200:
                return
        if waited and waited % 30 == 0:
            told(f"still waiting for {url}.")
        waited += 0.5
        if stop.wait(0.5):
            raise Stopping


def new_key() -> str:
    """A key for this start; those of earlier starts are revoked, so that no text of a key is kept anywhere."""
    now = datetime.now(UTC)
    ApiKey.objects.filter(name=KEY_NAME, revoked_at=None).update(revoked_at=now)
    _, plain = make_key(KEY_NAME, ["ingest", "bundle"], source=organisation.SOURCE, expires_at=now + KEY_LIFE)
    notify(KEYS_CHANNEL)
    return plain


class Live:
    """A gateway at work: short calls all the time, bursts now and then, and the watched workflow that runs out."""

    def __init__(self, beginning: Beginning, gateway: Gateway) -> None:
        self.gateway, self.stop, self.told = gateway, gateway.stop, gateway.told
        self.chance = random.Random()  # noqa: S311 (a simulation); not seeded: a restart must not repeat ids
        self.sender = EventSender(gateway.url, gateway.key, patience=600, told=self.waiting, rest=self.rest)
        self.outcomes = EventSender(
            gateway.url, gateway.key, patience=600, told=self.waiting, rest=self.rest, path="/api/v1/outcomes"
        )
        self.desk = Desk(beginning.story)
        now = datetime.now(UTC)
        self.late = deque(history.still_to_come(beginning, max(beginning.until, now - timedelta(seconds=1))))
        self.next_blocked: dict[str, float] = {}
        self.sent = self.blocked = self.judged = 0

    def run(self) -> None:
        """Send until stopped."""
        started = self.reported = time.monotonic()
        due = 0.0
        burst_at = facts.LIVE_BURST_EVERY
        while True:
            passed = time.monotonic() - started
            count = 0
            while due <= passed:
                count += 1
                due += self.gap()
            if passed >= burst_at:
                count += self.chance.randint(*facts.LIVE_BURST)
                burst_at = passed + self.chance.expovariate(1 / facts.LIVE_BURST_EVERY)
            fresh = [event for _ in range(count) for event in self.calls()]
            if self.deliver(fresh + list(self.late_ones())):
                self.desk.see(fresh, datetime.now(UTC))
            self.say(self.desk.said(datetime.now(UTC)))
            self.report()
            self.rest(TICK_SECONDS)

    def gap(self) -> float:
        """Seconds to the next call; gamma with the burstiness that was measured."""
        shape = 1 / facts.BURSTINESS**2
        return self.chance.gammavariate(shape, 1 / shape / facts.LIVE_PER_SECOND)

    def deliver(self, events: list[Event]) -> bool:
        """Whether they are there."""
        if not events or not self.taken(self.sender, events, "call"):
            return False
        self.sent += len(events)
        return True

    def say(self, messages: list[dict[str, Any]]) -> None:
        """What became of runs."""
        if messages and self.taken(self.outcomes, messages, "outcome"):
            self.judged += len(messages)
            self.outcomes.close()  # the next is minutes off; an idle connection would be found closed

    def taken(self, sender: EventSender, items: list[dict[str, Any]], what: str) -> bool:
        """Whether the server has them; False where it took nothing for long. Refused where it will not have one."""
        try:
            answer = sender.send([encoded(one) for one in items])
        except GaveUp as problem:
            self.told(str(problem))
            return False
        if answer.rejected or answer.conflict:
            raise Refused(f"a simulated {what} was refused: {answer.items[0].reason}")
        return True

    def late_ones(self) -> Iterator[Event]:
        """Calls of the past whose sender delivers them now."""
        now = datetime.now(UTC)
        while self.late and self.late[0].at <= now:
            yield self.late.popleft().event

    def calls(self) -> Iterator[Event]:
        """One call of some workflow, as the policy allows; none where a blocked one rests before its next try."""
        watched = self.chance.random() < facts.LIVE_WATCH_SHARE
        slug = organisation.WATCHED if watched else self.chance.choices(SLUGS, RUNS)[0]
        about = organisation.workflow(slug)
        step = WATCH if watched else self.chance.choice(CHATS)
        now = datetime.now(UTC)
        shared: dict[str, Any] = {
            "workflow": slug,
            "team": about.team,
            "run_id": f"live-{event_id(self.chance, now)[:18]}",
            "application": about.application,
            "user": self.chance.choice(about.users),
            "environment": "production",
            "bundle_revision": self.gateway.revision,
            "tags": {"brand": organisation.BRANDS[0], "live": "yes"},
        }
        wanted = {"provider": step.model.provider, "model": step.model.name, "tier": step.model.tier}
        verdict = standing(self.gateway.document, shared | wanted)
        if verdict.blocked:
            yield from self.turned_away(shared, step.model, verdict.blocked)
            return
        event = Run(shared, about.default_tier, Clock(now), self.chance, step=1).call(step, 1)
        event |= {"time": now, "id": event_id(self.chance, now)}
        if verdict.tier is not None and step.model.tier > verdict.tier:
            model = CHEAPER.get(verdict.tier, facts.MINI)
            event |= {"provider": model.provider, "requested_model": step.model.name, "model": model.name}
            event |= {"tier": model.tier}
        yield event

    def turned_away(self, shared: dict[str, Any], model: Model, code: str) -> Iterator[Event]:
        """A blocked call never happened: it is told with zero tokens, and not tried all the time."""
        slug = shared["workflow"]
        if time.monotonic() < self.next_blocked.get(slug, 0):
            return
        self.next_blocked[slug] = time.monotonic() + facts.LIVE_BLOCKED_EVERY
        self.blocked += 1
        now = datetime.now(UTC)
        yield {
            "id": event_id(self.chance, now),
            "time": now,
            **shared,
            "provider": model.provider,
            "model": model.name,
            "tier": model.tier,
            "status": "blocked",
            "finish_reason": code,
            "input_tokens": 0,
            "output_tokens": 0,
        }

    def report(self) -> None:
        """A line a minute."""
        now = time.monotonic()
        if now - self.reported >= NEWS_EVERY:
            self.reported = now
            said = (
                f"{self.sent:,} calls sent, {self.blocked:,} turned away by the policy, {self.judged:,} outcomes told."
            )
            self.told(said)

    def waiting(self, reason: str, seconds: float) -> None:
        self.told(f"{reason}; trying again in {seconds:.1f} s.")

    def rest(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise Stopping


def chat(model: Model) -> Step:
    return Step(
        "draft", "answer", "generation", model, facts.CHAT_PROMPT, facts.CHAT_ANSWER, cached=0, spread=facts.CHAT_SPREAD
    )


CHATS = (chat(facts.SONNET), chat(facts.GPT), chat(facts.MINI), chat(facts.FLASH))
WATCH = Step(
    "draft",
    "retrieve",
    "extraction",
    facts.SONNET,
    facts.LIVE_WATCH_PROMPT,
    facts.LIVE_WATCH_ANSWER,
    cached=0,
    spread=0.2,
)
SLUGS = [workflow.slug for workflow in facts.WORKFLOWS]
RUNS = [workflow.runs for workflow in facts.WORKFLOWS]
