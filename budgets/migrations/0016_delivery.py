"""Delivery."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("budgets", "0015_alerts")]

    operations = []
