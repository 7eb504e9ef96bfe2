"""A merged workflow points at one that is not merged: the database refuses chains and circles at commit."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION budgets_workflow_alias_is_flat() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM budgets_workflow own JOIN budgets_workflow other ON other.id = own.merged_into_id
        WHERE other.merged_into_id IS NOT NULL AND NEW.id IN (own.id, other.id)
    ) THEN
        RAISE EXCEPTION 'workflow % is merged into one that is merged itself', NEW.slug USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER workflow_alias_is_flat AFTER INSERT OR UPDATE OF merged_into_id ON budgets_workflow
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.merged_into_id IS NOT NULL)
EXECUTE FUNCTION budgets_workflow_alias_is_flat();
"""
BACKWARD = """
DROP TRIGGER workflow_alias_is_flat ON budgets_workflow;
DROP FUNCTION budgets_workflow_alias_is_flat();
"""


class Migration(migrations.Migration):
    dependencies = [("budgets", "0010_state_by_end")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
