"""What becomes of events once the server has answered: pure. The rules are those of docs/events.md."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from tokenops_sdk.backing_off import retry_after
from tokenops_sdk.following import Answer, sentence_of

PROBLEM_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that the server did not take, by its place in the batch, and its problem document (RFC 9457)."""

    index: int
    status: str  # rejected, conflict
    problem: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to do with a batch.

    `done`: each event was taken, now or before, but for those in `refused`. `split`: send it in halves; a single one
    that cannot be split is refused. `wait`: nothing was decided, send all of it again, after `retry_after` seconds if
    the server said so; `sentence` says why.
    """

    what: Literal["done", "split", "wait"]
    refused: Sequence[Refused] = field(default=())
    accepted: int = 0
    duplicates: int = 0
    sentence: str = ""
    retry_after: float | None = None


def judge(answer: Answer, events: int, now: datetime) -> Outcome:
    """What an answer means for a batch of so many events.

    Only what is surely said by TokenOps decides on an event. Anything else, a proxy's page say, leaves all as it was.
    """
    if answer.status in (200, 207):
        return _taken(answer, events) or Outcome("wait", sentence="The server's answer cannot be read.")
    if answer.status == 413:
        return Outcome("split", [Refused(0, "rejected", problem_of(answer))], sentence=sentence_of(answer))
    if answer.status == 400 and answer.headers.get("content-type", "").startswith(PROBLEM_TYPE):
        return Outcome("split", [Refused(0, "rejected", problem_of(answer))], sentence=sentence_of(answer))
    asked = retry_after(answer.headers.get("retry-after"), now)
    return Outcome("wait", sentence=sentence_of(answer), retry_after=asked)


def _taken(answer: Answer, events: int) -> Outcome | None:
    try:
        document = json.loads(answer.body)
        accepted, duplicates = int(document["accepted"]), int(document["duplicate"])
        others = int(document["conflict"]) + int(document["rejected"])
        refused = [
            Refused(int(item["index"]), str(item["status"]), dict(item.get("problem") or {}))
            for item in document["items"]
            if item["status"] != "duplicate"
        ]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    places = {one.index for one in refused}
    whole = accepted + duplicates + others == events and len(places) == len(refused) == others
    if not whole or not all(0 <= place < events for place in places):
        return None
    return Outcome("done", refused, accepted, duplicates)


def problem_of(answer: Answer) -> dict[str, Any]:
    """The problem document of an answer, or one made of its status."""
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        return document
    return {"title": "Not taken", "status": answer.status, "detail": sentence_of(answer)}
