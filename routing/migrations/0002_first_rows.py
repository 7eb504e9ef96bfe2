"""The epoch's one row and a ready-made set of three tiers."""

from django.db import migrations

TIERS = [
    (1, "Economy", False, [("openai", "gpt-4.1-mini"), ("google", "gemini-2.5-flash"), ("anthropic", "claude-haiku-4-5")]),
    (2, "Standard", False, [("anthropic", "claude-sonnet-4-5"), ("openai", "gpt-4.1"), ("google", "gemini-2.5-pro")]),
    (3, "Premium", True, [("anthropic", "claude-opus-4-5"), ("openai", "gpt-5")]),
]


def make_first_rows(apps, schema_editor):
    """What is there already was made after an earlier migrate: see routing.tiers.first_rows."""
    apps.get_model("routing", "BundleEpoch").objects.get_or_create(id=1, defaults={"epoch": 1})
    if apps.get_model("routing", "Tier").objects.exists():
        return
    for number, name, needs_approval, models in TIERS:
        apps.get_model("routing", "Tier").objects.create(
            number=number,
            name=name,
            needs_approval=needs_approval,
            models=[{"provider": provider, "model": model} for provider, model in models],
        )


class Migration(migrations.Migration):
    dependencies = [("routing", "0001_initial"), ("usage", "0002_partitions")]

    operations = [migrations.RunPython(make_first_rows, migrations.RunPython.noop)]
