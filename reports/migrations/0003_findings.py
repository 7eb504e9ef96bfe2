import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reports", "0002_forecasts"),
        ("budgets", "0018_leases"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="KnownUse",
            fields=[
                ("source_id", models.IntegerField()),
                ("what", models.CharField(help_text="workflow or application", max_length=11)),
                ("value", models.TextField()),
                ("first_at", models.DateTimeField()),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "source_id", "what", "value", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "known uses",
            },
        ),
        migrations.CreateModel(
            name="Watch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("quarters_to", models.DateTimeField(null=True)),
                ("hours_to", models.DateTimeField(null=True)),
                (
                    "arrivals_to",
                    models.DateTimeField(help_text="When the newest batch whose sources were noted came.", null=True),
                ),
                ("creep_on", models.DateField(null=True)),
                ("looked_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="watch_single_row")],
            },
        ),
        migrations.CreateModel(
            name="WatchedSeries",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("dimension", models.CharField(max_length=8)),
                ("key", models.TextField()),
                ("measure", models.CharField(max_length=16)),
                ("grain", models.IntegerField()),
                ("began_at", models.DateTimeField()),
                ("settled_to", models.DateTimeField()),
                ("state", models.JSONField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("dimension", "key", "measure", "grain"), name="watched_series_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Finding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("usual", "Above its usual"),
                            ("loop", "A run that goes in circles"),
                            ("retries", "Many repeated calls"),
                            ("context", "Input that grows with every turn"),
                            ("output", "Answers without end"),
                            ("burst", "One person’s burst"),
                            ("source", "A key used from somewhere new"),
                            ("creep", "Slow growth over weeks"),
                        ],
                        max_length=8,
                    ),
                ),
                ("dimension", models.CharField(help_text="workflow, team or model", max_length=8)),
                ("key", models.TextField(help_text="The workflow's id, the team's short name, the model's name.")),
                ("subject", models.TextField(blank=True, help_text="The run, person or source that it is about.")),
                ("name", models.CharField(help_text="What the scope was called when it was found.", max_length=200)),
                ("measures", models.JSONField(default=list)),
                ("grain", models.IntegerField(help_text="Seconds; 900, 3600 or a day.")),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField()),
                ("found_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("actual", models.BigIntegerField()),
                ("expected", models.BigIntegerField(blank=True, null=True)),
                ("amount", models.BigIntegerField(blank=True, null=True)),
                ("points", models.JSONField(default=list)),
                ("peaks", models.JSONField(default=dict)),
                ("cause", models.CharField(blank=True, max_length=500)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "To check"),
                            ("checking", "Being checked"),
                            ("expected", "Expected"),
                            ("fixed", "Fixed"),
                        ],
                        default="open",
                        max_length=8,
                    ),
                ),
                ("taught", models.BooleanField(default=False)),
                ("planned", models.CharField(blank=True, max_length=200)),
                (
                    "acted",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "Nothing"),
                            ("paused", "Its workflow was paused"),
                            ("capped", "Its runs were limited"),
                        ],
                        default="",
                        max_length=8,
                    ),
                ),
                (
                    "acted_entry",
                    models.BigIntegerField(blank=True, help_text="The row of history of what was done.", null=True),
                ),
                ("acted_undone", models.BooleanField(default=False)),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="budgets.team",
                    ),
                ),
                (
                    "workflow",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="budgets.workflow",
                    ),
                ),
            ],
            options={
                "ordering": ["-found_at", "-pk"],
                "indexes": [
                    models.Index(fields=["dimension", "key", "until"], name="finding_of_scope"),
                    models.Index(fields=["workflow", "found_at"], name="finding_of_workflow"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("kind", "dimension", "key", "subject", "since"), name="finding_once"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None)),
                        fields=("kind", "dimension", "key", "subject"),
                        name="finding_open_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("until__gte", models.F("since"))), name="finding_ends_after_it_starts"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("amount", None), ("expected", None)),
                            (
                                "amount",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("actual"), "-", models.F("expected")
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="finding_amount",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("taught", False), ("state", "expected"), _connector="OR"),
                        name="finding_taught",
                    ),
                ],
            },
        ),
    ]
