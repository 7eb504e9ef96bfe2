"""What is said of a database in a backup, and compared after restoring."""

from typing import Any

import psycopg

# Apps whose migrations are this product's own.
OWN = ("budgets", "usage", "routing", "reports")
FACTS = """
SELECT jsonb_build_object(
    'organisation', (SELECT name FROM budgets_organisation WHERE id = 1),
    'ledger_rows', (SELECT count(*) FROM usage_ledger),
    'ledger_cost', (SELECT coalesce(sum(cost), 0)::text FROM usage_ledger),
    'ledger_tokens', (SELECT coalesce(sum(input_tokens + output_tokens), 0)::text FROM usage_ledger),
    'budgets', (SELECT count(*) FROM budgets_budget),
    'workflows', (SELECT count(*) FROM budgets_workflow),
    'people', (SELECT count(*) FROM auth_user),
    'history', (SELECT count(*) FROM budgets_auditentry),
    'history_digest', (SELECT encode(digest, 'hex') FROM budgets_auditentry ORDER BY position DESC LIMIT 1),
    'epoch', (SELECT epoch FROM routing_bundleepoch WHERE id = 1)
)
"""
MIGRATIONS = "SELECT app, name FROM django_migrations WHERE app = ANY(%s) ORDER BY app, name"


def server_major(connection: "psycopg.Connection[Any]") -> int:
    return connection.info.server_version // 10_000


def is_used(connection: "psycopg.Connection[Any]") -> bool:
    """Whether TokenOps has made its tables there."""
    found = connection.execute("SELECT to_regclass('django_migrations') IS NOT NULL").fetchone()
    return bool(found and found[0])


def facts_of(connection: "psycopg.Connection[Any]") -> dict[str, Any]:
    """Counts and sums, from the transaction's snapshot. `ledger_cost` is in nano-dollars."""
    found = connection.execute(FACTS).fetchone()
    assert found is not None
    return dict(found[0])


def migrations_of(connection: "psycopg.Connection[Any]") -> list[list[str]]:
    return [[app, name] for app, name in connection.execute(MIGRATIONS, [list(OWN)]).fetchall()]


def in_words(facts: dict[str, Any]) -> str:
    """ "40,000 ledger rows, 12 budgets, 310 rows of history"."""
    cost = int(facts["ledger_cost"]) / 10**9
    return (
        f"{facts['ledger_rows']:,} ledger rows, ${cost:,.2f}, {facts['budgets']:,} budgets,"
        f" {facts['history']:,} rows of history"
    )
