"""Ledger rows of kind 2 take a call back: the checks let them hold negative amounts.

The checks of 0002 have names that PostgreSQL chose, so whatever checks there are give way to named ones. Partitions
follow their parent.
"""

from django.db import migrations

DROP_CHECKS = """
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT conname FROM pg_constraint WHERE conrelid = 'usage_ledger'::regclass AND contype = 'c' LOOP
        EXECUTE format('ALTER TABLE usage_ledger DROP CONSTRAINT %I', name);
    END LOOP;
END $$
"""
CHECKS = {
    "ledger_kind": "kind IN (0, {kinds})",
    "ledger_input_tokens": "input_tokens >= 0 OR kind IN ({kinds})",
    "ledger_output_tokens": "output_tokens >= 0 OR kind IN ({kinds})",
    "ledger_unpriced_range": "unpriced BETWEEN -1 AND 1",
    "ledger_cost_has_parts": "(cost IS NULL) = (cost_input IS NULL)",
    "ledger_cost_is_its_parts": "cost = cost_input + cost_cached + cost_cache_write + cost_output + cost_units",
    "ledger_cost": "cost >= 0 OR kind IN ({kinds})",
    "ledger_measured_cost": "measured OR cost IS NULL OR kind IN ({kinds})",
    "ledger_unpriced": "kind IN ({kinds}) OR (unpriced = 1) = (measured AND cost IS NULL)",
}


def add_checks(kinds):
    """One pass over the table for all of them."""
    added = ", ".join(f"ADD CONSTRAINT {name} CHECK ({rule.format(kinds=kinds)})" for name, rule in CHECKS.items())
    return f"ALTER TABLE usage_ledger {added}"


class Migration(migrations.Migration):
    dependencies = [("usage", "0009_runs_in_sums")]

    operations = [
        migrations.RunSQL([DROP_CHECKS, add_checks("1, 2")], [DROP_CHECKS, add_checks("1")]),
    ]
