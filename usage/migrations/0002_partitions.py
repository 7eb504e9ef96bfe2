"""The tables that Django cannot make: claims hashed by identity, the ledger by month, wide days by dimension."""

from django.db import migrations

CLAIM_PARTITIONS = 16

CLAIM = """
CREATE TABLE usage_claim (
    source_id integer NOT NULL,
    claimed_on date NOT NULL,
    key uuid NOT NULL,
    content uuid NOT NULL,
    PRIMARY KEY (source_id, key)
) PARTITION BY HASH (source_id, key);
""" + "".join(
    f"CREATE TABLE usage_claim_{n} PARTITION OF usage_claim FOR VALUES WITH (MODULUS {CLAIM_PARTITIONS}, REMAINDER {n});\n"
    for n in range(CLAIM_PARTITIONS)
)

# Fixed-width columns first, so that no byte is lost to alignment. No foreign keys: what they point to is never
# deleted, and a check per row would cost more than the row.
LEDGER = """
CREATE SEQUENCE usage_ledger_id_seq CACHE 1000;
CREATE TABLE usage_ledger (
    id bigint NOT NULL DEFAULT nextval('usage_ledger_id_seq'),
    posted_at timestamptz NOT NULL,
    time timestamptz NOT NULL,
    batch_id bigint NOT NULL,
    corrects bigint,
    bundle_revision bigint,
    input_tokens bigint CHECK (input_tokens >= 0 OR kind = 1),
    cached_input_tokens bigint,
    cache_write_tokens bigint,
    output_tokens bigint CHECK (output_tokens >= 0 OR kind = 1),
    reasoning_tokens bigint,
    tool_tokens bigint,
    avoided_input_tokens bigint,
    avoided_output_tokens bigint,
    reported_cost bigint,
    cost bigint,
    cost_input bigint,
    cost_cached bigint,
    cost_cache_write bigint,
    cost_output bigint,
    cost_units bigint,
    generation integer NOT NULL,
    source_id integer NOT NULL,
    workflow_id integer NOT NULL,
    price_id integer,
    step integer,
    attempt integer,
    tools_exposed integer,
    tools_used integer,
    latency_ms integer,
    retrieved_chunks integer,
    kind smallint NOT NULL DEFAULT 0 CHECK (kind IN (0, 1)),
    tier smallint NOT NULL DEFAULT 0,
    default_tier smallint NOT NULL DEFAULT 0,
    unpriced smallint NOT NULL DEFAULT 0 CHECK (unpriced BETWEEN -1 AND 1),
    measured boolean NOT NULL,
    event_id text NOT NULL,
    team text NOT NULL DEFAULT '',
    run_id text,
    stage text NOT NULL DEFAULT '',
    task_type text NOT NULL DEFAULT '',
    domain text,
    environment text NOT NULL,
    operation text NOT NULL DEFAULT '',
    agent text,
    step_kind text,
    prompt_version text,
    response_format text,
    units jsonb,
    provider text NOT NULL DEFAULT '',
    model text NOT NULL,
    requested_model text,
    grant_id text,
    lease_id text,
    context jsonb,
    cache text NOT NULL DEFAULT 'none',
    service_tier text NOT NULL DEFAULT 'standard',
    status text NOT NULL DEFAULT 'ok',
    finish_reason text,
    user_name text,
    user_tier text,
    application text,
    customer text,
    session text,
    campaign text,
    channel text,
    tags jsonb,
    CHECK ((cost IS NULL) = (cost_input IS NULL)),
    CHECK (cost = cost_input + cost_cached + cost_cache_write + cost_output + cost_units),
    CHECK (cost >= 0 OR kind = 1),
    CHECK (measured OR cost IS NULL OR kind = 1),
    CHECK (kind = 1 OR (unpriced = 1) = (measured AND cost IS NULL))
) PARTITION BY RANGE (posted_at);
ALTER SEQUENCE usage_ledger_id_seq OWNED BY usage_ledger.id;
CREATE INDEX usage_ledger_batch ON usage_ledger (batch_id);

CREATE TABLE usage_detached_month (
    month date PRIMARY KEY,
    row_count bigint NOT NULL,
    detached_at timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION usage_refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE EXCEPTION 'the ledger is append-only: write a correction row' USING ERRCODE = 'restrict_violation'; END$$;
CREATE TRIGGER usage_ledger_append_only BEFORE UPDATE OR DELETE ON usage_ledger
    FOR EACH STATEMENT EXECUTE FUNCTION usage_refuse_change();
"""

DIMENSIONS = ("user", "customer", "application", "campaign", "channel", "tag")
WIDE = """
CREATE TABLE usage_wide_day (
    dimension text NOT NULL,
    day date NOT NULL,
    value text NOT NULL,
    workflow_id integer NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    calls bigint NOT NULL DEFAULT 0,
    unmeasured bigint NOT NULL DEFAULT 0,
    unpriced bigint NOT NULL DEFAULT 0,
    input_tokens bigint NOT NULL DEFAULT 0,
    cached_input_tokens bigint NOT NULL DEFAULT 0,
    cache_write_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    reasoning_tokens bigint NOT NULL DEFAULT 0,
    retries bigint NOT NULL DEFAULT 0,
    escalated bigint NOT NULL DEFAULT 0,
    cost bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (dimension, day, value, workflow_id, provider, model)
) PARTITION BY LIST (dimension);
""" + "".join(f"CREATE TABLE usage_wide_day_{d} PARTITION OF usage_wide_day FOR VALUES IN ('{d}');\n" for d in DIMENSIONS)


class Migration(migrations.Migration):
    dependencies = [("usage", "0001_initial"), ("budgets", "0001_initial")]

    operations = [
        migrations.RunSQL(CLAIM, "DROP TABLE usage_claim"),
        migrations.RunSQL(LEDGER, "DROP TABLE usage_ledger, usage_detached_month; DROP FUNCTION usage_refuse_change"),
        migrations.RunSQL(WIDE, "DROP TABLE usage_wide_day"),
    ]
