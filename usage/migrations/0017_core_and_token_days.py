"""Usage per day and all core dimensions, what input was made of, and what caches saved (from now on)."""

from django.db import migrations, models

# The very statement of that day: later ones may sum more. Nobody folds meanwhile.
FILL = """
LOCK TABLE usage_quarterhour IN SHARE MODE;
INSERT INTO usage_coreday (day, workflow_id, team, provider, model, tier, environment, service_tier, stage, task_type,
    status, calls, unmeasured, unpriced, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
    reasoning_tokens, retries, escalated, cost, calls_in_runs, cost_in_runs)
SELECT (bucket AT TIME ZONE zone)::date, workflow_id, team, provider, model, tier, environment, service_tier, stage,
    task_type, status, sum(calls), sum(unmeasured), sum(unpriced), sum(input_tokens), sum(cached_input_tokens),
    sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens), sum(retries), sum(escalated), sum(cost),
    sum(calls_in_runs), sum(cost_in_runs)
FROM usage_quarterhour CROSS JOIN usage_wide_zone GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
"""
LAYERS = ("system", "history", "retrieval", "tools", "memory", "user", "output_format")
# Of what the ledger holds and was folded already; calls of detached months are not known any more.
FILL_TOKENS = f"""
INSERT INTO usage_tokenday (day, workflow_id, team, provider, model, tier, cache, calls, input_tokens,
    cached_input_tokens, avoided_input_tokens, avoided_output_tokens, saved, tool_tokens, retrieved_chunks,
    context_calls, context_input, {", ".join(f"context_{one}" for one in LAYERS)})
SELECT (posted_at AT TIME ZONE zone)::date, workflow_id, team, provider, model, tier, cache,
    sum(CASE kind WHEN 0 THEN 1 WHEN 2 THEN -1 ELSE 0 END), coalesce(sum(input_tokens), 0),
    coalesce(sum(cached_input_tokens), 0), coalesce(sum(avoided_input_tokens), 0),
    coalesce(sum(avoided_output_tokens), 0), 0, coalesce(sum(tool_tokens), 0),
    coalesce(sum(CASE kind WHEN 2 THEN -retrieved_chunks ELSE retrieved_chunks END), 0),
    coalesce(sum(CASE kind WHEN 0 THEN 1 WHEN 2 THEN -1 ELSE 0 END) FILTER (WHERE context IS NOT NULL), 0),
    coalesce(sum(input_tokens) FILTER (WHERE context IS NOT NULL), 0),
    {", ".join(f"coalesce(sum((context->>'{one}')::bigint), 0)" for one in LAYERS)}
FROM usage_ledger CROSS JOIN usage_wide_zone
WHERE batch_id NOT IN (SELECT id FROM usage_ingestbatch WHERE folded_at IS NULL)
    AND (posted_at AT TIME ZONE zone)::date > (coalesce(
        (SELECT max(month + interval '1 month') AT TIME ZONE 'UTC' FROM usage_detached_month),
        timestamptz '1900-01-01 00:00:00+00') AT TIME ZONE zone)::date
GROUP BY 1, 2, 3, 4, 5, 6, 7
"""
# What counts in another month than its own is found without reading the rest, and costs other calls nothing.
ELSEWHERE = "CREATE INDEX usage_ledger_elsewhere ON usage_ledger (posted_at) WHERE posted_at <> time"
# Today's rows are added to with each fold: with room on their pages no index is touched.
ROOM = "ALTER TABLE usage_coreday SET (fillfactor = 70); ALTER TABLE usage_tokenday SET (fillfactor = 70)"


class Migration(migrations.Migration):

    dependencies = [
        ('usage', '0016_model_days'),
    ]

    operations = [
        migrations.CreateModel(
            name='CoreDay',
            fields=[
                ('calls', models.BigIntegerField(default=0)),
                ('unmeasured', models.BigIntegerField(default=0)),
                ('unpriced', models.BigIntegerField(default=0)),
                ('input_tokens', models.BigIntegerField(default=0)),
                ('cached_input_tokens', models.BigIntegerField(default=0)),
                ('cache_write_tokens', models.BigIntegerField(default=0)),
                ('output_tokens', models.BigIntegerField(default=0)),
                ('reasoning_tokens', models.BigIntegerField(default=0)),
                ('retries', models.BigIntegerField(default=0)),
                ('escalated', models.BigIntegerField(default=0)),
                ('cost', models.BigIntegerField(default=0)),
                ('calls_in_runs', models.BigIntegerField(default=0)),
                ('cost_in_runs', models.BigIntegerField(default=0)),
                ('day', models.DateField()),
                ('workflow_id', models.IntegerField()),
                ('team', models.TextField()),
                ('provider', models.TextField()),
                ('model', models.TextField()),
                ('tier', models.SmallIntegerField()),
                ('environment', models.TextField()),
                ('service_tier', models.TextField()),
                ('stage', models.TextField()),
                ('task_type', models.TextField()),
                ('status', models.TextField()),
                ('pk', models.CompositePrimaryKey('day', 'workflow_id', 'team', 'provider', 'model', 'tier', 'environment', 'service_tier', 'stage', 'task_type', 'status', blank=True, editable=False, primary_key=True, serialize=False)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='TokenDay',
            fields=[
                ('day', models.DateField()),
                ('workflow_id', models.IntegerField()),
                ('team', models.TextField()),
                ('provider', models.TextField()),
                ('model', models.TextField()),
                ('tier', models.SmallIntegerField()),
                ('cache', models.TextField()),
                ('calls', models.BigIntegerField(default=0)),
                ('input_tokens', models.BigIntegerField(default=0)),
                ('cached_input_tokens', models.BigIntegerField(default=0)),
                ('avoided_input_tokens', models.BigIntegerField(default=0)),
                ('avoided_output_tokens', models.BigIntegerField(default=0)),
                ('saved', models.BigIntegerField(default=0)),
                ('tool_tokens', models.BigIntegerField(default=0)),
                ('retrieved_chunks', models.BigIntegerField(default=0)),
                ('context_calls', models.BigIntegerField(default=0)),
                ('context_input', models.BigIntegerField(default=0)),
                ('context_system', models.BigIntegerField(default=0)),
                ('context_history', models.BigIntegerField(default=0)),
                ('context_retrieval', models.BigIntegerField(default=0)),
                ('context_tools', models.BigIntegerField(default=0)),
                ('context_memory', models.BigIntegerField(default=0)),
                ('context_user', models.BigIntegerField(default=0)),
                ('context_output_format', models.BigIntegerField(default=0)),
                ('pk', models.CompositePrimaryKey('day', 'workflow_id', 'team', 'provider', 'model', 'tier', 'cache', blank=True, editable=False, primary_key=True, serialize=False)),
            ],
        ),
        migrations.RunSQL("ALTER TABLE usage_ledger ADD saved bigint", "ALTER TABLE usage_ledger DROP saved"),
        migrations.RunSQL(ELSEWHERE, "DROP INDEX usage_ledger_elsewhere"),
        migrations.RunSQL(ROOM, migrations.RunSQL.noop),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.RunSQL(FILL_TOKENS, migrations.RunSQL.noop),
    ]
