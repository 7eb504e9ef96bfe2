"""When a budget's landing was forecast, and how far it likely goes. What was there counts as forecast now."""

from django.db import migrations, models

FORECAST_NOW = "UPDATE budgets_budgetstate SET projected_at = now() WHERE projected IS NOT NULL"


class Migration(migrations.Migration):
    dependencies = [("budgets", "0020_stopped_runs")]

    operations = [
        migrations.AddField(
            "budgetstate",
            "projected_most",
            models.BigIntegerField(help_text="Upper end of the likely range (80 %).", null=True),
        ),
        migrations.AddField(
            "budgetstate", "projected_at", models.DateTimeField(help_text="When that was forecast.", null=True)
        ),
        migrations.RunSQL(FORECAST_NOW, migrations.RunSQL.noop),
        migrations.AddConstraint(
            "budgetstate",
            models.CheckConstraint(
                condition=models.Q(projected=None, projected_most=None, projected_at=None)
                | models.Q(projected__isnull=False, projected_at__isnull=False),
                name="budget_state_projected",
            ),
        ),
    ]
