"""What closed months are booked under. Months that are closed already are booked under what is known now."""

from datetime import date

from django.db import migrations, models


def keep(apps, schema_editor):
    """As closing them does from now on."""
    every = {name: apps.get_model("budgets", name).objects for name in ("Organisation", "Team", "Workflow", "Closing")}
    row = every["Organisation"].filter(closed_before__isnull=False).first()
    if row is None:
        return
    before = row.closed_before.replace(day=1)
    teams = every["Team"].values_list("pk", "slug", "name", "cost_centre", "ledger_code")
    workflows = every["Workflow"].values_list(
        "pk", "slug", "name", "team_id", "cost_centre", "ledger_code", "merged_into_id"
    )
    every["Closing"].create(
        since=None,
        before=before,
        organisation=row.name,
        currency=row.currency,
        rates=rates_of(apps.get_model("budgets", "CurrencyRate"), row.currency, before),
        teams={str(pk): rest for pk, *rest in teams},
        workflows={str(pk): [*rest, merged or pk] for pk, *rest, merged in workflows},
    )


def rates_of(rates, currency, before):
    """Month → what a dollar was on its last day, and since when."""
    known = list(rates.objects.filter(currency=currency, day__lt=before).order_by("day"))
    found = {}
    month = known[0].day.replace(day=1) if known else before
    while month < before:
        after = date(month.year + month.month // 12, month.month % 12 + 1, 1)
        rate = [one for one in known if one.day < after][-1]
        found[f"{month:%Y-%m}"] = [str(rate.per_dollar), rate.day.isoformat()]
        month = after
    return found


class Migration(migrations.Migration):
    dependencies = [("budgets", "0018_leases")]

    operations = [
        migrations.CreateModel(
            name="Closing",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("closed_at", models.DateTimeField(auto_now_add=True)),
                ("since", models.DateField(null=True)),
                ("before", models.DateField()),
                ("organisation", models.CharField(max_length=128)),
                ("currency", models.CharField(max_length=3)),
                ("rates", models.JSONField(default=dict)),
                ("teams", models.JSONField(default=dict)),
                ("workflows", models.JSONField(default=dict)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("since", None), ("since__lt", models.F("before")), _connector="OR"),
                        name="closing_in_order",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("before__day", 1), models.Q(("since", None), ("since__day", 1), _connector="OR")
                        ),
                        name="closing_of_whole_months",
                    ),
                ],
            },
        ),
        migrations.RunPython(keep, migrations.RunPython.noop, elidable=True),
    ]
