"""What a run is after all that was said of it. Pure: neither Django nor models.

The order is that of the decisions' own times, then of arrival, so it does not matter in which order messages came. The
last decides the outcome; each time it was sent back is a rework. Review minutes and satisfaction scores are summed over
all messages; what is said of the run as a whole (value, asset, misrouted, reviewer) is the last statement of each.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

REVIEWS = frozenset({"approved", "rejected", "reworked"})  # somebody looked at what the run made and decided
SHORT = timedelta(minutes=30)  # two reviewers within this time did not know of each other


@dataclass(frozen=True, slots=True)
class Told:
    """One message. `revenue` in nano-dollars; None and "" where it says nothing."""

    id: int
    time: datetime
    outcome: str
    reviewer: str = ""
    review_minutes: Decimal | None = None
    satisfaction: Decimal | None = None
    misrouted: bool | None = None
    revenue: int | None = None
    minutes_saved: Decimal | None = None
    cases: int | None = None
    asset: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """The columns of a run that follow from its messages, of which `timed` state review minutes.

    `duplicate_ids` are the messages that `duplicates` counts.
    """

    outcome: str = "open"
    reworks: int = 0
    reviews: int = 0
    duplicates: int = 0
    reviewer: str = ""
    review_minutes: Decimal = Decimal(0)
    timed: int = 0
    scored: int = 0
    satisfaction: Decimal = Decimal(0)
    misrouted: bool | None = None
    revenue: int | None = None
    minutes_saved: Decimal | None = None
    cases: int | None = None
    asset: str = ""
    duplicate_ids: frozenset[int] = frozenset()


def standing(messages: Iterable[Told]) -> Standing:
    """What they come to; without any, an open run."""
    told = sorted(messages, key=lambda one: (one.time, one.id))
    reviews = [one for one in told if one.outcome in REVIEWS]
    doubled = frozenset(duplicates(reviews))
    last = {name: _last(told, name) for name in ("misrouted", "revenue", "minutes_saved", "cases")}
    scores = [one.satisfaction for one in told if one.satisfaction is not None]
    return Standing(
        outcome=told[-1].outcome if told else "open",
        reworks=sum(one.outcome == "reworked" for one in told),
        reviews=len(reviews),
        duplicates=len(doubled),
        reviewer=next((one.reviewer for one in reversed(told) if one.reviewer), ""),
        review_minutes=sum((one.review_minutes or Decimal(0) for one in told), Decimal(0)),
        timed=sum(one.review_minutes is not None for one in told),
        scored=len(scores),
        satisfaction=sum(scores, Decimal(0)),
        misrouted=last["misrouted"],
        revenue=last["revenue"],
        minutes_saved=last["minutes_saved"],
        cases=last["cases"],
        asset=next((one.asset for one in reversed(told) if one.asset), ""),
        duplicate_ids=doubled,
    )


def duplicates(reviews: Iterable[Told]) -> list[int]:
    """The ids of reviews, given in order, of what was reviewed already.

    By the same reviewer, unless it was sent back in between; or by another one within half an hour. Who is not named
    is nobody's double.
    """
    found: list[int] = []
    since_sent_back: set[str] = set()
    latest: dict[str, datetime] = {}
    for one in reviews:
        if one.reviewer:
            others = [time for reviewer, time in latest.items() if reviewer != one.reviewer]
            if one.reviewer in since_sent_back or any(one.time - time <= SHORT for time in others):
                found.append(one.id)
            since_sent_back.add(one.reviewer)
            latest[one.reviewer] = one.time
        if one.outcome == "reworked":
            since_sent_back.clear()
    return found


def _last(told: list[Told], name: str) -> Any:
    return next((value for one in reversed(told) if (value := getattr(one, name)) is not None), None)
