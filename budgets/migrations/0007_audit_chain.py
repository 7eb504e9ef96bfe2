"""The trigger that chains the history."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("budgets", "0006_browser")]

    operations = []
