"""What no outcome states of a run is null there, not 0; and of how many runs it is stated whether they went astray."""

from django.db import migrations, models

UNSTATED = """
UPDATE usage_run SET misrouted = NULL, revenue = NULL, minutes_saved = NULL, cases = NULL;
UPDATE usage_run AS run SET
    misrouted = told.misrouted, revenue = told.revenue, minutes_saved = told.minutes_saved, cases = told.cases
FROM (
    SELECT applied_to, run_id,
        (array_agg(misrouted ORDER BY time DESC, id DESC) FILTER (WHERE misrouted IS NOT NULL))[1] AS misrouted,
        (array_agg(revenue ORDER BY time DESC, id DESC) FILTER (WHERE revenue IS NOT NULL))[1] AS revenue,
        (array_agg(minutes_saved ORDER BY time DESC, id DESC) FILTER (WHERE minutes_saved IS NOT NULL))[1]
            AS minutes_saved,
        (array_agg(cases ORDER BY time DESC, id DESC) FILTER (WHERE cases IS NOT NULL))[1] AS cases
    FROM usage_outcomemessage WHERE state = 'applied' AND taken_back_at IS NULL GROUP BY 1, 2
) AS told WHERE told.applied_to = run.workflow_id AND told.run_id = run.run_id
"""
STATED_AGAIN = """
UPDATE usage_run SET misrouted = coalesce(misrouted, false), revenue = coalesce(revenue, 0),
    minutes_saved = coalesce(minutes_saved, 0), cases = coalesce(cases, 0)
"""
# A run that was marked after its day was closed was posted so; what else is stated stays where its run counts.
POSTED = "UPDATE usage_runposting SET routed = 1 WHERE misrouted > 0"
DAYS = """
LOCK TABLE usage_run, usage_runposting IN SHARE MODE;
UPDATE usage_runday AS day SET routed = told.routed FROM (
    SELECT (at AT TIME ZONE zone)::date AS day, workflow_id, sum(routed)::bigint AS routed FROM (
        SELECT counts_at AS at, workflow_id, 1 AS routed FROM usage_run WHERE calls > 0 AND misrouted IS NOT NULL
        UNION ALL
        SELECT posted_at, workflow_id, routed FROM usage_runposting WHERE routed <> 0
        UNION ALL
        SELECT run.counts_at, posting.workflow_id, -posting.routed
        FROM usage_runposting AS posting JOIN usage_run AS run USING (workflow_id, run_id) WHERE posting.routed <> 0
    ) AS counting CROSS JOIN (
        SELECT coalesce((SELECT zone FROM usage_wide_zone), time_zone) AS zone FROM budgets_organisation WHERE id = 1
    ) AS days GROUP BY 1, 2
) AS told WHERE told.day = day.day AND told.workflow_id = day.workflow_id
"""


class Migration(migrations.Migration):
    dependencies = [("usage", "0021_run_days")]

    operations = [
        migrations.AlterField("run", "misrouted", models.BooleanField(null=True)),
        migrations.AlterField("run", "revenue", models.BigIntegerField(help_text="Nano-dollars.", null=True)),
        migrations.AlterField(
            "run", "minutes_saved", models.DecimalField(decimal_places=2, max_digits=12, null=True)
        ),
        migrations.AlterField("run", "cases", models.IntegerField(null=True)),
        migrations.AddField("runposting", "routed", models.IntegerField(db_default=0, default=0)),
        migrations.AddField("runday", "routed", models.BigIntegerField(db_default=0, default=0)),
        migrations.RunSQL(UNSTATED, STATED_AGAIN),
        migrations.RunSQL(POSTED, migrations.RunSQL.noop),
        migrations.RunSQL(DAYS, migrations.RunSQL.noop),
    ]
