"""Mooncake's published traces: one request per JSON line, with the hashes of its 512-token prompt blocks.

Identity: the line; several requests share one millisecond.
The trace does not say what a cache served. A block's hash covers all text before it too, so the leading blocks that
were seen before are what a prompt cache would have served; that is what `cached_input_tokens` holds here, with a cache
of the CACHE_BLOCKS blocks used last.
Source of the shape: kvcache-ai/Mooncake, FAST'25 release.
"""

from collections import OrderedDict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from usage.replay.rows import json_rows
from usage.replay.trace import Event, Format, Given, Unreadable, each_row, first_line

BLOCK_TOKENS = 512
CACHE_BLOCKS = 200_000


class PrefixCache:
    """The blocks used last; bounded, so that a trace of any length fits in memory."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.blocks: OrderedDict[int, None] = OrderedDict()

    def serve(self, blocks: list[int]) -> int:
        """How many leading blocks were there before; all of them are there afterwards."""
        hits = 0
        for block in blocks:
            if block not in self.blocks:
                break
            hits += 1
        for block in blocks:
            self.blocks[block] = None
            self.blocks.move_to_end(block)
        while len(self.blocks) > self.capacity:
            self.blocks.popitem(last=False)
        return hits


def read(lines: Iterator[str], given: Given) -> Iterator[Event | Unreadable]:
    cache = PrefixCache(CACHE_BLOCKS)

    def call(row: dict[str, Any], line: int) -> Event:
        tokens = int(row["input_length"])
        cached = min(tokens, BLOCK_TOKENS * cache.serve(row["hash_ids"]))
        return {
            "id": f"mooncake-{given.fingerprint}-{line}",
            "time": given.starts_at + timedelta(milliseconds=row["timestamp"]),
            "model": given.model,
            "provider": given.provider,
            "workflow": given.workflow,
            "operation": "chat",
            "input_tokens": tokens,
            "cached_input_tokens": cached,
            "output_tokens": int(row["output_length"]),
            "cache": "prompt" if cached else "none",
        }

    return each_row(json_rows(lines), call)


def recognises(head: str) -> bool:
    line = first_line(head)
    return line.startswith("{") and all(f'"{name}"' in line for name in ("hash_ids", "input_length", "output_length"))


FORMAT = Format(
    name="mooncake",
    what="Mooncake trace, JSON lines with timestamp, input_length, output_length, hash_ids",
    identity="the line",
    recognises=recognises,
    read=read,
)
