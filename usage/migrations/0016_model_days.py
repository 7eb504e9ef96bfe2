"""Usage per day, model and tier, summed from the quarter hours there are."""

from django.db import migrations, models

# The very statement of that day: later ones may sum more. Nobody folds meanwhile.
FILL = """
LOCK TABLE usage_quarterhour IN SHARE MODE;
INSERT INTO usage_modelday (day, model, tier, calls, unmeasured, unpriced, input_tokens, cached_input_tokens,
    cache_write_tokens, output_tokens, reasoning_tokens, retries, escalated, cost, calls_in_runs, cost_in_runs)
SELECT (bucket AT TIME ZONE zone)::date, model, tier, sum(calls), sum(unmeasured), sum(unpriced), sum(input_tokens),
    sum(cached_input_tokens), sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens), sum(retries),
    sum(escalated), sum(cost), sum(calls_in_runs), sum(cost_in_runs)
FROM usage_quarterhour CROSS JOIN usage_wide_zone GROUP BY 1, 2, 3
"""
# Today's rows are added to with each fold: with room on their pages no index is touched.
ROOM = "ALTER TABLE usage_modelday SET (fillfactor = 70)"
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


class Migration(migrations.Migration):
    dependencies = [("usage", "0015_sent_too")]

    operations = [
        migrations.CreateModel(
            name="ModelDay",
            fields=[
                *((name, models.BigIntegerField(default=0)) for name in SUMS),
                ("day", models.DateField()),
                ("model", models.TextField()),
                ("tier", models.SmallIntegerField()),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "day", "model", "tier", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
            ],
            options={"abstract": False},
        ),
        migrations.RunSQL(ROOM, migrations.RunSQL.noop),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
