"""The price book's first entries, from the genai-prices that is installed."""

from django.db import migrations

from usage.prices.seed import plant


def seed(apps, schema_editor):
    plant(apps.get_model("usage", "PriceEntry"))


class Migration(migrations.Migration):
    dependencies = [("usage", "0003_price_hours")]

    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
