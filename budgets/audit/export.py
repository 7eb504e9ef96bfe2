"""The history as CSV, with what proves it: each row's digest and the one before. Read and sent in blocks."""

from collections.abc import Iterable, Iterator

from django.db import connection

from budgets.audit.chain import START, written

AT_A_TIME = 1_000
# The digest before is that of the position before, whether or not the filter has that row.
ROWS = """
SELECT budgets_audit_fields(entry), entry.digest, previous.digest
FROM budgets_auditentry AS entry LEFT JOIN budgets_auditentry AS previous ON previous.position = entry.position - 1
WHERE entry.position = ANY(%s) ORDER BY entry.position
"""


def csv_rows(positions: Iterable[int]) -> Iterator[list[str]]:
    """The cells of the rows at these positions, which come in order. docs/history.md says what each column is."""
    block: list[int] = []
    for position in positions:
        block.append(position)
        if len(block) == AT_A_TIME:
            yield from _block(block)
            block = []
    if block:
        yield from _block(block)


def _block(positions: list[int]) -> Iterator[list[str]]:
    with connection.cursor() as cursor:
        cursor.execute(ROWS, [positions])
        rows = cursor.fetchall()
    for fields, digest, previous in rows:
        yield [*(written(one) for one in fields), bytes(digest).hex(), bytes(previous or START).hex()]
