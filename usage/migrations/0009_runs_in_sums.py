"""Calls and cost within runs, in every rollup."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("usage", "0008_costs_imports_sources")]

    operations = []
