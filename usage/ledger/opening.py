"""Read from the ledger what budgets had spent: the openings of new ones, and what their series must equal.

One statement reads the ledger once for any number of budgets whose scopes name the same dimensions.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from django.db import connection

from budgets.limits.opening import Opening, Spent, open_budgets
from budgets.limits.scope import split_tag

# What a call states for a dimension, as text; "tag" is matched by containment instead.
COLUMNS = {
    "team": "l.team",
    "workflow": "w.slug",
    "environment": "l.environment",
    "user": "l.user_name",
    "application": "l.application",
    "customer": "l.customer",
    "model": "l.model",
    "provider": "l.provider",
    "tier": "nullif(l.tier, 0)::text",
}
# Each workflow's id with the slug that its calls count under: of a merged one, that of the other.
NAMED = """(SELECT own.id, coalesce(other.slug, own.slug) AS slug FROM budgets_workflow own
    LEFT JOIN budgets_workflow other ON other.id = own.merged_into_id)"""
# A withdrawal takes a call back; a correction holds differences and is no call.
CALLS = "CASE l.kind WHEN 0 THEN 1 WHEN 2 THEN -1 ELSE 0 END"

# A null cost is unknown and charged nothing, as ingest charged it.
READ = """
SELECT b.budget_id,
    date_bin('15 minutes', l.posted_at, TIMESTAMPTZ '1970-01-01 00:00Z') AS bucket,
    sum(CASE b.metric
        WHEN 'money' THEN coalesce(l.cost, 0)
        WHEN 'tokens' THEN coalesce(l.input_tokens, 0) + coalesce(l.output_tokens, 0)
        ELSE {calls}
    END)::bigint,
    sum({calls})::bigint
FROM usage_ledger l {workflow}
JOIN unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::int[]{types})
    AS b (budget_id, metric, since, generation{names})
    ON l.posted_at >= b.since AND l.generation < b.generation{conditions}
WHERE l.posted_at >= %s
GROUP BY 1, 2
"""
EVERY_GENERATION = 2**31 - 1


def open_due(now: datetime | None = None) -> int:
    """Open the budgets that wait for it; returns how many. Before evaluation, in settle and in the sweep."""
    return open_budgets(read_ledger, now)


def read_ledger(openings: Sequence[Opening]) -> Iterator[Spent]:
    """What each opening's rows spent per quarter hour; quarter hours without a row are absent."""
    by_shape: dict[tuple[str, ...], list[Opening]] = defaultdict(list)
    for opening in openings:
        by_shape[tuple(sorted(opening.scope))].append(opening)
    for shape, alike in by_shape.items():
        yield from _read_alike(shape, alike)


def _read_alike(shape: tuple[str, ...], openings: Sequence[Opening]) -> Iterator[Spent]:
    types = names = conditions = ""
    values: list[list[object]] = []
    for dimension in shape:
        given: list[object] = [opening.scope[dimension] for opening in openings]
        if dimension == "tag":
            types += ", %s::text[], %s::text[]"
            names += ", tag_key, tag_value"
            conditions += " AND l.tags ->> b.tag_key = b.tag_value"
            values += [list(pair) for pair in zip(*(split_tag(str(tag)) for tag in given), strict=True)]
        else:
            types += ", %s::text[]"
            names += f", of_{dimension}"
            conditions += f" AND {COLUMNS[dimension]} = b.of_{dimension}"
            values.append(given)
    statement = READ.format(
        calls=CALLS,
        workflow=f"JOIN {NAMED} w ON w.id = l.workflow_id" if "workflow" in shape else "",
        types=types,
        names=names,
        conditions=conditions,
    )
    with connection.cursor() as cursor:
        cursor.execute(
            statement,
            [
                [opening.budget_id for opening in openings],
                [opening.metric for opening in openings],
                [opening.since for opening in openings],
                [EVERY_GENERATION if opening.generation is None else opening.generation for opening in openings],
                *values,
                min(opening.since for opening in openings),
            ],
        )
        for row in cursor.fetchall():
            yield Spent(*row)
