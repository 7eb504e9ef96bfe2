"""What runs count per day and workflow, so that a page of a month need not read each run."""

from django.db import migrations, models

# The very sums of that day: later ones may sum more.
FLAGS = {
    "runs": "true",
    "judged": "run.outcome <> 'open'",
    "completed": "run.outcome IN ('completed', 'approved', 'shipped')",
    "approved": "run.outcome IN ('approved', 'shipped')",
    "shipped": "run.outcome = 'shipped'",
    "rejected": "run.outcome = 'rejected'",
    "failed": "run.outcome = 'failed'",
    "reviewed": "run.outcome IN ('approved', 'shipped', 'rejected') OR run.reworks > 0",
    "reworked": "run.reworks > 0",
    "misrouted": "run.misrouted",
}
AMOUNTS = {
    "cost": "run.cost",
    "steps": "run.max_step",
    "judged_cost": "CASE WHEN run.outcome <> 'open' THEN run.cost ELSE 0 END",
    "shipped_revenue": "CASE WHEN run.outcome = 'shipped' THEN run.revenue ELSE 0 END",
} | {
    name: f"run.{name}"
    for name in (
        "reviews", "duplicates", "review_minutes", "timed", "scored", "satisfaction", "revenue", "minutes_saved",
        "cases",
    )
}  # fmt: skip
OF_RUN = {name: f"({condition})::int" for name, condition in FLAGS.items()} | AMOUNTS
POSTED, LESS = (", ".join(f"0 {sign} posting.{name}" for name in OF_RUN) for sign in "+-")
# Nobody folds or applies outcomes meanwhile.
FILL = f"""
LOCK TABLE usage_run, usage_runposting IN SHARE MODE;
INSERT INTO usage_runday (day, workflow_id, {", ".join(OF_RUN)})
SELECT (at AT TIME ZONE zone)::date, workflow_id, {", ".join(f"sum({name})" for name in OF_RUN)}
FROM (
    SELECT run.counts_at AS at, run.workflow_id, {", ".join(f"{sql} AS {name}" for name, sql in OF_RUN.items())}
    FROM usage_run AS run WHERE run.calls > 0
    UNION ALL
    SELECT posting.posted_at, posting.workflow_id, {POSTED} FROM usage_runposting AS posting
    UNION ALL
    SELECT run.counts_at, posting.workflow_id, {LESS}
    FROM usage_runposting AS posting JOIN usage_run AS run USING (workflow_id, run_id)
) AS counting CROSS JOIN (
    SELECT coalesce((SELECT zone FROM usage_wide_zone), time_zone) AS zone FROM budgets_organisation WHERE id = 1
) AS days GROUP BY 1, 2
"""
# Today's rows are added to with each fold: with room on their pages no index is touched.
ROOM = "ALTER TABLE usage_runday SET (fillfactor = 50)"
MINUTES = ("review_minutes", "satisfaction", "minutes_saved")


def amount(name: str) -> models.Field:
    if name in MINUTES:
        return models.DecimalField(decimal_places=2, default=0, max_digits=18)
    return models.BigIntegerField(default=0)


class Migration(migrations.Migration):
    dependencies = [("usage", "0020_value_of_shipped_runs")]

    operations = [
        migrations.CreateModel(
            name="RunDay",
            fields=[
                ("day", models.DateField()),
                ("workflow_id", models.IntegerField()),
                *((name, amount(name)) for name in OF_RUN),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "day", "workflow_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
            ],
        ),
        migrations.RunSQL(ROOM, migrations.RunSQL.noop),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
