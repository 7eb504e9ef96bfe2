"""Calls and cost within runs, in every rollup; what arrived from each source, for what the ledger still holds.

Months that are detached keep 0: what their calls stated is no longer here.
"""

from django.db import migrations, models

# The lock of folding (usage/rollups/fold.py), so that no batch is folded between the sums and their update.
HOLD_FOLDING = "SELECT pg_advisory_xact_lock(7061003)"
FOLDED = """
    usage_ledger WHERE run_id <> '' AND batch_id NOT IN (SELECT id FROM usage_ingestbatch WHERE folded_at IS NULL)"""
SUMS = "count(*) FILTER (WHERE kind = 0) AS calls, coalesce(sum(cost), 0)::bigint AS cost"
CORE = "workflow_id, team, provider, model, tier, environment, service_tier, stage, task_type, status"
QUARTER_HOURS = f"""
UPDATE usage_quarterhour AS cell SET calls_in_runs = runs.calls, cost_in_runs = runs.cost FROM (
    SELECT date_bin('15 minutes', posted_at, timestamptz '2000-01-01 00:00:00+00') AS bucket, {CORE}, {SUMS}
    FROM {FOLDED} GROUP BY 1, {CORE}
) AS runs
WHERE (cell.bucket, {", ".join(f"cell.{name}" for name in CORE.split(", "))})
    = (runs.bucket, {", ".join(f"runs.{name}" for name in CORE.split(", "))})
"""
WIDE_COLUMNS = """
ALTER TABLE usage_wide_day ADD COLUMN calls_in_runs bigint NOT NULL DEFAULT 0,
    ADD COLUMN cost_in_runs bigint NOT NULL DEFAULT 0
"""
WIDE_KEY = "dimension, day, value, workflow_id, provider, model"
WIDE_DAYS = f"""
UPDATE usage_wide_day AS cell SET calls_in_runs = runs.calls, cost_in_runs = runs.cost FROM (
    SELECT dimension, (posted_at AT TIME ZONE (SELECT zone FROM usage_wide_zone))::date AS day, value,
        workflow_id, provider, model, {SUMS}
    FROM (
        SELECT ledger.*, dimension, value FROM (SELECT * FROM {FOLDED}) AS ledger
        CROSS JOIN LATERAL (VALUES ('user', user_name), ('customer', customer), ('application', application),
            ('campaign', campaign), ('channel', channel)) AS stated (dimension, value)
        WHERE value <> ''
        UNION ALL
        SELECT ledger.*, 'tag', pair.key || '=' || pair.value FROM (SELECT * FROM {FOLDED}) AS ledger
        CROSS JOIN LATERAL jsonb_each_text(tags) AS pair WHERE tags IS NOT NULL
    ) AS wide GROUP BY {WIDE_KEY}
) AS runs
WHERE (cell.dimension, cell.day, cell.value, cell.workflow_id, cell.provider, cell.model)
    = (runs.dimension, runs.day, runs.value, runs.workflow_id, runs.provider, runs.model)
"""
SOURCE_HOURS = """
INSERT INTO usage_sourcehour (source_id, hour, events, late, elsewhere, last_at)
SELECT ledger.source_id, date_bin('1 hour', received_at, timestamptz '2000-01-01 00:00:00+00'), count(*),
    count(*) FILTER (WHERE time < received_at - interval '24 hours'),
    count(*) FILTER (WHERE posted_at <> time), max(received_at)
FROM usage_ledger AS ledger JOIN usage_ingestbatch AS batch ON batch.id = ledger.batch_id
WHERE kind = 0 AND folded_at IS NOT NULL GROUP BY 1, 2
"""


class Migration(migrations.Migration):
    dependencies = [("usage", "0008_costs_imports_sources")]

    operations = [
        migrations.RunSQL(HOLD_FOLDING, migrations.RunSQL.noop),
        migrations.AddField("quarterhour", "calls_in_runs", models.BigIntegerField(default=0)),
        migrations.AddField("quarterhour", "cost_in_runs", models.BigIntegerField(default=0)),
        migrations.RunSQL(
            WIDE_COLUMNS, "ALTER TABLE usage_wide_day DROP COLUMN calls_in_runs, DROP COLUMN cost_in_runs"
        ),
        migrations.RunSQL(QUARTER_HOURS, migrations.RunSQL.noop),
        migrations.RunSQL(WIDE_DAYS, migrations.RunSQL.noop),
        migrations.RunSQL(SOURCE_HOURS, "DELETE FROM usage_sourcehour"),
    ]
