"""A clean database for each test: what a process remembers, and what Django's flush does not know."""

from typing import Any

import pytest

UNMANAGED = ("usage_ledger", "usage_claim", "usage_wide_day", "usage_detached_month")
KEPT = {"django_content_type", "auth_permission"}  # the same for every test; making them anew takes longer than most
# Tests start with empty tables. Nobody else may empty the history, and only the table's owner can say so.
LET_TRUNCATE = "ALTER TABLE budgets_auditentry DISABLE TRIGGER budgets_auditentry_no_truncate"
# Deleting a few rows takes a hundredth of what truncating a hundred tables does, since that writes new files for each.
WITHOUT_TRIGGERS = "SET LOCAL session_replication_role = replica"  # no foreign keys to check: all goes
EMPTY = """DO $$ DECLARE one text; size bigint := 0; BEGIN
    FOREACH one IN ARRAY ARRAY[{listed}] LOOP size := size + pg_relation_size(one::regclass); END LOOP;
    IF size > 16 * 1024 * 1024 THEN EXECUTE 'TRUNCATE {joined}';
    ELSE FOREACH one IN ARRAY ARRAY[{listed}] LOOP EXECUTE 'DELETE FROM ' || one; END LOOP; END IF;
END $$"""


def emptying(tables: Any) -> list[str]:
    """Statements, for one transaction, that leave these tables empty."""
    wanted = sorted(set(tables) - KEPT)
    listed, joined = ", ".join(f"'{one}'" for one in wanted), ", ".join(wanted)
    return [WITHOUT_TRIGGERS, EMPTY.format(listed=listed, joined=joined)]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """pytest-django's, and its flush may empty the history of the tests' own database, in our quicker way."""
    from django.db import connection
    from django.db.backends.postgresql.operations import DatabaseOperations

    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(LET_TRUNCATE)
    DatabaseOperations.sql_flush = lambda self, style, tables, **options: emptying(tables)  # type: ignore[method-assign]


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
        from django.db import connection, transaction

        request.getfixturevalue("transactional_db")
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in emptying(UNMANAGED):
                cursor.execute(statement)


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
