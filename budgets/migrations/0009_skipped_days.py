from django.db import migrations, models


class Migration(migrations.Migration):
    """What repeats may leave days out, as calendar files say it (EXDATE)."""

    dependencies = [("budgets", "0008_pool_amounts")]

    operations = [
        migrations.AddField(
            model_name="plannedactivity",
            name="skipped_days",
            field=models.JSONField(
                blank=True,
                db_default=models.Value([], models.JSONField()),
                default=list,
                help_text="Days on which it does not repeat.",
            ),
        ),
    ]
