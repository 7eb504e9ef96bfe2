"""When a budget is evaluated next, and storage settings of the tables that evaluation rewrites all the time."""

from django.db import migrations, models
from django.db.models import Q
from django.utils import timezone

# Charges are appended and deleted within a second: they are vacuumed by number of dead rows, not by share of a table
# that is empty half of the time. Series and states are updated in place: room on the page keeps that off the indexes.
STORAGE = """
ALTER TABLE budgets_budgetcharge SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000
);
ALTER TABLE budgets_budgetseries SET (fillfactor = 85);
ALTER TABLE budgets_budgetstate SET (fillfactor = 70);
"""
STORAGE_BACK = """
ALTER TABLE budgets_budgetcharge RESET (
    autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_vacuum_cost_delay,
    autovacuum_analyze_scale_factor, autovacuum_analyze_threshold
);
ALTER TABLE budgets_budgetseries RESET (fillfactor);
ALTER TABLE budgets_budgetstate RESET (fillfactor);
"""


class Migration(migrations.Migration):
    dependencies = [("budgets", "0002_first_rows")]

    operations = [
        migrations.AddField(
            "budget",
            "opened_at",
            models.DateTimeField(
                null=True,
                editable=False,
                help_text="When that was read. Periods that were over by then raise no alerts.",
            ),
        ),
        migrations.AddField(
            "budget",
            "due_at",
            models.DateTimeField(
                default=timezone.now,
                null=True,
                editable=False,
                help_text="When evaluation must look at it next, charged or not: a period begins.",
            ),
        ),
        migrations.AddField(
            "budget",
            "edit_version",
            models.PositiveIntegerField(default=1, editable=False, help_text="Grows with every edit."),
        ),
        migrations.AlterField(
            "budget",
            "limit_version",
            models.PositiveIntegerField(
                default=1,
                editable=False,
                help_text="Grows when what is allowed or told changes: amount, scope, thresholds, …",
            ),
        ),
        migrations.AddIndex(
            "budget", models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="budget_due")
        ),
        migrations.RunSQL(STORAGE, STORAGE_BACK),
    ]
