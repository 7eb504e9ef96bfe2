"""A clean database for each test, and a process that remembers nothing of the test before.

What the migrations put into the tables is copied aside, once. A plain test finds it there and is rolled back. One that
commits (`transaction=True`, `live_server`) finds the same without the price list, whose thousands of rows take longer
to copy than most tests take: it makes the entries it needs. So tests run in any order, in one process or in several.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.migrated import migrated

ASIDE = "tests_aside"  # a schema with copies of the tables that migrations filled
MIGRATIONS = "django_migrations"
KEPT = {MIGRATIONS, "django_content_type", "auth_permission"}  # no test changes what is in these
PRICES = "usage_priceentry"
# Tests start with empty tables. Nobody else may empty the history, and only the table's owner can say so.
LET_TRUNCATE = "ALTER TABLE budgets_auditentry DISABLE TRIGGER budgets_auditentry_no_truncate"
# Nobody misses a test's last commits after a power cut; waiting for the disk is much of what a short one takes.
NO_WAITING = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$"
OTHERS = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""
TABLES = """SELECT relname FROM pg_class WHERE relnamespace = '{schema}'::regnamespace
    AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname"""
# Deleting a few rows takes a hundredth of what truncating a hundred tables does, since that writes new files for each.
WITHOUT_TRIGGERS = "SET LOCAL session_replication_role = replica"  # no foreign keys to check: all goes
EMPTY = """DO $$ DECLARE one text; size bigint := 0; BEGIN
    FOREACH one IN ARRAY ARRAY[{listed}] LOOP size := size + pg_relation_size(one::regclass); END LOOP;
    IF size > 16 * 1024 * 1024 THEN EXECUTE 'TRUNCATE {joined}';
    ELSE FOREACH one IN ARRAY ARRAY[{listed}] LOOP EXECUTE 'DELETE FROM ' || one; END LOOP; END IF;
END $$"""


class Rows:
    """What the tables hold between two tests."""

    def __init__(self) -> None:
        """Copy aside what the migrations left, unless an earlier run with `--reuse-db` did."""
        from django.db import connection

        self.left: bool | None = None  # with or without prices; None: whatever the last test committed
        self.stays = False  # what was committed, until the module ends
        with connection.cursor() as cursor:
            cursor.execute(LET_TRUNCATE)
            cursor.execute(NO_WAITING)
            tables = self._names(cursor, "public")
            listed, joined = ", ".join(f"'{one}'" for one in tables), ", ".join(tables)
            self._empty = f"{WITHOUT_TRIGGERS}; {EMPTY.format(listed=listed, joined=joined)}"
            if not self._is_copied(cursor):
                cursor.execute(f"DROP SCHEMA IF EXISTS {ASIDE} CASCADE; CREATE SCHEMA {ASIDE}")
                for name in [MIGRATIONS, *tables]:
                    cursor.execute(f"SELECT EXISTS (SELECT FROM {name})")
                    if cursor.fetchone()[0]:
                        cursor.execute(f"CREATE TABLE {ASIDE}.{name} AS TABLE {name}")
            self._filled = self._names(cursor, ASIDE)

    def _names(self, cursor: Any, schema: str) -> list[str]:
        cursor.execute(TABLES.format(schema=schema))
        return [name for (name,) in cursor.fetchall() if name not in KEPT]

    def _is_copied(self, cursor: Any) -> bool:
        """Whether there is a copy, and of the migrations there are now."""
        cursor.execute(f"SELECT to_regclass('{ASIDE}.{MIGRATIONS}') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return False
        cursor.execute(
            f"SELECT NOT EXISTS (SELECT app, name FROM {MIGRATIONS} EXCEPT SELECT app, name FROM {ASIDE}.{MIGRATIONS})"
        )
        return bool(cursor.fetchone()[0])

    def put_back(self, *, with_prices: bool) -> None:
        """Leave in the tables what the migrations put there, and nothing else."""
        from django.db import connection, transaction

        if self.left is with_prices:
            return
        wanted = [name for name in self._filled if with_prices or name != PRICES]
        fill = [f"INSERT INTO {name} SELECT * FROM {ASIDE}.{name}" for name in wanted]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("; ".join([self._empty, *fill]))
        self.left = with_prices

    def alone(self) -> None:
        """End what threads of tests left connected: the database could not be dropped."""
        from django.db import connection

        from budgets.notices import listener

        listener.stop()
        with connection.cursor() as cursor:
            cursor.execute(OTHERS)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings: None, django_db_keepdb: bool, django_db_createdb: bool, server_url: str
) -> None:
    """pytest-django's; the test database is a copy of the run's migrated one, unless an earlier run's is kept."""
    from django.db import connection

    if django_db_createdb or not django_db_keepdb:
        connection.settings_dict["TEST"]["TEMPLATE"] = migrated(server_url)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[Rows]:
    """pytest-django's; instead of Django's flush after a test that commits, our rows before any test."""
    from django.test import TestCase, TransactionTestCase

    with django_db_blocker.unblock():
        rows = Rows()
    plain, committing = TestCase._fixture_setup.__func__, TransactionTestCase._fixture_setup.__func__

    def before_plain(case: Any) -> None:
        rows.put_back(with_prices=True)
        plain(case)

    def before_committing(case: Any) -> None:
        if not rows.stays:
            rows.put_back(with_prices=False)
            rows.left = None
        committing(case)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TestCase, "_fixture_setup", classmethod(before_plain))
        patch.setattr(TransactionTestCase, "_fixture_setup", classmethod(before_committing))
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda case: None)
        yield rows
    with django_db_blocker.unblock():
        rows.put_back(with_prices=True)  # `--reuse-db` may keep them
        rows.alone()


@pytest.fixture(scope="module")
def lasting(django_db_setup: Rows, django_db_blocker: Any) -> Iterator[None]:
    """What fixtures of the module write after this one is there for all its tests, of which none may commit.

    Django's connection is blocked outside tests: `with django_db_blocker.unblock():` opens it.
    """
    from django.db import transaction

    forget_caches()
    outer = transaction.atomic()
    with django_db_blocker.unblock():
        django_db_setup.put_back(with_prices=True)
        outer.__enter__()
    yield
    with django_db_blocker.unblock():
        transaction.set_rollback(True)
        outer.__exit__(None, None, None)


@pytest.fixture(scope="module")
def committed(django_db_setup: Rows, django_db_blocker: Any) -> Iterator[None]:
    """As `lasting`, for tests with `live_server`: they find what fixtures of the module committed, and only read it."""
    forget_caches()
    with django_db_blocker.unblock():
        django_db_setup.put_back(with_prices=False)
    django_db_setup.left, django_db_setup.stays = None, True
    yield
    django_db_setup.stays = False


@pytest.fixture(autouse=True)
def forget_other_tests(request: pytest.FixtureRequest) -> None:
    """Tests share one process: what it remembers of one test's database must not reach the next."""
    from budgets.currency.shown import DOLLARS, show

    show(DOLLARS)
    if request.node.get_closest_marker("django_db"):
        forget_caches()


def forget_caches() -> None:
    """Empty everything that a process keeps of its database."""
    from budgets.access import directory
    from budgets.grants import book as grant_book
    from budgets.limits import book as budget_book
    from reports.savings import stored
    from usage.ingest import backlog, workflows
    from usage.ledger import partitions
    from usage.prices import book as price_book
    from usage.prices import tiers

    directory.reset()
    for module in (budget_book, grant_book, workflows, backlog, price_book, tiers, partitions, stored):
        module.forget()
