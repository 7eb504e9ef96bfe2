"""Reports that come to people."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models.functions import Coalesce


class Migration(migrations.Migration):
    dependencies = [
        ("reports", "0003_findings"),
        ("budgets", "0018_leases"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Subscription",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "cadence",
                    models.CharField(choices=[("weekly", "Every week"), ("monthly", "Every month")], max_length=7),
                ),
                ("weekday", models.PositiveSmallIntegerField(default=1)),
                ("hour", models.PositiveSmallIntegerField(default=8)),
                ("time_zone", models.CharField(max_length=64)),
                ("sent_for", models.DateField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
                ("stopped_at", models.DateTimeField(blank=True, null=True)),
                (
                    "channel",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="budgets.channel",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "view",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="reports.savedview",
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("owner"),
                        Coalesce("view", models.Value(0)),
                        Coalesce("channel", models.Value(0)),
                        models.F("cadence"),
                        condition=models.Q(stopped_at=None),
                        name="subscription_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(weekday__gte=1, weekday__lte=7, hour__gte=0, hour__lte=23),
                        name="subscription_time",
                    ),
                ],
            },
        ),
    ]
