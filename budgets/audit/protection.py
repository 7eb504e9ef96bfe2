"""How well the database keeps the application itself from changing the history."""

from django.db import connection

ROLE, TRIGGERS = "role", "triggers"
# This connection's role could undo the triggers if it were a superuser, or owned the table, its functions, its schema
# or the database, or could become their owner; or if it had been given the rights.
MAY_CHANGE = """
SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
    OR pg_has_role(current_user, history.relowner, 'MEMBER')
    OR pg_has_role(current_user, (SELECT nspowner FROM pg_namespace WHERE oid = history.relnamespace), 'MEMBER')
    OR pg_has_role(current_user, (SELECT datdba FROM pg_database WHERE datname = current_database()), 'MEMBER')
    OR has_table_privilege(history.oid, 'UPDATE') OR has_table_privilege(history.oid, 'DELETE')
    OR has_table_privilege(history.oid, 'TRUNCATE') OR has_table_privilege(history.oid, 'TRIGGER')
    OR EXISTS (
        SELECT 1 FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
        WHERE tgrelid = history.oid AND NOT tgisinternal AND pg_has_role(current_user, proowner, 'MEMBER'))
FROM pg_class AS history WHERE history.oid = 'budgets_auditentry'::regclass
"""
OFF = """
SELECT tgname::text FROM pg_trigger
WHERE tgrelid = 'budgets_auditentry'::regclass AND NOT tgisinternal AND tgenabled NOT IN ('O', 'A') ORDER BY tgname
"""
WORDS = {
    ROLE: "The application's database role can only add to the history: the table belongs to another role.",
    TRIGGERS: "The history is protected by triggers only: the application's database role owns it or is a superuser.",
}


def protection() -> str:
    """ROLE: this connection's role can read and append only, whatever it tries. TRIGGERS: it could remove those."""
    with connection.cursor() as cursor:
        cursor.execute(MAY_CHANGE)
        return TRIGGERS if cursor.fetchone()[0] else ROLE


def disabled_triggers() -> list[str]:
    """Triggers of the history that somebody switched off."""
    with connection.cursor() as cursor:
        cursor.execute(OFF)
        return [name for (name,) in cursor.fetchall()]
