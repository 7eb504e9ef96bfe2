"""LiteLLM's StandardLoggingPayload: what its callbacks send after each call, one JSON object per line.

Identity, counting and shape are those of `tokenops_sdk.litellm.payload`, which reads it for the HTTP endpoint too.
"""

from collections.abc import Iterator
from typing import Any

from tokenops_sdk.litellm.payload import event_of

from usage.replay.rows import json_rows
from usage.replay.trace import Event, Format, Given, Unreadable, each_row


def read(lines: Iterator[str], given: Given) -> Iterator[Event | Unreadable]:
    def call(payload: dict[str, Any], _line: int) -> Event:
        event = event_of(payload)
        event["model"] = event["model"] or given.model
        event["workflow"] = event.get("workflow") or given.workflow
        return event

    return each_row(json_rows(lines), call)


FORMAT = Format(
    name="litellm",
    what="LiteLLM StandardLoggingPayload, JSON lines with litellm_call_id, status, metadata.usage_object",
    identity="litellm_call_id, status and id together; failures by when they began too",
    recognises=lambda head: head.lstrip().startswith("{") and '"litellm_call_id"' in head and '"call_type"' in head,
    read=read,
)
