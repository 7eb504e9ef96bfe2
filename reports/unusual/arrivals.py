"""What arrived in the last hour, summed call by call where rollups cannot tell: SQL on the ledger's newest batches.

Bounded: of the batches of that time the newest with 200,000 calls in all. Only calls that were made in that time
count, so that an import of the past is not taken for something that happens now. A merged workflow counts as the one
it was merged into. Times are aware; money in nano-dollars.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from budgets.limits.calendar import quarter_hour
from reports.unusual.shapes import Part, Usual

HOUR = timedelta(hours=1)
MOST_CALLS = 200_000
BATCHES = """
SELECT id FROM (SELECT id, sum(events) OVER (ORDER BY id DESC) AS so_far, events
    FROM usage_ingestbatch WHERE received_at >= %s) AS newest
WHERE so_far - events < %s
"""
ROWS = """
WITH arrived AS MATERIALIZED (
    SELECT coalesce(w.merged_into_id, w.id) AS workflow, q.source_id, coalesce(q.run_id, '') AS run,
        coalesce(nullif(q.run_id, ''), nullif(q.session, ''), '') AS talk, coalesce(q.user_name, '') AS person,
        coalesce(q.application, '') AS application, q.step, q.attempt, q.time, q.id, q.input_tokens, q.output_tokens,
        coalesce(q.cost, 0) AS cost,
        extract(epoch FROM date_bin('15 minutes', q.time, timestamptz '2000-01-01 00:00:00+00'))::bigint AS at
    FROM usage_ledger q JOIN budgets_workflow w ON w.id = q.workflow_id
    WHERE q.batch_id = ANY(%(batches)s) AND q.kind = 0 AND q.posted_at >= %(since)s AND q.time >= %(since)s
        AND q.time < %(until)s
)
"""
RUNS = """
SELECT workflow, run, at, count(*), sum(cost)::bigint, coalesce(max(step), 0) FROM arrived WHERE run <> ''
    AND (workflow, run) IN (SELECT workflow, run FROM arrived GROUP BY 1, 2
        HAVING coalesce(max(step), count(*)) >= %(least)s)
GROUP BY 1, 2, 3
"""
REPEATED = """
SELECT workflow, '', at, count(*) FILTER (WHERE attempt > 1), coalesce(sum(cost) FILTER (WHERE attempt > 1), 0)::bigint,
    count(*), sum(cost)::bigint
FROM arrived WHERE workflow IN (SELECT workflow FROM arrived GROUP BY 1 HAVING count(*) FILTER (WHERE attempt > 1)
    >= %(least)s) GROUP BY 1, 3
"""
TALKS = """
SELECT workflow, talk, at, count(*), sum(cost)::bigint, min(first), max(last), sum(grew)::bigint FROM (
    SELECT workflow, talk, at, cost, first_value(input_tokens) OVER told AS first,
        last_value(input_tokens) OVER (told ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS last,
        CASE WHEN input_tokens > lag(input_tokens) OVER told THEN 1 ELSE 0 END AS grew,
        count(*) OVER (PARTITION BY workflow, talk) AS turns
    FROM arrived WHERE talk <> '' AND input_tokens IS NOT NULL
    WINDOW told AS (PARTITION BY workflow, talk ORDER BY time, step, id)
) AS turned WHERE turns >= %(least)s GROUP BY 1, 2, 3
"""
LONG = """
SELECT workflow, '', at, count(*), sum(cost)::bigint, sum(output_tokens)::bigint FROM arrived
JOIN unnest(%(workflows)s::bigint[], %(longest)s::bigint[]) AS usual (id, most)
    ON usual.id = arrived.workflow AND arrived.output_tokens >= usual.most
GROUP BY 1, 3
"""
PEOPLE = """
SELECT workflow, person, at, count(*), sum(cost)::bigint FROM arrived WHERE person <> ''
    AND (workflow, person) IN (SELECT workflow, person FROM arrived GROUP BY 1, 2 HAVING count(*) >= %(least)s)
GROUP BY 1, 2, 3
"""
USES = """
SELECT source_id, workflow, application, at, count(*), sum(cost)::bigint, min(time) FROM arrived GROUP BY 1, 2, 3, 4
"""
WORKFLOWS = "SELECT DISTINCT workflow FROM arrived"


class Arrivals:
    """The calls made from the quarter hour that `now` − 1 hour lies in, up to `now`."""

    def __init__(self, now: datetime, span: timedelta = HOUR) -> None:
        self.now, self.since = now, quarter_hour(now - span)
        with connection.cursor() as cursor:
            cursor.execute(BATCHES, [self.since, MOST_CALLS])
            self.batches = [row[0] for row in cursor.fetchall()]

    def rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """What `statement` says of the rows `arrived`; nothing where nothing arrived."""
        if not self.batches:
            return []
        given: dict[str, Any] = {"batches": self.batches, "since": self.since, "until": self.now} | values
        with connection.cursor() as cursor:
            cursor.execute(ROWS + statement, given)
            return list(cursor.fetchall())

    def workflows(self) -> list[int]:
        return [row[0] for row in self.rows(WORKFLOWS)]

    def parts(self, statement: str, **values: Any) -> dict[tuple[int, str], list[Part]]:
        """(workflow, subject) → its quarter hours in order."""
        return grouped(self.rows(statement, **values))


def grouped(rows: Iterable[tuple[Any, ...]]) -> dict[tuple[int, str], list[Part]]:
    found: dict[tuple[int, str], list[Part]] = {}
    for workflow, subject, at, calls, cost, *more in rows:
        found.setdefault((workflow, subject), []).append(Part(at, calls, cost, tuple(more)))
    return {key: sorted(parts, key=lambda part: part.at) for key, parts in found.items()}


USUALS = """
SELECT coalesce(w.merged_into_id, w.id), sum(q.calls)::bigint, sum(q.calls - q.unmeasured)::bigint,
    sum(q.retries)::bigint, sum(q.cost)::bigint, sum(q.input_tokens)::bigint, sum(q.output_tokens)::bigint
FROM usage_quarterhour q JOIN budgets_workflow w ON w.id = q.workflow_id
WHERE q.bucket >= %(starts)s AND q.bucket < %(stops)s AND coalesce(w.merged_into_id, w.id) = ANY(%(ids)s) GROUP BY 1
"""
USUAL_RUNS = """
SELECT coalesce(w.merged_into_id, w.id), count(*),
    percentile_disc(0.99) WITHIN GROUP (ORDER BY coalesce(nullif(q.max_step, 0), q.calls)), sum(q.cost)::bigint
FROM usage_run q JOIN budgets_workflow w ON w.id = q.workflow_id
WHERE q.calls > 0 AND q.last_call >= %(starts)s AND q.last_call < %(stops)s
    AND coalesce(w.merged_into_id, w.id) = ANY(%(ids)s) GROUP BY 1
"""


def usuals(ids: list[int], until: datetime) -> Mapping[int, Usual]:
    """Of these workflows, the four weeks up to `until`. Two statements."""
    values: dict[str, Any] = {"starts": until - timedelta(days=28), "stops": until, "ids": ids}
    with connection.cursor() as cursor:
        cursor.execute(USUALS, values)
        sums = {row[0]: row[1:] for row in cursor.fetchall()}
        cursor.execute(USUAL_RUNS, values)
        runs = {row[0]: row[1:] for row in cursor.fetchall()}
    return {pk: Usual(*sums.get(pk, (0,) * 6), *runs.get(pk, (0, 0, 0))) for pk in ids}


PERSONS = """
SELECT coalesce(w.merged_into_id, w.id), q.value, count(DISTINCT q.day), sum(q.calls)::bigint, sum(q.cost)::bigint
FROM usage_wide_day q JOIN budgets_workflow w ON w.id = q.workflow_id
WHERE q.dimension = 'user' AND q.day >= %(first)s AND q.day < %(today)s
    AND coalesce(w.merged_into_id, w.id) = ANY(%(ids)s) GROUP BY 1, 2
"""


def persons(ids: list[int], first: Any, today: Any) -> dict[tuple[int, str], tuple[int, int, int]]:
    """(workflow, person) → days on which they used it, their calls and nano-dollars on these. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(PERSONS, {"ids": ids, "first": first, "today": today})
        return {(row[0], row[1]): (row[2], row[3], row[4]) for row in cursor.fetchall()}
