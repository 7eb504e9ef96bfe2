"""One call's correction: what it costs so far, what it should cost, and the ledger row that holds the difference."""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec
from django.db import connection

from usage.ledger.opening import NAMED
from usage.ledger.partitions import month_of, next_month
from usage.ledger.row import COLUMNS, Entry, LedgerRow
from usage.prices.book import PriceBook
from usage.prices.cost import CostParts, cost_of, length_of_one
from usage.prices.spared import spared_by_caches

PARTS: Final = ("cost_input", "cost_cached", "cost_cache_write", "cost_output", "cost_units")
# What a correction row repeats of its call, so that it meets the same budgets and cells; counts are not repeated.
REPEATED: Final = (
    "time", "source_id", "event_id", "workflow_id", "team", "run_id", "stage", "task_type", "domain", "environment",
    "operation", "agent", "step_kind", "prompt_version", "response_format", "provider", "model", "requested_model",
    "tier", "default_tier", "cache", "service_tier", "status", "user_name", "user_tier", "application", "customer",
    "session", "campaign", "channel", "grant_id", "lease_id",
)  # fmt: skip
READ = ", ".join(f"l.{column}" for column in COLUMNS)
WANTED = """l.kind = 0 AND l.measured AND l.time >= %(starts)s AND l.time < %(ends)s
    AND l.posted_at >= %(month)s AND l.posted_at < %(month_ends)s
    AND (NOT %(only_unpriced)s OR l.unpriced = 1) AND (%(models)s::text[] IS NULL OR l.model = ANY(%(models)s))"""
# The ledger has one index, by batch: one pass over each month finds the batches, then they are read a few at a time.
BATCHES = f"SELECT l.batch_id, count(*) FROM usage_ledger l WHERE {WANTED} GROUP BY 1 ORDER BY 1"
# A call is never posted before it happened, so older months need no look.
COUNT = f"SELECT count(*) FROM usage_ledger l WHERE {WANTED}"
CALLS = f"""
SELECT l.id, w.slug, {READ} FROM usage_ledger l JOIN {NAMED} w ON w.id = l.workflow_id
WHERE l.batch_id = ANY(%(batches)s) AND {WANTED} ORDER BY l.id
"""
CORRECTIONS = f"""
SELECT corrects, bool_or(kind = 2), sum(unpriced)::int, {", ".join(f"sum({part})::bigint" for part in PARTS)},
    sum(saved)::bigint
FROM usage_ledger WHERE corrects = ANY(%s) GROUP BY corrects
"""


@dataclass(frozen=True, slots=True)
class Call:
    """A ledger row with its corrections taken into account. Costs in nano-dollars; `row` has the table's columns."""

    id: int
    workflow: str
    row: dict[str, Any]
    unpriced: int  # 1: no cost so far
    cost: int
    parts: tuple[int, int, int, int, int]
    saved: int | None  # what caches spared, as far as it is known


@dataclass(frozen=True, slots=True)
class Change:
    """What the call costs by the book of today, and what caches spared."""

    price_id: int
    cost: CostParts
    saved: int | None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which calls: of [starts, ends) by their own time; `models` as sent, None for all."""

    starts: datetime
    ends: datetime
    only_unpriced: bool
    models: tuple[str, ...] | None

    def of_month(self, first: date) -> dict[str, Any]:
        """Query values for the calls that are posted in the UTC month of `first`."""
        return {
            "starts": self.starts,
            "ends": self.ends,
            "only_unpriced": self.only_unpriced,
            "models": None if self.models is None else list(self.models),
            "month": datetime(first.year, first.month, 1, tzinfo=UTC),
            "month_ends": datetime.combine(next_month(first), time(), UTC),
        }


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole batches whose calls are read and corrected together."""

    batches: Sequence[int]
    values: Mapping[str, Any]
    calls: int = 0  # as counted when the batches were found


def count_calls(selection: Selection, today: datetime) -> int:
    """How many calls a preview has to look at: one pass over the ledger's months."""
    values = selection.of_month(month_of(selection.starts))
    values["month_ends"] = today + timedelta(days=1)  # a call may be dated a day ahead
    with connection.cursor() as cursor:
        cursor.execute(COUNT, values)
        return int(cursor.fetchone()[0])


def chunks(selection: Selection, today: datetime, size: int) -> Iterator[Chunk]:
    """Chunks of about `size` calls, month by month. Late usage is posted later than it happened, never earlier."""
    month = month_of(selection.starts)
    while month <= month_of(today + timedelta(days=1)):  # a call may be dated a day ahead
        values = selection.of_month(month)
        with connection.cursor() as cursor:
            cursor.execute(BATCHES, values)
            found = cursor.fetchall()
        chosen, count = array("q"), 0
        for batch_id, calls in found:
            chosen.append(batch_id)
            count += calls
            if count >= size:
                yield Chunk(chosen, values, count)
                chosen, count = array("q"), 0
        if chosen:
            yield Chunk(chosen, values, count)
        month = next_month(month)


def read_calls(cursor: Any, chunk: Chunk) -> list[Call]:
    """The calls of one chunk as they stand now, without those withdrawn; of a run over unpriced ones those still so."""
    cursor.execute(CALLS, {**chunk.values, "batches": list(chunk.batches)})
    rows = cursor.fetchall()
    cursor.execute(CORRECTIONS, [[row[0] for row in rows]])
    withdrawn, corrected = set(), {}
    for call, is_withdrawn, *sums in cursor.fetchall():
        if is_withdrawn:
            withdrawn.add(call)
        corrected[call] = sums
    calls = [_call(row, corrected.get(row[0], NONE_YET)) for row in rows if row[0] not in withdrawn]
    return [call for call in calls if call.unpriced] if chunk.values["only_unpriced"] else calls


NONE_YET: Final = ((0,) * (1 + len(PARTS))) + (None,)


def _call(fetched: Sequence[Any], corrections: Sequence[int | None]) -> Call:
    """A row with the sum of its corrections: `unpriced`, the cost's parts, what caches spared."""
    row = dict(zip(COLUMNS, fetched[2:], strict=True))
    a, b, c, d, e = ((row[part] or 0) + (more or 0) for part, more in zip(PARTS, corrections[1:-1], strict=True))
    return Call(
        id=fetched[0],
        workflow=fetched[1],
        row=row,
        unpriced=row["unpriced"] + (corrections[0] or 0),
        cost=a + b + c + d + e,
        parts=(a, b, c, d, e),
        saved=both(row["saved"], corrections[-1]),
    )


def both(first: int | None, second: int | None) -> int | None:
    """The sum of what is known; None where neither is."""
    return second if first is None else first + (second or 0)


def change_of(call: Call, prices: PriceBook) -> Change | None:
    """The new cost where it, or what caches spared, differs; None where not, or the book cannot price it either."""
    row = call.row
    price = prices.find(row["provider"], row["model"], row["service_tier"], row["time"])
    if price is None:
        return None
    tokens_in, cached, units = row["input_tokens"] or 0, row["cached_input_tokens"] or 0, quantities(row["units"])
    length = length_of_one(tokens_in, plain_json(row["tags"]))
    cost = cost_of(
        price,
        tokens_in,
        cached,
        row["cache_write_tokens"] or 0,
        row["output_tokens"] or 0,
        units,
        row["reasoning_tokens"] or 0,
        length,
    )
    if cost is None:
        return None
    avoided = row["avoided_input_tokens"] or 0, row["avoided_output_tokens"] or 0
    saved = spared_by_caches(price, tokens_in if length is None else length, cached, *avoided, units)
    new = (cost.input, cost.cached, cost.cache_write, cost.output, cost.units)
    if not call.unpriced and new == call.parts and (saved or 0) == (call.saved or 0):
        return None
    return Change(price.price_id, cost, saved)


def plain_json(value: Any) -> Any:
    """A JSON column, which psycopg gives as text or as an object."""
    return msgspec.json.decode(value) if isinstance(value, str) else value


def quantities(units: Any) -> dict[str, Decimal] | None:
    """The ledger's units column, which psycopg gives as text or as an object with decimal text."""
    units = plain_json(units)
    return {name: Decimal(str(amount)) for name, amount in units.items()} if units else None


def correction_row(call: Call, change: Change, posted_at: datetime) -> Entry:
    """The difference as a ledger row. It is no call: its counts are empty, only money and `unpriced` differ."""
    cost = change.cost
    tags = plain_json(call.row["tags"])
    row = LedgerRow(
        **{name: call.row[name] for name in REPEATED},
        posted_at=posted_at,
        kind=1,
        corrects=call.id,
        measured=True,
        unpriced=-call.unpriced,
        price_id=change.price_id,
        cost=cost.total - call.cost,
        cost_input=cost.input - call.parts[0],
        cost_cached=cost.cached - call.parts[1],
        cost_cache_write=cost.cache_write - call.parts[2],
        cost_output=cost.output - call.parts[3],
        cost_units=cost.units - call.parts[4],
        saved=None if change.saved is None and not call.saved else (change.saved or 0) - (call.saved or 0),
        tags=msgspec.json.encode(tags).decode() if tags else None,
    )
    return Entry(row, call.workflow, tags)
