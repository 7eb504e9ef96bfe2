"""Read the calls of a window for the levers, and the shape of each workflow's.

What a call knows of those before it (its place in its run, what began alike) is worked out by PostgreSQL over all calls
of the window; the calls that are looked at, all or a sample of whole runs, are kept in a table of this connection.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
from django.db import connection

from budgets.models import Workflow
from reports.savings.call import Call
from reports.savings.lever import Shape, Use
from reports.savings.levers.prompt_cache import KEPT, SHORTEST
from reports.savings.levers.retries import MOST as MOST_ATTEMPTS
from routing.replay.ledger import COST, FIXES, PARTS, SAMPLED, WANTED, Window

FETCHED = 2_000  # calls at a time
# The sizes of what a call begins with: as its sender states, or the layers that come first.
BEGINS = """CASE WHEN l.tags ->> 'prefix_tokens' ~ '^[0-9]{1,12}$' THEN (l.tags ->> 'prefix_tokens')::bigint
    WHEN l.context ?| array['system', 'tools']
    THEN coalesce((l.context ->> 'system')::bigint, 0) + coalesce((l.context ->> 'tools')::bigint, 0) END"""
# Calls that failed left nothing in any cache: what is tried again after them is no repeated question.
BEFORE = "ORDER BY time, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
KEEP = f"""
CREATE TEMPORARY TABLE savings_call AS
WITH {FIXES}, one AS (
    SELECT l.id, l.time, w.slug, l.run_id, coalesce(l.attempt, 1) AS attempt, l.step, l.stage, l.task_type, l.operation,
        l.environment, coalesce(l.application, '') AS application, l.provider, l.model, l.tier, l.service_tier,
        l.status,
        coalesce(l.input_tokens, 0) AS input_tokens, coalesce(l.cached_input_tokens, 0) AS cached_input_tokens,
        coalesce(l.cache_write_tokens, 0) AS cache_write_tokens, coalesce(l.output_tokens, 0) AS output_tokens,
        coalesce(l.reasoning_tokens, 0) AS reasoning_tokens, l.context, l.retrieved_chunks, l.tools_exposed,
        l.tools_used, coalesce(l.response_format, '') AS response_format, l.cache, {BEGINS} AS begins,
        CASE WHEN {BEGINS} IS NOT NULL THEN coalesce(l.tags ->> 'prefix_hash',
            coalesce(l.prompt_version, '') || ' ' || ({BEGINS})::text) END AS prefix_key,
        l.tags ->> 'prompt_hash' AS prompt_hash, (l.user_name IS NOT NULL OR l.session IS NOT NULL) AS waits,
        l.units, l.tags, {COST} AS known_cost, (%(share)s >= {PARTS} OR {SAMPLED}) AS taken
    {WANTED}
), beside AS (
    SELECT one.*,
        CASE WHEN run_id IS NOT NULL THEN greatest(1, coalesce(step, 0), count(*) FILTER (WHERE attempt = 1)
            OVER (PARTITION BY slug, run_id ORDER BY time, step, attempt, id))::int END AS position,
        CASE WHEN prefix_key IS NOT NULL THEN extract(epoch FROM time - max(time) FILTER (WHERE status = 'ok')
            OVER (PARTITION BY slug, provider, model, prefix_key {BEFORE}))::float8 END AS since_prefix,
        CASE WHEN prompt_hash IS NOT NULL THEN extract(epoch FROM time - max(time) FILTER (WHERE status = 'ok')
            OVER (PARTITION BY slug, prompt_hash {BEFORE}))::float8 END AS since_prompt
    FROM one
)
SELECT * FROM beside WHERE taken
"""
READ = """
SELECT id, time, slug, run_id, attempt, position, stage, task_type, operation, environment, application, provider,
    model, tier, service_tier, status, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
    reasoning_tokens, context::text, retrieved_chunks, tools_exposed, tools_used, response_format, cache, prefix_key,
    begins, since_prefix, since_prompt, waits, units::text, tags::text, known_cost
FROM savings_call ORDER BY id
"""
CONTEXT, UNITS, TAGS = 21, 32, 33  # the columns of READ that are JSON
TOTALS = f"""
WITH {FIXES}
SELECT w.slug, count(*), coalesce(sum({COST}), 0)::bigint,
    coalesce(sum(coalesce(l.input_tokens, 0) + coalesce(l.output_tokens, 0)), 0)::bigint
{WANTED} GROUP BY 1
"""
SHAPES = f"""
WITH run AS (
    SELECT slug, run_id, max(position) AS steps FROM savings_call WHERE run_id IS NOT NULL GROUP BY 1, 2
), stepped AS (
    SELECT slug, count(*)::int AS runs, percentile_disc(0.5) WITHIN GROUP (ORDER BY steps) AS steps_50,
        percentile_disc(0.99) WITHIN GROUP (ORDER BY steps) AS steps_99, max(steps) AS most_steps
    FROM run GROUP BY 1
), sized AS (
    SELECT slug, percentile_disc(0.99) WITHIN GROUP (ORDER BY output_tokens) AS output_99,
        max(output_tokens) AS longest_output, count(*) FILTER (WHERE attempt > 1) AS attempts,
        count(*) FILTER (WHERE attempt > {MOST_ATTEMPTS}) AS tries, count(context) AS layered,
        percentile_disc(0.95) WITHIN GROUP (ORDER BY coalesce((context ->> 'history')::bigint, 0))
            FILTER (WHERE context IS NOT NULL) AS history_95,
        max((context ->> 'history')::bigint) AS most_history,
        count(retrieved_chunks) AS chunked, count(retrieved_chunks) FILTER (WHERE context ? 'retrieval') AS retrieved,
        percentile_disc(0.5) WITHIN GROUP (ORDER BY retrieved_chunks) FILTER (WHERE context ? 'retrieval') AS chunks_50,
        max(retrieved_chunks) FILTER (WHERE context ? 'retrieval') AS most_chunks, count(tools_exposed) AS exposed,
        count(tools_exposed) FILTER (WHERE tools_used IS NOT NULL AND context ? 'tools') AS tooled,
        percentile_disc(0.99) WITHIN GROUP (ORDER BY tools_used) FILTER (WHERE context ? 'tools') AS tools_used_99,
        max(tools_exposed) AS most_tools, count(prefix_key) AS prefixed, count(prompt_hash) AS hashed,
        count(*) FILTER (WHERE since_prefix <= {KEPT} AND begins >= {SHORTEST}) AS repeated
    FROM savings_call GROUP BY 1
)
SELECT slug, output_99, longest_output, attempts, tries, coalesce(runs, 0), coalesce(steps_50, 0),
    coalesce(steps_99, 0), coalesce(most_steps, 0), layered, coalesce(history_95, 0), coalesce(most_history, 0),
    chunked, retrieved, coalesce(chunks_50, 0), coalesce(most_chunks, 0), exposed, tooled, coalesce(tools_used_99, 0),
    coalesce(most_tools, 0), prefixed, hashed, repeated
FROM sized LEFT JOIN stepped USING (slug)
"""
SIZES = (
    "output_99", "longest_output", "attempts", "tries", "runs", "steps_50", "steps_99", "most_steps", "layered",
    "history_95", "most_history", "chunked", "retrieved", "chunks_50", "most_chunks", "exposed", "tooled",
    "tools_used_99", "most_tools", "prefixed", "hashed", "repeated",
)  # fmt: skip
USES = """
SELECT slug, provider, model, tier, service_tier, task_type, stage, operation, application, count(*)::int,
    coalesce(sum(known_cost), 0)::bigint, sum(input_tokens)::bigint, sum(output_tokens)::bigint,
    count(*) FILTER (WHERE NOT waits)::int,
    count(*) FILTER (WHERE NOT waits AND extract(hour FROM time AT TIME ZONE %(zone)s) NOT BETWEEN 6 AND 19)::int,
    count(*) FILTER (WHERE cache IN ('semantic', 'response'))::int,
    count(*) FILTER (WHERE response_format = 'schema')::int,
    coalesce(sum(output_tokens) FILTER (WHERE response_format = 'schema'), 0)::bigint,
    count(*) FILTER (WHERE response_format NOT IN ('', 'schema'))::int
FROM savings_call GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9 ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9
"""
SPENT = """
SELECT coalesce(sum(cost), 0)::bigint FROM usage_ledger WHERE posted_at >= %(starts_at)s AND posted_at < %(ends_at)s
"""


@contextmanager
def kept_calls(window: Window) -> Iterator[None]:
    """While inside, this connection has the window's calls in a table that `shapes` and `read_calls` read."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.savings_call")
        cursor.execute(KEEP, window.values())
        cursor.execute("ANALYZE savings_call")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS pg_temp.savings_call")


def shapes(window: Window, zone: str, days: int) -> dict[str, Shape]:
    """Each workflow's shape, by short name; five statements. Sizes and uses are of the calls that are kept."""
    limits = dict(Workflow.objects.filter(merged_into=None).values_list("slug", "guardrails"))
    uses: dict[str, list[Use]] = defaultdict(list)
    for slug, *values in rows(USES, {"zone": zone}):
        uses[slug].append(Use(*values))
    sized = {slug: dict(zip(SIZES, sizes, strict=True)) for slug, *sizes in rows(SHAPES, {})}
    return {
        slug: Shape(
            workflow=slug,
            calls=calls,
            cost=cost,
            tokens=tokens,
            uses=uses[slug],
            limits=_stated(limits.get(slug)),
            days=days,
            **sized.get(slug, {}),
        )
        for slug, calls, cost, tokens in rows(TOTALS, window.values())
    }


def _stated(limits: Any) -> Mapping[str, Any]:
    """Free-form JSON: what came in by another way than the form is no limit."""
    return limits if isinstance(limits, dict) else {}


def spent(window: Window) -> int:
    """What the ledger says of the window, nano-dollars; corrections of earlier calls that count in it, too."""
    return int(rows(SPENT, window.values())[0][0])


def read_calls(size: int = FETCHED) -> Iterator[list[Call]]:
    """The kept calls, `size` at a time."""
    cursor = connection.chunked_cursor()
    try:
        cursor.execute(READ)
        while found := cursor.fetchmany(size):
            yield [_call(row) for row in found]
    finally:
        cursor.close()


def _call(row: tuple[Any, ...]) -> Call:
    if row[CONTEXT] is None and row[UNITS] is None and row[TAGS] is None:
        return Call(*row)
    values = list(row)
    for column in (CONTEXT, UNITS, TAGS):
        if values[column] is not None:
            values[column] = msgspec.json.decode(values[column])
    return Call(*values)


def rows(statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    """All rows of a statement."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
