"""A clean database for each test: what a process remembers, and what Django's flush does not know."""

from typing import Any

import pytest

UNMANAGED = "usage_ledger, usage_claim, usage_wide_day, usage_detached_month"
# Tests start with empty tables. Nobody else may empty the history, and only the table's owner can say so.
LET_TRUNCATE = "ALTER TABLE budgets_auditentry DISABLE TRIGGER budgets_auditentry_no_truncate"


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """pytest-django's, and its flush may empty the history of the tests' own database."""
    from django.db import connection

    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(LET_TRUNCATE)


@pytest.fixture(autouse=True)
def forget_other_tests(request: pytest.FixtureRequest) -> None:
    """Tests share one process: what it remembers of one test's database must not reach the next."""
    from budgets.currency.shown import DOLLARS, show

    show(DOLLARS)
    marker = request.node.get_closest_marker("django_db")
    if marker is None:
        return
    forget_caches()
    if marker.kwargs.get("transaction"):
        from django.db import connection

        request.getfixturevalue("transactional_db")
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {UNMANAGED}")


def forget_caches() -> None:
    """Empty everything that a process keeps of its database."""
    from budgets.access import directory
    from budgets.limits import book as budget_book
    from usage.ingest import backlog, workflows
    from usage.ledger import partitions
    from usage.prices import book as price_book
    from usage.prices import tiers

    directory.reset()
    for module in (budget_book, workflows, backlog, price_book, tiers, partitions):
        module.forget()
