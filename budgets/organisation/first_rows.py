"""Rows that every installation has: the organisation and the reserved workflow."""

from typing import Any

from django.db import connections

from budgets.models import UNASSIGNED, Organisation


def ensure_first_rows(using: str = "default", **_: Any) -> None:
    """Make what is missing. Runs after every migrate and flush, so it changes nothing that is there.

    Nothing at all where a migrate backwards took the tables away.
    """
    if Organisation._meta.db_table not in connections[using].introspection.table_names():
        return
    with connections[using].cursor() as cursor:
        cursor.execute(
            "INSERT INTO budgets_organisation"
            " (id, name, time_zone, currency, fiscal_year_starts, generation, state_version, is_demo)"
            " VALUES (1, 'My company', 'UTC', 'USD', 1, 1, 0, false) ON CONFLICT DO NOTHING"
        )
        cursor.execute(
            "INSERT INTO budgets_workflow"
            " (slug, name, status, value_weight, risk_categories, guardrails, pause_reason, created_at)"
            " VALUES (%s, 'No workflow yet', 'reserved', 1, '[]', '{}', '', now()) ON CONFLICT DO NOTHING",
            [UNASSIGNED],
        )
