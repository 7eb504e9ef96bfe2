"""Prices by the hour, previews of refreshes, and the way from a ledger row to its corrections."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("usage", "0002_partitions"),
    ]

    operations = [
        # Corrections are few, so ingest pays nothing for it; a partition made later gets it too.
        migrations.RunSQL(
            "CREATE INDEX usage_ledger_corrects ON usage_ledger (corrects) WHERE corrects IS NOT NULL",
            "DROP INDEX usage_ledger_corrects",
        ),
        migrations.AddField(
            model_name="priceentry",
            name="hours",
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.CreateModel(
            name="PriceRefresh",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "status",
                    models.CharField(
                        choices=[("preview", "Preview"), ("applied", "Applied"), ("discarded", "Discarded")],
                        default="preview",
                        max_length=9,
                    ),
                ),
                ("package", models.CharField(help_text="genai-prices and its version.", max_length=64)),
                (
                    "digest",
                    models.CharField(
                        help_text="Of the changes: a preview that went stale is not applied.", max_length=64
                    ),
                ),
                ("added", models.JSONField(default=list)),
                ("changed", models.JSONField(default=list)),
                ("ended", models.JSONField(default=list)),
                (
                    "unlisted",
                    models.JSONField(default=list, help_text="No longer listed there; they stay in force here."),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("decided_by", models.CharField(blank=True, max_length=150)),
            ],
            options={
                "ordering": ["-created_at"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status", "preview")), fields=("status",), name="price_refresh_one_preview"
                    )
                ],
            },
        ),
    ]
