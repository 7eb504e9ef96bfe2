"""Claims say whether what an import brought was sent by its sender as well; null for all there are."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("usage", "0014_workflow_reads")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE usage_claim ADD COLUMN sent_too boolean",
            "ALTER TABLE usage_claim DROP COLUMN sent_too",
            state_operations=[migrations.AddField("claim", "sent_too", models.BooleanField(null=True))],
        )
    ]
