"""Usage events as docs/events.md describes them: made of a call, written as JSON. Pure but for new ids and times."""

import json
import os
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tokenops_sdk.asking import Decision, Request

LONGEST_TEXT = 128
LARGEST = 64 * 1024  # bytes of one event; the server keeps no more of one that it refuses


class EventRefused(ValueError):
    """An event that cannot be sent; the message says why in a sentence."""


def new_id() -> str:
    """A UUIDv7 (RFC 9562), the kind of id that the server stores most cheaply."""
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 7 << 76
    return str(uuid.UUID(int=value & ~(0x3 << 62) | 2 << 62))


def event_for(request: Request, decision: Decision | None = None, **measured: Any) -> dict[str, Any]:
    """The event of a call that was asked for so and decided so.

    `measured` are fields of the event (`input_tokens`, `output_tokens`, `latency_ms`, `status`, …) and go before all
    else. What is not known is left out.
    """
    event: dict[str, Any] = {
        name: value
        for name in (
            "workflow", "run_id", "step", "attempt", "step_kind", "stage", "task_type", "domain", "environment",
            "operation", "application", "user", "user_tier", "customer", "team", "retrieved_chunks", "tools_exposed",
        )
        if (value := getattr(request, name)) not in ("", None)
    }  # fmt: skip
    if request.tags:
        event["tags"] = dict(request.tags)
    if request.context:
        event["context"] = dict(request.context)
    provider, model = request.provider, request.model
    if request.model:
        event["requested_model"] = request.model
    if decision is not None:
        if decision.model:
            provider, model = decision.provider or "", decision.model
        decided = {
            "tier": decision.tier,
            "default_tier": decision.default_tier,
            "grant_id": decision.grant_id,
            "bundle_revision": revision_number(decision.revision),
            "lease_id": lease_ids(decision),
        }
        event.update({name: value for name, value in decided.items() if value not in ("", None)})
    event.update({name: value for name, value in (("provider", provider), ("model", model)) if value})
    event.update(measured)
    return event


def lease_ids(decision: Decision) -> str:
    """What an event says as `lease_id`: as many as fit. Calls are counted when they are made and need no naming.

    What is left out costs nothing: the server holds it as reserved until it hears, at release, what was used.
    """
    named = ""
    for lease in decision.leases:
        one = str(lease.get("lease_id") or "")
        if one and lease.get("kind") != "calls" and len(named) + len(one) < LONGEST_TEXT:
            named = f"{named} {one}".lstrip()
    return named


def revision_number(revision: str) -> int | None:
    """The second half of `epoch:revision`; None before the first bundle."""
    number = revision.rpartition(":")[2]
    return int(number) if number.isdecimal() and number.isascii() else None


def line_of(event: Mapping[str, Any], now: datetime | None = None) -> bytes:
    """An event as one line of JSON, with an `id` and a `time` if it has none.

    Times (aware), Decimals and UUIDs may be given as such. Raises EventRefused.
    """
    if not isinstance(event, Mapping):
        raise EventRefused(f"An event is an object, not {type(event).__name__}.")
    given = dict(event)
    if not given.get("id"):
        given["id"] = new_id()
    if not given.get("time"):
        given["time"] = now or datetime.now(UTC)
    if not isinstance(given.get("model"), str) or not given["model"]:
        raise EventRefused("The event does not say its model.")
    try:
        line = json.dumps(given, default=_as_text, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise EventRefused(f"The event cannot be written as JSON: {error}") from error
    if len(line) > LARGEST:
        raise EventRefused(f"The event has {len(line):,} bytes; {LARGEST:,} fit.")
    return line


def _as_text(value: Any) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time without an offset")
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("an amount that is no number")
        return format(value, "f")
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is neither text, number, list nor object")
