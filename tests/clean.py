"""A clean database for each test: what a process remembers, and what Django's flush does not know."""

import pytest

UNMANAGED = "usage_ledger, usage_claim, usage_wide_day, usage_detached_month"


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
