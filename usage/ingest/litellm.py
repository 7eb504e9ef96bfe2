"""What LiteLLM's `generic_api` callback posts, item by item: its logging payload, read as a usage event. Pure."""

from typing import Any

import msgspec
from tokenops_sdk.litellm.payload import event_of, recognised

from usage.ingest.event import Refusal

MARK = b'"litellm_call_id"'

_anything = msgspec.json.Decoder()


def understood(raw: bytes) -> bytes | None:
    """The usage event's JSON; None where `raw` is no such payload. Refusal for one that is broken.

    It is all that is kept of the payload, whose prompts and answers are nobody's business here.
    """
    try:
        payload: Any = _anything.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    if not isinstance(payload, dict) or not recognised(payload):
        return None
    try:
        event = {name: value for name, value in event_of(payload).items() if value is not None}
    except (ValueError, TypeError, KeyError, ArithmeticError, OverflowError, AttributeError) as error:
        raise Refusal("bad-litellm-payload", f"This LiteLLM payload cannot be read: {error!r:.200}") from None
    return msgspec.json.encode(event)
