"""The first tiers' models into the dated catalogue, so that usage has a tier from the first event on."""

from datetime import UTC, datetime

from django.db import migrations


def fill_catalogue(apps, schema_editor):
    catalogue = apps.get_model("usage", "ModelTier").objects
    if catalogue.exists():
        return
    for tier in apps.get_model("routing", "Tier").objects.order_by("number"):
        for entry in tier.models:
            catalogue.get_or_create(
                provider=entry["provider"],
                model=entry["model"],
                valid_from=datetime(2020, 1, 1, tzinfo=UTC),
                defaults={"tier": tier.number},
            )


class Migration(migrations.Migration):
    dependencies = [("routing", "0002_first_rows"), ("usage", "0002_partitions")]

    operations = [migrations.RunPython(fill_catalogue, migrations.RunPython.noop)]
