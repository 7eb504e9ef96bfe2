"""Take imported calls back: a row of kind 2 for each, with everything it counted negated, and its claim given back.

A withdrawal counts in the period of its call, or in the open month where that day is closed, as a correction does. A
call is withdrawn once: every chunk runs under the lock of re-pricing, which also keeps a correction from slipping in
between the reading of what a call costs and the row that takes it back. A call that its sender has sent as well
since it was imported stays: the sender was told that it counts, so nobody would send it again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from django.utils import timezone

from budgets.limits import book as budget_book
from usage.ingest.event import identity_key
from usage.ledger.append import append, raw_cursor
from usage.ledger.opening import NAMED
from usage.ledger.partitions import ensure_months
from usage.ledger.row import COLUMNS, Entry, LedgerRow
from usage.prices.correction import NONE_YET, PARTS, REPEATED, both, plain_json
from usage.prices.reprice import ENTER, posting

# Beside what a correction repeats: what makes a call a retry, an escalation or a step of its run.
KEPT: Final = (*REPEATED, "attempt", "step", "tools_exposed", "retrieved_chunks", "price_id", "measured")
NEGATED: Final = (
    "input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "tool_tokens",
    "avoided_input_tokens", "avoided_output_tokens", "reported_cost",
)  # fmt: skip
READ = ", ".join(f"l.{column}" for column in COLUMNS)
# The calls of the batches that nothing took back yet.
IS_STANDING = """
l.batch_id = ANY(%s) AND l.kind = 0
    AND NOT EXISTS (SELECT 1 FROM usage_ledger taken WHERE taken.corrects = l.id AND taken.kind = 2)
"""
STANDING = f"""
SELECT l.id, w.slug, {READ} FROM usage_ledger l JOIN {NAMED} w ON w.id = l.workflow_id
WHERE {IS_STANDING} AND l.id > %s ORDER BY l.id LIMIT %s
"""
COUNT_STANDING = f"SELECT count(*) FROM usage_ledger l WHERE {IS_STANDING}"
# All are locked, not only those that stay: a sender that is about to say so is waited for.
HOLD_CLAIMS = """
SELECT source_id, encode(uuid_send(key), 'hex'), sent_too FROM usage_claim WHERE (source_id, key) IN
    (SELECT source_id, key::uuid FROM unnest(%s::int[], %s::text[]) AS claim (source_id, key))
ORDER BY source_id, key FOR UPDATE
"""
CORRECTED = f"""
SELECT corrects, sum(unpriced)::int, {", ".join(f"sum({part})::bigint" for part in PARTS)}, sum(saved)::bigint
FROM usage_ledger WHERE corrects = ANY(%s) AND kind = 1 GROUP BY corrects
"""
UNCLAIM = """
DELETE FROM usage_claim WHERE (source_id, key) IN
    (SELECT source_id, key::uuid FROM unnest(%s::int[], %s::text[]) AS claim (source_id, key) ORDER BY 1, 2)
"""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """How many calls one transaction took back; `more` says that some of the batches' calls beyond `last` still stand.

    `last` is the id of the last ledger row that was looked at.
    """

    calls: int
    more: bool
    last: int = 0


def withdraw(batches: Sequence[int], size: int, after: int = 0) -> Withdrawn:
    """Look at the next `size` standing calls of these ingest batches, and take back those that no sender sent as well.

    In the caller's transaction, who has made this month's partition (`ensure_months`). Calling it again goes on with
    what still stands; where all of a chunk stays, `after` its last row.
    """
    now = timezone.now()
    cursor = raw_cursor()
    cursor.execute(ENTER)
    while cursor.nextset():  # the last of the statements has the row
        pass
    generation, closed_before, zone, batch_id = cursor.fetchone()
    cursor.execute(STANDING, [list(batches), after, size])
    looked_at = cursor.fetchall()
    found = _without_sent_too(cursor, looked_at)
    more, last = len(looked_at) == size, looked_at[-1][0] if looked_at else after
    if not found:
        return Withdrawn(0, more, last)
    cursor.execute(CORRECTED, [[row[0] for row in found]])
    corrections = {row[0]: row[1:] for row in cursor.fetchall()}
    posted = posting(closed_before, ZoneInfo(zone), now)
    rows = []
    for call_id, slug, *values in found:
        call = dict(zip(COLUMNS, values, strict=True))
        rows.append(taking_back(call_id, slug, call, corrections.get(call_id), posted(call["posted_at"])))
    append(
        cursor,
        batch_id=batch_id,
        generation=generation,
        source_id=rows[0].row.source_id,
        received_at=now,
        rows=rows,
        budgets=budget_book.current(generation),
    )
    cursor.execute(UNCLAIM, [[r.row.source_id for r in rows], [identity_key(r.row.event_id) for r in rows]])
    return Withdrawn(len(rows), more, last)


def standing(batches: Sequence[int]) -> int:
    """How many calls of these ingest batches nothing has taken back."""
    cursor = raw_cursor()
    cursor.execute(COUNT_STANDING, [list(batches)])
    return int(cursor.fetchone()[0])


def _without_sent_too(cursor: Any, found: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Those of the rows of STANDING whose claim is the import's alone; the claims stay locked."""
    at, event = 2 + COLUMNS.index("source_id"), 2 + COLUMNS.index("event_id")
    keys = [(row[at], identity_key(row[event])) for row in found]
    cursor.execute(HOLD_CLAIMS, [[source for source, _ in keys], [key for _, key in keys]])
    stay = {(source, key) for source, key, sent_too in cursor.fetchall() if sent_too}
    return [row for row, key in zip(found, keys, strict=True) if key not in stay]


def ensure_open_month() -> None:
    """Make the partition that withdrawals of closed days go to. Before the transaction."""
    ensure_months([timezone.now()])


def taking_back(
    call_id: int, workflow: str, call: dict[str, Any], corrections: Sequence[int | None] | None, posted_at: Any
) -> Entry:
    """The row that takes `call` back with its corrections (`unpriced`, the cost's parts, what caches spared)."""
    more = corrections or NONE_YET
    has_cost = call["cost"] is not None or corrections is not None
    parts = [-((call[part] or 0) + (extra or 0)) for part, extra in zip(PARTS, more[1:-1], strict=True)]
    saved = both(call["saved"], more[-1])
    tags = plain_json(call["tags"])
    counted: dict[str, Any] = {name: None if call[name] is None else -call[name] for name in NEGATED}
    row = LedgerRow(
        **{name: call[name] for name in KEPT},
        **counted,
        posted_at=posted_at,
        kind=2,
        corrects=call_id,
        unpriced=-(call["unpriced"] + (more[0] or 0)),
        units=as_text(negated(plain_json(call["units"]))),
        context=as_text(negated(plain_json(call["context"]))),
        tags=as_text(tags),
        saved=None if saved is None else -saved,
    )
    if has_cost:
        row.cost = sum(parts)
        row.cost_input, row.cost_cached, row.cost_cache_write, row.cost_output, row.cost_units = parts
    return Entry(row, workflow, tags)


def negated(amounts: dict[str, Any] | None) -> dict[str, Any] | None:
    """Amounts by name; those written as text, since they are exact, stay text."""
    if not amounts:
        return None
    return {name: str(-Decimal(one)) if isinstance(one, str) else -one for name, one in amounts.items()}


def as_text(value: Any) -> str | None:
    return msgspec.json.encode(value).decode() if value else None
