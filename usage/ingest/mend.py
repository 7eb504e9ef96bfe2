"""Mend what was refused: correct the body, send it again, set it aside, and take that back."""

import json
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec
from django.db import transaction

from budgets.audit.record import Actor, record
from usage.ingest.requeue import Sent, send_now
from usage.models import QuarantinedItem

LONGEST = 262_144  # characters of a corrected body


class BadBody(Exception):
    """What was typed is no JSON: a sentence that says where."""


class Meanwhile(Exception):
    """Someone else dealt with the item since it was looked at."""


@dataclass(frozen=True, slots=True)
class Mended:
    """The item as it is now, and what came of sending it."""

    item: QuarantinedItem
    sent: Sent


def pretty(text: str) -> str:
    """JSON with one member a line, every number as it was written; other text as it is."""
    try:
        return msgspec.json.format(text, indent=2)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return text


def plain(text: str) -> str:
    """The same JSON in as little room as it takes, to compare by."""
    try:
        return msgspec.json.format(text, indent=-1)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return text


def check_json(text: str) -> None:
    """BadBody where it is not JSON, or not an event or a list of them."""
    if len(text) > LONGEST:
        raise BadBody(f"That is too long: {len(text):,} characters of at most {LONGEST:,}.")
    if not text.strip():
        raise BadBody("The body is empty. Write the event as a JSON object.")
    try:
        value = json.loads(text, parse_constant=no_number)
    except json.JSONDecodeError as error:
        raise BadBody(f"This is not JSON: {error.msg.lower()}, at line {error.lineno}, column {error.colno}.") from None
    except (ValueError, RecursionError) as error:
        what = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BadBody(f"This is not JSON: {what}.") from None
    if not isinstance(value, dict | list):
        raise BadBody("Write the event as a JSON object, between braces, or several in a list.")


def no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def seen(item: QuarantinedItem) -> str:
    """Changes with what a form was filled from: body, state and reason."""
    return f"{item.status}-{len(item.to_send)}-{hash_of(item.to_send)}"


def hash_of(text: str) -> str:
    return blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest()


def correct(actor: Actor, item: QuarantinedItem, text: str, looked_at: str = "") -> QuarantinedItem:
    """Keep a corrected body beside the one that was sent. BadBody for what is no JSON.

    `looked_at` is `seen` of the item that was edited; Meanwhile when another changed or sent it since.
    """
    check_json(text)
    with transaction.atomic():
        row = QuarantinedItem.objects.select_for_update(of=("self",), no_key=True).get(pk=item.pk)
        if row.status == QuarantinedItem.Status.REPLAYED:
            raise Meanwhile("It was sent again already and counts; there is nothing left to mend.")
        if looked_at and looked_at != seen(row):
            raise Meanwhile("Someone changed this item meanwhile. This is how it is now.")
        before = row.to_send
        corrected = "" if plain(text) == plain(row.body) else text
        if corrected != row.corrected and plain(text) != plain(before):
            row.corrected = corrected
            row.save(update_fields=["corrected"])
            record(actor, "corrected", row, {"body": before}, {"body": row.to_send})
    return row


def mend(actor: Actor, item: QuarantinedItem, text: str, looked_at: str = "") -> Mended:
    """Keep the correction and send it. What is refused again stays open, with its new reason."""
    row = correct(actor, item, text, looked_at)
    return Mended(row, send_now(actor, row))


def discard(actor: Actor, item: QuarantinedItem, reason: str = "") -> bool:
    """Set it aside: it is no longer among what is to be mended. False where it was not open."""
    return move(actor, item, QuarantinedItem.Status.OPEN, QuarantinedItem.Status.DISCARDED, "set aside", reason)


def restore(actor: Actor, item: QuarantinedItem, reason: str = "") -> bool:
    """Take setting aside back. False where it was not set aside."""
    return move(actor, item, QuarantinedItem.Status.DISCARDED, QuarantinedItem.Status.OPEN, "reopened", reason)


@transaction.atomic
def move(actor: Actor, item: QuarantinedItem, come: str, go: str, act: str, reason: str) -> bool:
    """From one state to another, if it is in the first."""
    moved = QuarantinedItem.objects.filter(pk=item.pk, status=come).update(status=go, queued_at=None)
    if moved:
        record(actor, act, item, {"status": come}, {"status": go}, reason)
    return bool(moved)
