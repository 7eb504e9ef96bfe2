"""The states of periods that run are found by their end: few run, and many are over."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("budgets", "0009_skipped_days")]

    operations = [
        migrations.AddIndex("budgetstate", models.Index(fields=["ends_at"], name="budget_state_end")),
    ]
