"""Write the simulated days into the ledger by ingest's own write path, the newest first, so that pages fill at once."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import DatabaseError, connection

from budgets.models import Source
from reports.demo import days, mishaps, organisation, setting_up
from reports.demo.calls import Event
from reports.demo.days import Arrival
from reports.demo.reviews import reviews
from reports.demo.setting_up import Beginning
from usage.ingest.decode import decode
from usage.ingest.write import Answer, Intake, Sender
from usage.outcomes.decode import decode_many
from usage.outcomes.take import Taking
from usage.replay.sender import encoded

logger = logging.getLogger(__name__)

BATCH = 1_000
LONGEST_DELAY = timedelta(hours=51)  # of a late call; see parameters.LATE_HOURS
TRIES = 5
LONGEST_GAP_DAYS = 60

Told = Callable[[str], None]
Stopped = Callable[[], bool]


class BadHistory(Exception):
    """Ingest refused simulated events: a mistake in the simulator."""


@dataclass
class Loader:
    """Takes events for the demo's source. `stopped` ends a loading early; what was taken is not taken twice."""

    sender: Sender
    stopped: Stopped
    taken: int = 0
    known: int = 0

    @classmethod
    def make(cls, stopped: Stopped = lambda: False) -> "Loader":
        source, _ = Source.objects.get_or_create(
            slug=organisation.SOURCE, defaults={"name": "Simulated gateway (demo data)"}
        )
        return cls(Sender(source.pk, source.slug, {source.slug: source.pk}), stopped)

    def take(self, events: Sequence[Event]) -> None:
        """Write events in batches. BadHistory where one is refused."""
        for start in range(0, len(events), BATCH):
            if self.stopped():
                return
            some = events[start : start + BATCH]
            body = b"[" + b",".join(encoded(event) for event in some) + b"]"
            answer = self.written(body, len(some))
            if answer.rejected or answer.conflict:
                raise BadHistory(str(answer.items[0]))
            self.taken += answer.accepted
            self.known += answer.duplicate

    def tell(self, messages: Iterable[dict[str, Any]]) -> None:
        """Say what became of runs. BadHistory where a message is refused."""
        said = list(messages)
        for start in range(0, len(said), BATCH):
            if self.stopped():
                return
            body = b"[" + b",".join(encoded(one) for one in said[start : start + BATCH]) + b"]"
            answer = Taking(self.sender, decode_many(body)).take()
            if answer.rejected:
                raise BadHistory(str(answer.items[0]))

    def written(self, body: bytes, count: int) -> Answer:
        """The answer; once more after a passing trouble of the database."""
        for attempt in range(1, TRIES + 1):
            try:
                return Intake(self.sender, decode(body, "application/json", {}, count)).take()
            except DatabaseError as error:
                if attempt == TRIES:
                    raise
                logger.warning("The history waits for the database: %s", error)
                connection.close()
                time.sleep(attempt)
        raise AssertionError


def load(beginning: Beginning, loader: Loader, told: Told) -> None:
    """All days up to the beginning of live traffic, newest first; then what arrives after the month was closed."""
    story, until = beginning.story, beginning.until
    started = time.monotonic()
    for ago in range(story.days + 1):
        when = story.today - timedelta(days=ago)
        came = [one.event for one in days.day(story, when) if one.at <= until]
        loader.take(came)
        loader.tell(reviews(story, came, until))
        if loader.stopped():
            return
        if when.day == 1 and ago < 31:
            told(f"{when:%B} is loaded: {loader.taken:,} calls in {time.monotonic() - started:.0f} s.")
    if setting_up.close_last_month(beginning):
        # Told again after an interruption, they are duplicates.
        loader.take(mishaps.late_for_closed_month(story, story.today.replace(day=1)))
        if loader.stopped():
            return
    setting_up.remember_loaded(loader.taken + loader.known)
    told(f"{story.days} days are loaded: {loader.taken:,} calls in {time.monotonic() - started:.0f} s.")


def fill_gap(beginning: Beginning, loader: Loader, since: datetime, until: datetime) -> None:
    """The calls of the time in which nothing ran, as if the organisation had gone on meanwhile."""
    since = max(since, until - timedelta(days=LONGEST_GAP_DAYS))
    for when in days_between(beginning, since, until):
        came = [one.event for one in days.day(beginning.story, when) if since < one.at <= until]
        loader.take(came)
        loader.tell(reviews(beginning.story, came, until))


def still_to_come(beginning: Beginning, after: datetime) -> list[Arrival]:
    """Calls of the past that had not been delivered by `after`, in the order of their arrival."""
    found = [
        one
        for when in days_between(beginning, after - LONGEST_DELAY, after)
        for one in days.day(beginning.story, when)
        if one.at > after >= one.event["time"]
    ]
    return sorted(found, key=lambda one: one.at)


def days_between(beginning: Beginning, since: datetime, until: datetime) -> Iterator[date]:
    """Days by the organisation's clock, both ends included."""
    zone = beginning.story.zone
    day, last = since.astimezone(zone).date(), until.astimezone(zone).date()
    while day <= last:
        yield day
        day += timedelta(days=1)
