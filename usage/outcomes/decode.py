"""From a body to messages, item by item."""

from typing import Any

import msgspec
from msgspec import Struct

from budgets.access.problems import Problem
from usage.ingest.decode import field_of, sent_id, sentence, split
from usage.ingest.event import Refusal
from usage.outcomes.message import Outcome, check

MOST_ITEMS = 10_000


class Item(Struct, gc=False):
    """One item of a batch: the message, or why it is refused. `sent_id`: its id as far as it can be read."""

    index: int
    message: Outcome | None = None
    refusal: Refusal | None = None
    sent_id: str = ""


_decoder = msgspec.json.Decoder(Outcome)


def decode_many(body: bytes) -> list[Item]:
    """A list of messages, or one. Problem 400 or 413 where it cannot be split."""
    if body.lstrip(b" \t\r\n")[:1] == b"{":
        return [item_of(0, body)]
    return [item_of(index, raw) for index, raw in enumerate(split(body, MOST_ITEMS))]


def item_of(index: int, raw: bytes, **stated: Any) -> Item:
    """One message from its own bytes; `stated` is what the address says, which the body may only repeat."""
    item = Item(index)
    try:
        item.message = read(raw, stated)
        item.sent_id = item.message.id or ""
    except Refusal as refusal:
        item.refusal, item.sent_id = refusal, sent_id(raw)
    return item


def read(raw: bytes, stated: dict[str, Any]) -> Outcome:
    """The message, checked but for its time. Refusal says what is wrong with it, and at which member."""
    try:
        message = _decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise Refusal("invalid", sentence(error, Outcome), field_of(error)) from None
    except RecursionError:
        raise Refusal("too-deep", "The outcome is nested too deeply.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal("malformed-json", str(error)) from None
    for name, value in stated.items():
        own = getattr(message, name)
        if value and own is not None and own != value:
            raise Refusal("says-two-things", f"The address says {value!r}, the body {own!r}.", name)
    message = msgspec.structs.replace(message, **{name: value for name, value in stated.items() if value})
    check(message)
    return message


def is_object(body: bytes) -> bytes:
    """A body that is one JSON object; Problem 400 otherwise."""
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        raise Problem(400, "too-deep", "The body is nested too deeply", "An outcome needs one level.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Problem(400, "malformed-json", "The body is not JSON that we can read", str(error)) from None
    if not isinstance(value, dict):
        raise Problem(400, "not-an-outcome", "Not an outcome", "Send one JSON object.")
    return body
