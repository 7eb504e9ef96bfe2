"""Days by model and tier are days by all core dimensions, summed, and so need no table of their own."""

from importlib import import_module

from django.db import migrations

FILL = import_module("usage.migrations.0016_model_days").FILL


class Migration(migrations.Migration):
    dependencies = [("usage", "0022_what_is_not_stated")]

    operations = [
        migrations.RunSQL(migrations.RunSQL.noop, FILL),
        migrations.DeleteModel(name="ModelDay"),
    ]
