"""The SQL that sums ledger rows: one place, used by folding, rebuilding and checking, so that they cannot disagree."""

SUM_COLUMNS = (
    "calls",
    "unmeasured",
    "unpriced",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "retries",
    "escalated",
    "cost",
    "calls_in_runs",
    "cost_in_runs",
)
# A call counts one, a withdrawal takes one away, a correction is none.
CALLS = "CASE kind WHEN 0 THEN 1 WHEN 2 THEN -1 ELSE 0 END"
SUMS = f"""
    coalesce(sum({CALLS}), 0)::bigint AS calls,
    coalesce(sum({CALLS}) FILTER (WHERE NOT measured), 0)::bigint AS unmeasured,
    coalesce(sum(unpriced), 0)::bigint AS unpriced,
    coalesce(sum(input_tokens), 0)::bigint AS input_tokens,
    coalesce(sum(cached_input_tokens), 0)::bigint AS cached_input_tokens,
    coalesce(sum(cache_write_tokens), 0)::bigint AS cache_write_tokens,
    coalesce(sum(output_tokens), 0)::bigint AS output_tokens,
    coalesce(sum(reasoning_tokens), 0)::bigint AS reasoning_tokens,
    coalesce(sum({CALLS}) FILTER (WHERE attempt > 1), 0)::bigint AS retries,
    coalesce(sum({CALLS}) FILTER (WHERE default_tier > 0 AND tier > default_tier), 0)::bigint AS escalated,
    coalesce(sum(cost), 0)::bigint AS cost,
    coalesce(sum({CALLS}) FILTER (WHERE run_id <> ''), 0)::bigint AS calls_in_runs,
    coalesce(sum(cost) FILTER (WHERE run_id <> ''), 0)::bigint AS cost_in_runs"""

# date_bin needs an origin; any quarter hour will do.
BUCKET = "date_bin('15 minutes', posted_at, timestamptz '2000-01-01 00:00:00+00')"
CORE = (
    "workflow_id",
    "team",
    "provider",
    "model",
    "tier",
    "environment",
    "service_tier",
    "stage",
    "task_type",
    "status",
)
QUARTER_HOURS = f"""
SELECT {BUCKET} AS bucket, {", ".join(CORE)}, {SUMS}
FROM rows GROUP BY 1, {", ".join(CORE)}"""

# The zone that days are summed in: the organisation's, but for the moments until `follow_time_zone` follows a change.
ZONE_OF_DAYS = "SELECT coalesce((SELECT zone FROM usage_wide_zone), time_zone) FROM budgets_organisation WHERE id = 1"
# Days of that zone: its midnights are on quarter hours, so those of `quarter_hours` sum to them exactly.
CORE_DAY_KEY = ("day", *CORE)
CORE_DAYS = f"""
SELECT (bucket AT TIME ZONE %(zone)s)::date AS day, {", ".join(CORE)},
    {", ".join(f"sum({column})::bigint AS {column}" for column in SUM_COLUMNS)}
FROM quarter_hours GROUP BY 1, {", ".join(CORE)}"""

# What input was made of, and what caches spared: by the cache that served the call. `context_<layer>` are tokens of
# the calls that state their layers, whose whole input is `context_input`; `saved` is the ledger's own.
LAYERS = ("system", "history", "retrieval", "tools", "memory", "user", "output_format")
TOKEN_KEY = ("day", "workflow_id", "team", "provider", "model", "tier", "cache")
TOKEN_SUMS = (
    "calls",
    "input_tokens",
    "cached_input_tokens",
    "avoided_input_tokens",
    "avoided_output_tokens",
    "saved",
    "tool_tokens",
    "retrieved_chunks",
    "context_calls",
    "context_input",
    *(f"context_{layer}" for layer in LAYERS),
)
TOKEN_DAYS = f"""
SELECT (posted_at AT TIME ZONE %(zone)s)::date AS day, workflow_id, team, provider, model, tier, cache,
    coalesce(sum({CALLS}), 0)::bigint AS calls,
    coalesce(sum(input_tokens), 0)::bigint AS input_tokens,
    coalesce(sum(cached_input_tokens), 0)::bigint AS cached_input_tokens,
    coalesce(sum(avoided_input_tokens), 0)::bigint AS avoided_input_tokens,
    coalesce(sum(avoided_output_tokens), 0)::bigint AS avoided_output_tokens,
    coalesce(sum(saved), 0)::bigint AS saved,
    coalesce(sum(tool_tokens), 0)::bigint AS tool_tokens,
    coalesce(sum(sign({CALLS}) * retrieved_chunks), 0)::bigint AS retrieved_chunks,
    coalesce(sum({CALLS}) FILTER (WHERE context IS NOT NULL), 0)::bigint AS context_calls,
    coalesce(sum(input_tokens) FILTER (WHERE context IS NOT NULL), 0)::bigint AS context_input,
    {", ".join(f"coalesce(sum((context->>'{one}')::bigint), 0)::bigint AS context_{one}" for one in LAYERS)}
FROM rows GROUP BY 1, workflow_id, team, provider, model, tier, cache"""

# Each wide dimension's column; tags are unfolded into key=value.
WIDE_VALUES = """(VALUES ('user', user_name), ('customer', customer), ('application', application),
    ('campaign', campaign), ('channel', channel)) AS stated (dimension, value)"""
WIDE_KEY = ("dimension", "day", "value", "workflow_id", "provider", "model")
WIDE_DAYS = f"""
SELECT dimension, (posted_at AT TIME ZONE %(zone)s)::date AS day, value, workflow_id, provider, model, {SUMS}
FROM (
    SELECT rows.*, dimension, value FROM rows CROSS JOIN LATERAL {WIDE_VALUES} WHERE value <> ''
    UNION ALL
    SELECT rows.*, 'tag', pair.key || '=' || pair.value
    FROM rows CROSS JOIN LATERAL jsonb_each_text(tags) AS pair WHERE tags IS NOT NULL
) AS wide GROUP BY {", ".join(WIDE_KEY)}"""

# Both by the values of one dimension alone, of what `days_of_core` and `wide_days` hold: a page that groups by team or
# user reads a row for each and day, however many there are of the rest. A workflow's value is its id.
VALUE_KEY = ("dimension", "day", "value")
CORE_VALUES = ", ".join(f"('{column.removesuffix('_id')}', {column}::text)" for column in CORE)
VALUE_SUMS = ", ".join(f"sum({column})::bigint AS {column}" for column in SUM_COLUMNS)
VALUE_DAYS = f"""
SELECT dimension, day, value, {VALUE_SUMS} FROM wide_days GROUP BY {", ".join(VALUE_KEY)}
UNION ALL
SELECT dimension, day, value, {VALUE_SUMS} FROM days_of_core
CROSS JOIN LATERAL (VALUES {CORE_VALUES}) AS stated (dimension, value) GROUP BY {", ".join(VALUE_KEY)}"""

RUN_SUMS = ("calls", "retries", "escalated", "unmeasured", "unpriced", "input_tokens", "output_tokens", "cost")
RUN_COLUMNS = ("first_call", "last_call", "max_step", "max_attempt", *RUN_SUMS)


def runs_with(more: dict[str, str]) -> str:
    """SQL: the runs of `rows`, each with more of them: name → aggregate."""
    return f"""
SELECT workflow_id, run_id, {", ".join((*RUN_COLUMNS, *more))} FROM (
    SELECT workflow_id, run_id, min(time) AS first_call, max(time) AS last_call,
        coalesce(max(step), 0) AS max_step, coalesce(max(attempt), 0) AS max_attempt, {SUMS}
        {"".join(f", {sql} AS {name}" for name, sql in more.items())}
    FROM rows WHERE run_id <> '' GROUP BY workflow_id, run_id
) AS summed"""


RUNS = runs_with({})

# What arrived from each source: calls by when their batch was received, under the source they count for. By quarter
# hours, since days begin on them (Kathmandu's at 18:15 UTC); what came before they were was summed by hours.
# Beside `rows` it reads `batches`, which the folder narrows to its own: the planner would look each up for each row.
SOURCE_KEY = ("source_id", "hour")
SOURCE_SUMS = ("events", "late", "elsewhere")
RECEIVED = "date_bin('15 minutes', received_at, timestamptz '2000-01-01 00:00:00+00')"
RECEIVED_HOUR = "date_bin('1 hour', received_at, timestamptz '2000-01-01 00:00:00+00')"
ITS_HOUR = "date_bin('1 hour', hour, timestamptz '2000-01-01 00:00:00+00')"
BATCHES = "SELECT id, received_at FROM usage_ingestbatch"
SOURCE_HOURS = f"""
SELECT rows.source_id, {RECEIVED} AS hour, count(*) AS events,
    count(*) FILTER (WHERE time < received_at - interval '24 hours') AS late,
    count(*) FILTER (WHERE posted_at <> time) AS elsewhere, max(received_at) AS last_at
FROM rows JOIN batches ON batches.id = rows.batch_id WHERE kind = 0 GROUP BY 1, 2"""

# What the sums are made of; narrower than the ledger, since it is materialised.
ROW_COLUMNS = (
    "batch_id, source_id, kind, measured, unpriced, attempt, step, time, posted_at, workflow_id, team, run_id,"
    " provider, model, tier, default_tier, environment, service_tier, stage, task_type, status, input_tokens,"
    " cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost, user_name, customer,"
    " application, campaign, channel, tags, cache, avoided_input_tokens, avoided_output_tokens, tool_tokens,"
    " retrieved_chunks, context, saved"
)


def adding(table: str, columns: tuple[str, ...]) -> str:
    """The SET list of an upsert that adds what is new to what is there."""
    return ", ".join(f"{column} = {table}.{column} + excluded.{column}" for column in columns)


def upsert(table: str, key: tuple[str, ...], sums: tuple[str, ...], cells: str) -> str:
    """SQL that adds `cells`, a SELECT of key and sums, to the table; sorted by the key, so that no two deadlock."""
    keys = ", ".join(key)
    return f"""
INSERT INTO {table} ({keys}, {", ".join(sums)})
{cells} ORDER BY {keys}
ON CONFLICT ({keys}) DO UPDATE SET {adding(table, sums)}"""


QUARTER_KEY = ("bucket", *CORE)
UPSERT_QUARTER_HOURS = upsert("usage_quarterhour", QUARTER_KEY, SUM_COLUMNS, "SELECT * FROM quarter_hours")
UPSERT_CORE_DAYS = upsert("usage_coreday", CORE_DAY_KEY, SUM_COLUMNS, CORE_DAYS)
UPSERT_TOKEN_DAYS = upsert("usage_tokenday", TOKEN_KEY, TOKEN_SUMS, TOKEN_DAYS)
UPSERT_WIDE_DAYS = upsert("usage_wide_day", WIDE_KEY, SUM_COLUMNS, WIDE_DAYS)
UPSERT_VALUE_DAYS = upsert("usage_valueday", VALUE_KEY, SUM_COLUMNS, VALUE_DAYS)
# Of days that were summed before, in the CTEs `days_of_core` and `wide_days`.
UPSERT_SUMMED_CORE_DAYS = upsert("usage_coreday", CORE_DAY_KEY, SUM_COLUMNS, "SELECT * FROM days_of_core")
UPSERT_SUMMED_WIDE_DAYS = upsert("usage_wide_day", WIDE_KEY, SUM_COLUMNS, "SELECT * FROM wide_days")
UPSERT_RUNS = f"""
INSERT INTO usage_run (workflow_id, run_id, first_call, last_call, counts_at, max_step, max_attempt,
    {", ".join(RUN_SUMS)}, outcome, reworks)
SELECT workflow_id, run_id, first_call, last_call, counts_at, max_step, max_attempt, {", ".join(RUN_SUMS)}, 'open', 0
FROM runs_now ORDER BY workflow_id, run_id
ON CONFLICT (workflow_id, run_id) DO UPDATE SET
    counts_at = excluded.counts_at,
    first_call = least(usage_run.first_call, excluded.first_call),
    last_call = greatest(usage_run.last_call, excluded.last_call),
    max_step = greatest(usage_run.max_step, excluded.max_step),
    max_attempt = greatest(usage_run.max_attempt, excluded.max_attempt),
    {adding("usage_run", RUN_SUMS)}"""
UPSERT_SOURCE_HOURS = f"""
INSERT INTO usage_sourcehour ({", ".join(SOURCE_KEY)}, {", ".join(SOURCE_SUMS)}, last_at)
{SOURCE_HOURS} ORDER BY source_id, hour
ON CONFLICT ({", ".join(SOURCE_KEY)}) DO UPDATE SET
    last_at = greatest(usage_sourcehour.last_at, excluded.last_at), {adding("usage_sourcehour", SOURCE_SUMS)}"""
