"""Refused items are kept with their body and the reason, to be looked at, corrected and replayed."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

MAX_BODY = 65_536  # characters of the body that are kept

KEEP = """
INSERT INTO usage_quarantineditem
    (source_id, received_at, event_id, code, problem, body, body_digest, times, status)
SELECT %s, now(), event_id, code, problem::jsonb, body, digest, 1, 'open'
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[])
     AS item (event_id, code, problem, body, digest)
ORDER BY digest
ON CONFLICT (source_id, body_digest) DO UPDATE
SET times = usage_quarantineditem.times + 1, received_at = now(), code = excluded.code, problem = excluded.problem
"""


@dataclass(frozen=True, slots=True)
class Refused:
    """One refused item: its bytes, the id it names, and the problem document that was answered."""

    raw: bytes
    event_id: str
    code: str
    problem: dict[str, Any]


def keep(cursor: Any, source_id: int, items: Iterable[Refused]) -> None:
    """Write refused items; a body seen before from this source adds to its count. Sorted, against deadlocks."""
    unique = {hashlib.blake2b(item.raw, digest_size=16).digest(): item for item in items}
    if not unique:
        return
    rows = sorted(unique.items())
    cursor.execute(
        KEEP,
        (
            source_id,
            [item.event_id for _, item in rows],
            [item.code for _, item in rows],
            [json.dumps(item.problem).replace("\\u0000", "") for _, item in rows],
            [printable(item.raw) for _, item in rows],
            [digest for digest, _ in rows],
        ),
    )


def printable(raw: bytes) -> str:
    """The body as text that PostgreSQL can hold: bad UTF-8 as �, NUL as its escape, cut at the limit."""
    return raw[: 4 * MAX_BODY].decode("utf-8", "replace").replace("\x00", "\\u0000")[:MAX_BODY]
