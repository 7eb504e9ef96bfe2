"""What shipped runs brought in, and how many reviews say how long they took, beside what all of them come to.

What was posted apart so far is worked out from the runs as they are, posting by posting backwards.
"""

from django.db import migrations, models

RUNS = """
UPDATE usage_run AS run SET timed = told.timed FROM (
    SELECT applied_to, run_id, count(*)::int AS timed FROM usage_outcomemessage
    WHERE state = 'applied' AND taken_back_at IS NULL AND review_minutes IS NOT NULL GROUP BY 1, 2
) AS told WHERE told.applied_to = run.workflow_id AND told.run_id = run.run_id
"""
# A posting's messages were taken between it and the one before; those without minutes are no part of it.
POSTINGS = """
UPDATE usage_runposting AS apart SET
    shipped_revenue = told.shipped_now * told.revenue_now
        - (told.shipped_now - apart.shipped) * (told.revenue_now - apart.revenue),
    timed = CASE WHEN apart.review_minutes <> 0 THEN apart.reviews ELSE 0 END
FROM (
    SELECT one.id,
        (run.calls > 0 AND run.outcome = 'shipped')::int - coalesce(sum(one.shipped) OVER later, 0) AS shipped_now,
        CASE WHEN run.calls > 0 THEN run.revenue ELSE 0 END - coalesce(sum(one.revenue) OVER later, 0) AS revenue_now
    FROM usage_runposting AS one JOIN usage_run AS run USING (workflow_id, run_id)
    WINDOW later AS (
        PARTITION BY one.workflow_id, one.run_id ORDER BY one.id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
) AS told WHERE told.id = apart.id
"""


class Migration(migrations.Migration):
    dependencies = [("usage", "0019_found_by_time")]

    operations = [
        migrations.AddField(
            model_name="run",
            name="timed",
            field=models.IntegerField(
                db_default=0, default=0, help_text="How many messages say how long their review took."
            ),
        ),
        migrations.AddField(
            model_name="runposting", name="timed", field=models.IntegerField(db_default=0, default=0)
        ),
        migrations.AddField(
            model_name="runposting", name="shipped_revenue", field=models.BigIntegerField(db_default=0, default=0)
        ),
        migrations.RunSQL(RUNS, migrations.RunSQL.noop),
        migrations.RunSQL(POSTINGS, migrations.RunSQL.noop),
    ]
