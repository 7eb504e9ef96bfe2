"""The one way to write the ledger: rows, the charges they make, and their batch, in the caller's transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from budgets.grants import book as grant_book
from budgets.grants.book import GrantBook
from budgets.grants.charges import GrantSpend
from budgets.grants.charges import statement_of as grant_statement
from budgets.leases.charges import statement_of as lease_statement
from budgets.limits.book import BudgetBook, BudgetRef
from budgets.limits.calendar import quarter_hour
from budgets.limits.charges import Charge, statement_of
from usage.ledger.leased import leased
from usage.ledger.row import CALLS_OF, COLUMNS, Entry, LedgerRow, budget_attribute

COPY = f"COPY usage_ledger ({', '.join(COLUMNS)}) FROM STDIN"
INSERT_BATCH = """
INSERT INTO usage_ingestbatch (id, source_id, received_at, generation, events, folded_at)
VALUES (%s, %s, %s, %s, %s, NULL)
"""
FEW = 8  # rows: up to here one INSERT in the same message as the rest costs less than COPY's three more round trips


def append(
    cursor: Any,
    *,
    batch_id: int,
    generation: int,
    source_id: int,
    received_at: datetime,
    rows: Sequence[Entry],
    budgets: BudgetBook,
) -> None:
    """Write `rows` (their partitions exist) as batch `batch_id`; the caller holds the configuration lock shared.

    `cursor` is psycopg's own with client-side binding, since COPY and several statements at once are beyond Django's.
    """
    for entry in rows:
        entry.row.batch_id = batch_id
        entry.row.generation = generation
    statements = [(INSERT_BATCH, [batch_id, source_id, received_at, generation, len(rows)])]
    charges = charges_of(rows, budgets)
    if charges:
        statements.append(statement_of(charges))
    grants = grant_book.current(generation)
    if grants and (spends := spends_of(rows, grants)):
        statements.append(grant_statement(spends))
    if reserved := leased(cursor, rows, budgets):
        statements.append(lease_statement(reserved))
    if len(rows) <= FEW:
        statements.append(insert_of(rows))
    else:
        with cursor.copy(COPY) as copy:
            for entry in rows:
                copy.write_row(msgspec.structs.astuple(entry.row))
    cursor.execute("; ".join(sql for sql, _ in statements), [value for _, values in statements for value in values])


def insert_of(rows: Sequence[Entry]) -> tuple[str, list[Any]]:
    """One INSERT of a few rows, naming only columns that one of them fills; the others' default is what None means."""
    values = [msgspec.structs.asdict(entry.row) for entry in rows]
    used = [column for column in COLUMNS if any(row[column] is not None for row in values)]
    one = f"({', '.join(['%s'] * len(used))})"
    sql = f"INSERT INTO usage_ledger ({', '.join(used)}) VALUES {', '.join([one] * len(rows))}"
    return sql, [row[column] for row in values for column in used]


def charges_of(rows: Iterable[Entry], budgets: BudgetBook) -> list[Charge]:
    """What the rows spend of each budget, summed per quarter hour, in a fixed order."""
    sums: dict[tuple[int, datetime], list[int]] = {}
    dimensions, uses_tags = budgets.dimensions, bool(budgets.tag_keys)
    matched: dict[tuple[str, ...], tuple[BudgetRef, ...]] = {}
    bucket_of: dict[datetime, datetime] = {}
    for entry in rows:
        row = entry.row
        stated = tuple([budget_attribute(row, entry.workflow, name) for name in dimensions])
        refs = None if uses_tags and entry.tags else matched.get(stated)
        if refs is None:
            refs = budgets.match(dict(zip(dimensions, stated, strict=True)), entry.tags)
            if not (uses_tags and entry.tags):
                matched[stated] = refs
        if not refs:
            continue
        bucket = bucket_of.get(row.posted_at) or bucket_of.setdefault(row.posted_at, quarter_hour(row.posted_at))
        calls = CALLS_OF.get(row.kind, 0)
        for ref in refs:
            total = sums.setdefault((ref.id, bucket), [0, 0])
            total[0] += amount_in(ref.metric, row)
            total[1] += calls
    return [Charge(budget, bucket, amount, calls) for (budget, bucket), (amount, calls) in sorted(sums.items())]


def spends_of(rows: Iterable[Entry], grants: GrantBook) -> list[GrantSpend]:
    """What the rows spend of grants, summed per run, in a fixed order. Each row is stamped with the grant it used."""
    sums: dict[tuple[int, str | None], list[int]] = {}
    for entry in rows:
        row = entry.row
        used = grants.match(row.grant_id, entry.workflow, row.run_id or "", row.user_name or "", row.tier, row.time)
        if used is None:
            continue
        row.grant_id = used.key
        total = sums.setdefault((used.id, row.run_id), [0, 0])
        total[0] += row.cost or 0
        total[1] += CALLS_OF.get(row.kind, 0)
    ordered = sorted(sums.items(), key=lambda one: (one[0][0], one[0][1] or ""))
    return [GrantSpend(grant, run, cost, calls) for (grant, run), (cost, calls) in ordered]


def amount_in(metric: str, row: LedgerRow) -> int:
    """What one row counts for a budget's metric: nano-dollars, tokens or calls."""
    if metric == "money":
        return row.cost or 0
    if metric == "tokens":
        return (row.input_tokens or 0) + (row.output_tokens or 0)
    return CALLS_OF.get(row.kind, 0)


def raw_cursor() -> Any:
    """A psycopg cursor on Django's connection, inside Django's transaction."""
    connection.ensure_connection()
    return connection.connection.cursor()
