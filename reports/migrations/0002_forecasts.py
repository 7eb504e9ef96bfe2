"""Forecasts as they were made, and what came."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reports", "0001_views"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Outlook",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("organisation", "The organisation"),
                            ("team", "Team"),
                            ("workflow", "Workflow"),
                            ("budget", "Budget"),
                        ],
                        max_length=12,
                    ),
                ),
                ("key", models.CharField(blank=True, max_length=128)),
                ("grain", models.CharField(choices=[("day", "Days"), ("hour", "Hours")], max_length=4)),
                ("made_for", models.DateField()),
                ("made_at", models.DateTimeField()),
                ("starts_at", models.DateTimeField()),
                ("metric", models.CharField(default="money", max_length=6)),
                ("known", models.PositiveIntegerField(default=0, help_text="Complete days or hours that it rests on.")),
                ("ready_on", models.DateField(blank=True, null=True)),
                ("steps", models.JSONField(default=list)),
                ("period_first", models.DateField(blank=True, null=True)),
                ("period_end", models.DateField(blank=True, null=True)),
                ("limit", models.BigIntegerField(blank=True, null=True)),
                ("spent", models.BigIntegerField(default=0)),
                ("landing", models.JSONField(default=list)),
                ("runs_out", models.JSONField(default=list)),
                ("week", models.JSONField(default=list)),
                ("week_came", models.BigIntegerField(blank=True, null=True)),
                ("landed", models.BigIntegerField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-made_for", "kind", "key"],
                "indexes": [models.Index(fields=["made_for"], name="outlook_made_for")],
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "key", "grain", "made_for"), name="outlook_once_a_day")
                ],
            },
        ),
        migrations.CreateModel(
            name="OutlookRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("made_for", models.DateField(help_text="The first day that is forecast: the organisation's today.")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("running", "Being made"),
                            ("done", "Made"),
                            ("failed", "Failed"),
                        ],
                        default="waiting",
                        max_length=7,
                    ),
                ),
                ("total", models.PositiveIntegerField(default=0)),
                ("done", models.PositiveIntegerField(default=0)),
                (
                    "left_out",
                    models.PositiveIntegerField(
                        default=0, help_text="Subjects beyond the most that one run forecasts."
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("claimed_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("problem", models.CharField(blank=True, max_length=500)),
                (
                    "asked_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["waiting", "running"])),
                        fields=("made_for",),
                        name="outlook_run_one_waits",
                    )
                ],
            },
        ),
    ]
