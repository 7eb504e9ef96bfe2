"""Claude Code's session logs: one model call is written on one line or on ten.

Identity: `message.id`. Each content block of a call is a line; input and cache counts repeat, `output_tokens` grows, so
the last line of an id is the call and the time it ended. A call is held back until LINES_HELD lines have passed without
another of its lines (in the logs seen they are next to each other), which bounds memory.

Anthropic counts exclusively: `input_tokens` leaves out what was read from and written to the cache. Here the three are
added up, and the two cache counts are kept as parts. One-hour cache writes have a price of their own at Anthropic, so
how many of the cache writes they are is said in `units`.
"""

from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from usage.replay.rows import json_rows
from usage.replay.trace import Event, Format, Given, Unreadable, each_row, first_line

LINES_HELD = 5_000
SERVICE_TIERS = {"standard", "batch", "priority"}


def last_lines(lines: Iterator[str]) -> Iterator[tuple[int, Any]]:
    """(line, row) of the last line of each call, in the order in which the calls ended."""
    held: OrderedDict[str, tuple[int, dict[str, Any]]] = OrderedDict()
    for number, row in json_rows(lines):
        if isinstance(row, Unreadable):
            yield number, row
            continue
        message = row.get("message")
        # Prompts, tool results and summaries are lines too; only an answer with usage is a call.
        if row.get("type") != "assistant" or not isinstance(message, dict) or "usage" not in message:
            continue
        identity = str(message.get("id"))
        held[identity] = (number, row)
        held.move_to_end(identity)
        while held and number - next(iter(held.values()))[0] > LINES_HELD:
            yield held.popitem(last=False)[1]
    yield from held.values()


def read(lines: Iterator[str], given: Given) -> Iterator[Event | Unreadable]:
    def call(row: dict[str, Any], _line: int) -> Event:
        message = row["message"]
        usage = message["usage"]
        cached = usage.get("cache_read_input_tokens") or 0
        written = usage.get("cache_creation_input_tokens") or 0
        units = {
            "web_search": (usage.get("server_tool_use") or {}).get("web_search_requests"),
            "cache_write_1h_tokens": (usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens"),
        }
        return {
            "id": message["id"],
            "time": datetime.fromisoformat(row["timestamp"]),
            "model": message["model"],
            "provider": "anthropic",
            "workflow": given.workflow,
            "run_id": row.get("sessionId"),
            "session": row.get("sessionId"),
            "agent": row.get("agentId") or "main",
            "application": "claude-code",
            "operation": "chat",
            "input_tokens": usage["input_tokens"] + cached + written,
            "cached_input_tokens": cached,
            "cache_write_tokens": written,
            "output_tokens": usage["output_tokens"],
            "cache": "prompt" if cached else "none",
            "service_tier": usage.get("service_tier") if usage.get("service_tier") in SERVICE_TIERS else None,
            "finish_reason": message.get("stop_reason"),
            "units": {name: count for name, count in units.items() if count} or None,
        }

    return each_row(last_lines(lines), call)


def recognises(head: str) -> bool:
    line = first_line(head)
    return line.startswith("{") and '"sessionId"' in head and '"type":"' in head.replace(": ", ":") and '"uuid"' in head


FORMAT = Format(
    name="claude-code",
    what="Claude Code session log, JSON lines with type, sessionId, uuid, message.usage",
    identity="message.id; its last line",
    recognises=recognises,
    read=read,
)
