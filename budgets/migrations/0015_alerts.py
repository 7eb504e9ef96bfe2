"""Alert rules of a fresh installation. They tell nobody until they have a channel; their alerts are listed."""

from django.db import migrations

# Name, trigger, options as the trigger cleans them, urgent.
RULES = (
    ("A budget reaches a warning", "budget_threshold", {"budget": "", "percent": None}, True),
    ("A budget is likely to exceed its limit", "budget_forecast", {"budget": "", "over_by": 10}, False),
    (
        "A workflow spends far more than usual",
        "spend_unusual",
        {"dimension": "workflow", "value": "", "factor": "3", "minimum": "50", "window": "day"},
        True,
    ),
    ("A model without a price is used", "unpriced_model", {}, False),
    ("A new workflow appears", "discovered_workflow", {}, False),
    ("A source has been silent for a day", "silent_source", {"source": "", "hours": 24}, True),
    ("A gateway goes by an old policy", "stale_gateway", {"minutes": 60}, True),
    ("A request has been waiting for a day", "waiting_request", {"hours": 24}, True),
    ("A key expires within two weeks", "expiring_key", {"days": 14}, False),
)


def make_rules(apps, editor):
    AlertRule = apps.get_model("budgets", "AlertRule")
    for name, trigger, options, urgent in RULES:
        AlertRule.objects.create(name=name, trigger=trigger, options=options, urgent=urgent)


class Migration(migrations.Migration):
    dependencies = [("budgets", "0014_approvals")]

    operations = [migrations.RunPython(make_rules, migrations.RunPython.noop)]
