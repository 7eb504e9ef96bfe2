"""Read the chain out of the database, a bounded number of rows at a time."""

from collections.abc import Iterator

from django.db import connection

from budgets.audit.chain import Anchor, Link
from budgets.models import AuditEntry

AT_A_TIME = 2_000
LINKS = """
SELECT entry.position, budgets_audit_fields(entry), entry.digest
FROM budgets_auditentry AS entry WHERE entry.position > %s ORDER BY entry.position LIMIT %s
"""


def links(after: int = 0, most: int | None = None) -> Iterator[Link]:
    """The rows that follow position `after`, in order, at most `most` of them. One statement for each two thousand."""
    while most is None or most > 0:
        wanted = AT_A_TIME if most is None else min(most, AT_A_TIME)
        with connection.cursor() as cursor:
            cursor.execute(LINKS, [after, wanted])
            rows = cursor.fetchall()
        for position, fields, digest in rows:
            yield Link(position, tuple(fields), bytes(digest))
            after = position
        if len(rows) < wanted:
            return
        if most is not None:
            most -= wanted


def newest() -> Anchor:
    """The newest row."""
    found = AuditEntry.objects.order_by("-position").values_list("position", "digest").first()
    return Anchor(found[0], bytes(found[1])) if found else Anchor()


def digest_at(position: int) -> bytes | None:
    """The digest that the history has there now; None where it has no such row."""
    found = AuditEntry.objects.filter(position=position).values_list("digest", flat=True).first()
    return None if found is None else bytes(found)
