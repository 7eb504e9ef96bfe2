"""What each source sends: when last, how much now and usually, with which keys. Read from its hours, not the ledger."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

USUAL_HOURS = 168  # a week before the last full hour
HOUR = timedelta(hours=1)
SILENT_AT_LEAST = 2 * HOUR
RATES = """
SELECT source.id, source.slug, source.name, source.created_at, newest.last_at, first.hour,
    coalesce(sums.recent, 0)::bigint, coalesce(sums.usual, 0)::bigint, coalesce(sums.week_late, 0)::bigint,
    coalesce(keys.in_force, 0), coalesce(keys.used, 0), keys.last_used_at
FROM budgets_source AS source
LEFT JOIN LATERAL (
    SELECT last_at FROM usage_sourcehour WHERE source_id = source.id ORDER BY hour DESC LIMIT 1
) AS newest ON true
LEFT JOIN LATERAL (
    SELECT hour FROM usage_sourcehour WHERE source_id = source.id ORDER BY hour LIMIT 1
) AS first ON true
LEFT JOIN (
    SELECT source_id, sum(events) FILTER (WHERE hour >= %(recent)s) AS recent,
        sum(events) FILTER (WHERE hour < %(recent)s) AS usual, sum(late) AS week_late
    FROM usage_sourcehour WHERE hour >= %(since)s GROUP BY source_id
) AS sums ON sums.source_id = source.id
LEFT JOIN (
    SELECT source_id, count(*) AS in_force, count(*) FILTER (WHERE last_used_at >= %(since)s) AS used,
        max(last_used_at) AS last_used_at
    FROM budgets_apikey WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > %(now)s) GROUP BY source_id
) AS keys ON keys.source_id = source.id
"""


@dataclass(frozen=True, slots=True)
class SourceRate:
    """One source. Rates are events an hour: `now` over the last full hour and the one that runs, `usual` over the week
    before (or since its first event). Keys are those in force, `keys_used` those used within the week."""

    id: int
    slug: str
    name: str
    created_at: datetime
    last_at: datetime | None
    now: float
    usual: float
    late: int
    keys: int
    keys_used: int
    key_used_at: datetime | None

    def silent_since(self, when: datetime) -> datetime | None:
        """Since when nothing came, where so long a pause is unusual: ten times the usual gap, and two hours at least.

        None for a source that sends, that never did, or that stopped so long ago that silence is usual.
        """
        if self.last_at is None or not self.usual:
            return None
        return self.last_at if when - self.last_at > max(SILENT_AT_LEAST, 10 * HOUR / self.usual) else None


def source_rates(now: datetime, slug: str = "") -> tuple[SourceRate, ...]:
    """Every source (or the one named `slug`), the one that sent last first. One statement."""
    recent, values = since_when(now)
    where = " WHERE source.slug = %(slug)s" if slug else ""
    with connection.cursor() as cursor:
        cursor.execute(f"{RATES}{where} ORDER BY newest.last_at DESC NULLS LAST, source.slug", values | {"slug": slug})
        return tuple(rate_of(row, now, recent) for row in cursor.fetchall())


def page_of_sources(now: datetime, query: str, limit: int, offset: int) -> tuple[SourceRate, ...]:
    """Those whose name or slug holds `query`, in the same order, a page of them. One statement."""
    recent, values = since_when(now)
    values |= {"text": f"%{like(query)}%", "limit": limit, "offset": offset}
    with connection.cursor() as cursor:
        cursor.execute(
            f"{RATES} WHERE source.slug ILIKE %(text)s OR source.name ILIKE %(text)s"
            " ORDER BY newest.last_at DESC NULLS LAST, source.slug LIMIT %(limit)s OFFSET %(offset)s",
            values,
        )
        return tuple(rate_of(row, now, recent) for row in cursor.fetchall())


def like(text: str) -> str:
    """The text as LIKE takes it, with nothing in it that LIKE would read as a sign."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def since_when(now: datetime) -> tuple[datetime, dict[str, Any]]:
    """The beginning of the last full hour (UTC), and the values of RATES."""
    recent = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - HOUR
    return recent, {"recent": recent, "since": recent - USUAL_HOURS * HOUR, "now": now}


def rate_of(row: Any, now: datetime, recent: datetime) -> SourceRate:
    """A row of RATES with its counts as rates."""
    pk, slug, name, created, last_at, first, in_recent, before, late, keys, used, used_at = row
    hours = USUAL_HOURS
    if first is not None:
        hours = min(USUAL_HOURS, max(1, int((recent - first.replace(minute=0)) / HOUR)))
    return SourceRate(
        id=pk,
        slug=slug,
        name=name,
        created_at=created,
        last_at=last_at,
        now=in_recent / ((now - recent) / HOUR),
        usual=before / hours,
        late=late,
        keys=keys,
        keys_used=used,
        key_used_at=used_at,
    )
