"""The organisation's one row, the reserved workflow, and the trigger that keeps the history append-only."""

from django.db import migrations

FIRST_ROWS = """
INSERT INTO budgets_organisation (id, name, time_zone, currency, fiscal_year_starts, generation, state_version, is_demo)
VALUES (1, 'My company', 'UTC', 'USD', 1, 1, 0, false) ON CONFLICT DO NOTHING;
INSERT INTO budgets_workflow (slug, name, status, value_weight, risk_categories, guardrails, pause_reason, created_at)
VALUES ('unassigned', 'No workflow yet', 'reserved', 1, '[]', '{}', '', now()) ON CONFLICT DO NOTHING;
"""

APPEND_ONLY = """
CREATE FUNCTION budgets_refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE EXCEPTION 'history is append-only' USING ERRCODE = 'restrict_violation'; END$$;
CREATE TRIGGER budgets_auditentry_append_only BEFORE UPDATE OR DELETE ON budgets_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION budgets_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("budgets", "0001_initial")]

    operations = [
        migrations.RunSQL(FIRST_ROWS, migrations.RunSQL.noop),
        migrations.RunSQL(APPEND_ONLY, "DROP FUNCTION budgets_refuse_change CASCADE"),
    ]
