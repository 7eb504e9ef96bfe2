"""What a budget reached is a crossing; an alert is what a rule makes of it."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("budgets", "0011_aliases_flat")]

    operations = [
        migrations.RenameModel("Alert", "Crossing"),
        migrations.AlterField(
            "crossing",
            "budget",
            models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="crossings", to="budgets.budget"
            ),
        ),
        migrations.AddField(
            "crossing",
            "told_at",
            models.DateTimeField(editable=False, help_text="When the alert rules had seen it.", null=True),
        ),
        # What was crossed before there were rules is nobody's news.
        migrations.RunSQL("UPDATE budgets_crossing SET told_at = now()", migrations.RunSQL.noop),
    ]
