"""Ledger rows that take an imported call back."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("usage", "0009_runs_in_sums")]

    operations = []
