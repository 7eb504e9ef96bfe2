"""Say what became of a run: what is sent, and what the answer means. Pure; the clients speak HTTP."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from tokenops_sdk.backing_off import retry_after
from tokenops_sdk.following import Answer, sentence_of
from tokenops_sdk.sending import problem_of

TRIES = 3
LONGEST_PAUSE = 5.0  # seconds between two tries
FACTS = frozenset(
    {
        "reviewer", "review_minutes", "satisfaction", "misrouted", "revenue_usd", "minutes_saved", "cases", "asset",
        "time", "id", "source",
    }
)  # fmt: skip


class OutcomeRefused(ValueError):
    """The server did not take it and will not: `problem` is its problem document (RFC 9457)."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or "The outcome was refused."))
        self.problem = dict(problem)


class OutcomeNotSent(OSError):
    """Nobody knows whether the server has it. Send the same `message` again: its `id` makes it count once."""

    def __init__(self, sentence: str, message: Mapping[str, Any]) -> None:
        super().__init__(sentence)
        self.message = dict(message)


@dataclass(frozen=True, slots=True)
class Message:
    """What is posted where."""

    path: str
    body: dict[str, Any]


def message_of(run_id: str, outcome: str, workflow: str, facts: Mapping[str, Any]) -> Message:
    """The message, with an id and a time, so that it may be sent again. TypeError for a fact that there is not."""
    unknown = sorted(set(facts) - FACTS)
    if unknown:
        raise TypeError(f"An outcome has no {', '.join(unknown)}; it may have {', '.join(sorted(FACTS))}.")
    stated = {name: _plain(value) for name, value in facts.items() if value is not None}
    body = {"id": str(uuid4()), "time": _plain(datetime.now(UTC)), "workflow": workflow, "outcome": outcome} | stated
    return Message(f"/api/v1/runs/{quote(run_id, safe='')}/outcome", body)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, datetime) else value


def taken(answer: Answer) -> str | None:
    """ "accepted" or "duplicate"; None where it is worth another try. Raises OutcomeRefused."""
    if answer.status == 200:
        try:
            status = json.loads(answer.body)["status"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        return status if status in ("accepted", "duplicate") else None
    if 400 <= answer.status < 500 and answer.status not in (408, 429):
        raise OutcomeRefused(problem_of(answer))
    return None


def pause_of(answer: Answer) -> float:
    """How long the server asks to wait, at most some seconds."""
    asked = retry_after(answer.headers.get("retry-after"), datetime.now(UTC))
    return min(asked if asked is not None else 0.5, LONGEST_PAUSE)


def not_sent(answer: Answer | str, message: Message) -> OutcomeNotSent:
    """After the last try."""
    return OutcomeNotSent(answer if isinstance(answer, str) else sentence_of(answer), message.body)
