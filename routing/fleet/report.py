"""What clients say of the bundle they run: one row a client, the latest word. A report changes nothing else."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from routing.models import FleetClient, PolicyBundle

MOST = 500  # clients of one key; the one not heard of for the longest makes room
FORGOTTEN = timedelta(days=30)  # without a word
MOST_PAIR = 2**31 - 1

UPSERT = """
INSERT INTO routing_fleetclient AS held
    (key_id, client, software, epoch, revision, since, answer, refused_epoch, refused_revision, error, error_at,
     seen_at)
VALUES
    (%(key)s, %(client)s, %(software)s, %(epoch)s, %(revision)s, %(now)s, %(answer)s, %(refused_epoch)s,
     %(refused_revision)s, %(error)s, CASE WHEN %(answer)s = 'nack' THEN %(now)s END, %(now)s)
ON CONFLICT (key_id, client) DO UPDATE SET
    software = excluded.software, epoch = excluded.epoch, revision = excluded.revision, answer = excluded.answer,
    since = CASE WHEN (held.epoch, held.revision) IS NOT DISTINCT FROM (excluded.epoch, excluded.revision)
            THEN held.since ELSE excluded.since END,
    refused_epoch = excluded.refused_epoch, refused_revision = excluded.refused_revision,
    error = CASE WHEN excluded.answer = 'nack' THEN excluded.error ELSE held.error END,
    error_at = CASE WHEN excluded.answer = 'nack' THEN excluded.seen_at ELSE held.error_at END,
    seen_at = excluded.seen_at
WHERE held.seen_at <= excluded.seen_at
RETURNING (xmax = 0)
"""
CROWDED_OUT = """
DELETE FROM routing_fleetclient WHERE id IN (
    SELECT id FROM routing_fleetclient WHERE key_id = %s ORDER BY seen_at DESC, id DESC OFFSET %s)
"""


@dataclass(frozen=True, slots=True)
class Report:
    """`epoch` and `revision` are those that the client obeys (None: none yet); `refused_*` those of a bundle that it
    would not take, with the reason in `error`."""

    client: str
    answer: str
    software: str = ""
    epoch: int | None = None
    revision: int | None = None
    refused_epoch: int | None = None
    refused_revision: int | None = None
    error: str = ""


@transaction.atomic
def take_report(key_id: int, report: Report, now: datetime) -> None:
    """Keep it, unless a later one of this client is there already."""
    values: dict[str, str | int | datetime | None] = {
        "key": key_id,
        "now": now,
        "client": report.client,
        "answer": report.answer,
        "software": report.software,
        "epoch": report.epoch,
        "revision": report.revision,
        "refused_epoch": report.refused_epoch,
        "refused_revision": report.refused_revision,
        "error": report.error,
    }
    with connection.cursor() as cursor:
        cursor.execute(UPSERT, values)
        row = cursor.fetchone()
        if row and row[0]:  # a new one: rare, so the crowd is looked at only then
            cursor.execute(CROWDED_OUT, [key_id, MOST])


def forget_silent(now: datetime) -> int:
    """Drop clients without a word for 30 days; how many."""
    return FleetClient.objects.filter(seen_at__lt=now - FORGOTTEN).delete()[0]


def newest_revision() -> tuple[int, int] | None:
    """(epoch, revision) of the newest bundle; None before there is any."""
    found = PolicyBundle.objects.order_by("-epoch", "-revision").values_list("epoch", "revision").first()
    return (found[0], found[1]) if found else None
