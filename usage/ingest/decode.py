"""From a body to events, item by item: one event, an array, CloudEvents single, batch or in headers, LiteLLM's own."""

import hashlib
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from budgets.access.problems import Problem
from usage.ingest.allowed import choices
from usage.ingest.event import Event, Refusal, holds_unstorable_text
from usage.ingest.litellm import MARK, understood

CLOUD_EVENT = "application/cloudevents+json"
CLOUD_EVENTS = "application/cloudevents-batch+json"
JSON_TYPES = {"application/json", ""}
NO_CHOICE = "Invalid enum value "  # how msgspec begins, before the value in quotes
LONGEST_SAID = 60  # characters of a value that a refusal repeats


class Item(Struct, gc=False):
    """One item of a batch: the event, or why it is refused.

    `raw` is the item as sent where it took a closer look; empty where the whole batch was decoded in one go.
    """

    index: int
    raw: bytes
    event: Event | None = None
    refusal: Refusal | None = None
    sent_id: str = ""


class CloudEvent(Struct, frozen=True):
    """The envelope of CloudEvents 1.0; `data` is the usage event, whose own members win."""

    specversion: str
    id: str
    source: str
    type: str
    data: Raw = Raw(b"")
    time: str | None = None


_events = msgspec.json.Decoder(list[Event])
_event = msgspec.json.Decoder(Event)
_raws = msgspec.json.Decoder(list[Raw])
_cloud = msgspec.json.Decoder(CloudEvent)
_anything = msgspec.json.Decoder()


def unpack(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without its gzip; 413 as soon as it grows past `limit`, 415 for another encoding."""
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise Problem(415, "unknown-encoding", "Unknown Content-Encoding", "Send the body plain or as gzip.")
    plain = bytearray()
    while body:
        gunzip = zlib.decompressobj(wbits=31)
        try:
            plain += gunzip.decompress(body, limit + 1 - len(plain))
        except zlib.error:
            raise Problem(400, "bad-gzip", "The body is not gzip", "Content-Encoding says gzip.") from None
        if len(plain) > limit:
            raise too_large(limit)
        if not gunzip.eof:
            raise Problem(400, "bad-gzip", "The body is not gzip", "The compressed data ends too early.")
        body = gunzip.unused_data.lstrip(b"\0")
    return bytes(plain)


def too_large(limit: int) -> Problem:
    """413 with what to do about it."""
    return Problem(413, "too-large", "The body is too large", f"Send at most {limit:,} bytes (after gunzip) at a time.")


def decode(body: bytes, content_type: str, headers: Mapping[str, str], max_events: int) -> list[Item]:
    """Split a body into items. Problem 400, 413 or 415 when it cannot be split at all."""
    if content_type == CLOUD_EVENTS:
        return [cloud_item(index, raw) for index, raw in enumerate(split(body, max_events))]
    if content_type == CLOUD_EVENT:
        return [cloud_item(0, whole(body))]
    if content_type not in JSON_TYPES:
        raise Problem(415, "unknown-type", "Unknown Content-Type", "Send application/json or CloudEvents JSON.")
    if "ce-id" in headers:
        return [header_item(body, headers)]
    if body.lstrip(b" \t\r\n")[:1] != b"[":
        return [plain_item(0, whole(body))]
    try:
        # An escape may hide text that cannot be stored; everything else is decoded in one go.
        events = None if b"\\u" in body else _events.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        events = None
    if events is None:
        return [plain_item(index, raw) for index, raw in enumerate(split(body, max_events))]
    check_count(len(events), max_events)
    return [Item(index, b"", event) for index, event in enumerate(events)]


def split(body: bytes, max_events: int) -> list[bytes]:
    """The array's elements as bytes."""
    try:
        raws = _raws.decode(body)
    except RecursionError:
        raise Problem(400, "too-deep", "The body is nested too deeply", "An event needs two levels.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Problem(400, "malformed-json", "The body is not JSON that we can read", str(error)) from None
    check_count(len(raws), max_events)
    return [bytes(raw) for raw in raws]


def body_of(item: Item) -> bytes:
    """The item's bytes for the quarantine: as sent, or the event written anew where those were not kept."""
    return item.raw or (msgspec.json.encode(item.event) if item.event is not None else b"")


def check_count(count: int, max_events: int) -> None:
    if count > max_events:
        raise Problem(
            413, "too-many-events", "Too many events at once", f"{count:,} events; send at most {max_events:,}."
        )


def whole(body: bytes) -> bytes:
    """A body that must be one JSON object; 400 otherwise."""
    try:
        value = _anything.decode(body)
    except RecursionError:
        raise Problem(400, "too-deep", "The body is nested too deeply", "An event needs two levels.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Problem(400, "malformed-json", "The body is not JSON that we can read", str(error)) from None
    if not isinstance(value, dict):
        raise Problem(400, "not-an-event", "Not an event", "Send a JSON object, or an array of them.")
    return body


def plain_item(index: int, raw: bytes) -> Item:
    """One event from its own bytes."""
    item = Item(index, raw)
    try:
        event = _event.decode(raw)
        if b"\\u" in raw and holds_unstorable_text(event):
            raise Refusal("bad-text", "A text holds a NUL or half a surrogate pair, which cannot be stored.")
        item.event = event
    except Refusal as refusal:
        item.refusal = refusal
    except msgspec.ValidationError as error:
        if MARK in raw and (found := litellm_item(index, raw)) is not None:
            return found
        item.refusal = Refusal("invalid", sentence(error), field_of(error))
    except RecursionError:
        item.refusal = Refusal("too-deep", "The event is nested too deeply.")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        item.refusal = Refusal("malformed-json", str(error))
    if item.refusal is not None:
        item.sent_id = sent_id(raw)
    return item


def litellm_item(index: int, raw: bytes) -> Item | None:
    """One event from LiteLLM's payload, None where it is none. The payload itself, with its prompts, is not kept."""
    try:
        event = understood(raw)
    except Refusal as refusal:
        identity = msgspec.json.encode({"id": sent_id(raw)})
        return Item(index, identity, refusal=refusal, sent_id=sent_id(raw))
    return None if event is None else plain_item(index, event)


def cloud_item(index: int, raw: bytes) -> Item:
    """One event from a CloudEvents envelope."""
    try:
        envelope = _cloud.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        return Item(index, raw, refusal=Refusal("bad-cloudevent", str(error)), sent_id=sent_id(raw))
    if not bytes(envelope.data):
        refusal = Refusal("bad-cloudevent", "data is missing: it holds the usage event.", "data")
        return Item(index, raw, refusal=refusal, sent_id=envelope.id[:128])
    return enveloped(index, raw, bytes(envelope.data), envelope.id, envelope.source, envelope.time)


def header_item(body: bytes, headers: Mapping[str, str]) -> Item:
    """One event in CloudEvents binary mode: attributes in ce-* headers, data as the body."""
    if "ce-source" not in headers:
        raise Problem(400, "bad-cloudevent", "Not a CloudEvent", "The header ce-source is missing.")
    return enveloped(0, body, whole(body), headers["ce-id"], headers["ce-source"], headers.get("ce-time"))


def enveloped(index: int, raw: bytes, data: bytes, ce_id: str, ce_source: str, ce_time: str | None) -> Item:
    """The usage event in `data`; id and time come from the envelope where the event has none of its own.

    In CloudEvents only source and id together are unique, so an id taken from the envelope carries the source's hash.
    """
    try:
        members: Any = _anything.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        return Item(index, raw, refusal=Refusal("malformed-json", str(error)), sent_id=ce_id[:128])
    if not isinstance(members, dict):
        return Item(
            index, raw, refusal=Refusal("bad-cloudevent", "data must be an object.", "data"), sent_id=ce_id[:128]
        )
    if "id" not in members:
        origin = hashlib.blake2b(ce_source.encode("utf-8", "replace"), digest_size=6).hexdigest()
        members["id"] = f"{origin}-{ce_id}"
    if ce_time is not None:
        members.setdefault("time", ce_time)
    item = plain_item(index, msgspec.json.encode(members))
    item.raw = raw
    return item


def sentence(error: msgspec.ValidationError, of: type[Struct] = Event) -> str:
    """What is wrong with a message of this kind: the field, what was sent there, and the words that it may be."""
    message, _, path = str(error).rpartition(" - at `$")
    place, message = (path.rstrip("`").lstrip("."), message) if message else ("", path)
    said = f"{place}: {message}." if place else f"{message}."
    if not (words := choices(of, field_of(error))):
        return said
    if message.startswith(NO_CHOICE):
        said = f"{place} cannot be “{message.removeprefix(NO_CHOICE)[1:-1][:LONGEST_SAID]}”."
    return f"{said} Use one of: {', '.join(words)}."


def field_of(error: msgspec.ValidationError) -> str:
    """The member that the message speaks of; "" where it is none."""
    message, _, path = str(error).rpartition(" - at `$")
    place = path.rstrip("`").lstrip(".") if message else ""
    if not place and "missing required field" in str(error):
        return str(error).rpartition("field `")[2].rstrip("`")
    return place.partition("[")[0]


def sent_id(raw: bytes) -> str:
    """The id a refused item names, if one can be read."""
    try:
        value = _anything.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return ""
    found = value.get("id") if isinstance(value, dict) else None
    if isinstance(found, str):
        return found[:128].encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
    return ""
