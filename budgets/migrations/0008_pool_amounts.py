"""The trigger that keeps children within their pool, judged when a transaction commits."""

from django.db import migrations, models

# Deferred, so that a transaction may lower one child after it raised another. The pool's row is locked before its
# children are summed: of two transactions that each raise a child, the second waits and then sees the first.
# Errors are check violations (23514) that name the constraint `budget_pool_amounts`.
FUNCTION = """
CREATE FUNCTION budgets_hold_pool() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    parent budgets_budget;
    children bigint;
    given numeric;
    shares numeric;
    unlike bigint;
BEGIN
    SELECT * INTO parent FROM budgets_budget
        WHERE id = coalesce((SELECT pool_id FROM budgets_budget WHERE id = NEW.id), NEW.id)
        FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT count(*), coalesce(sum(amount), 0), coalesce(sum(pool_share), 0), count(*) FILTER (
        WHERE metric <> parent.metric OR period <> parent.period
            OR starts_on IS DISTINCT FROM parent.starts_on OR ends_on IS DISTINCT FROM parent.ends_on
    ) INTO children, given, shares, unlike
        FROM budgets_budget WHERE pool_id = parent.id AND status <> 'archived';
    IF children = 0 THEN
        RETURN NULL;
    ELSIF parent.sharing = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'budget_pool_amounts',
            MESSAGE = format('"%s" is no pool, yet %s budgets share it.', parent.name, children);
    ELSIF parent.status = 'archived' THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'budget_pool_amounts',
            MESSAGE = format('The pool "%s" cannot be archived while %s budgets share it.', parent.name, children);
    ELSIF unlike > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'budget_pool_amounts',
            MESSAGE = format('Budgets of the pool "%s" must count the same, over the same time.', parent.name);
    ELSIF given > parent.amount THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'budget_pool_amounts',
            MESSAGE = format('The budgets of the pool "%s" would have more than the pool.', parent.name);
    ELSIF shares > 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'budget_pool_amounts',
            MESSAGE = format('The shares of the pool "%s" come to more than all of it.', parent.name);
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER budget_pool_amounts AFTER INSERT ON budgets_budget
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.pool_id IS NOT NULL OR NEW.sharing <> '')
    EXECUTE FUNCTION budgets_hold_pool();
CREATE CONSTRAINT TRIGGER budget_pool_amounts_changed
    AFTER UPDATE OF amount, pool_id, pool_share, sharing, status, metric, period, starts_on, ends_on ON budgets_budget
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.pool_id IS NOT NULL OR NEW.sharing <> '' OR OLD.sharing <> '')
    EXECUTE FUNCTION budgets_hold_pool();
"""
BACK = """
DROP TRIGGER budget_pool_amounts ON budgets_budget;
DROP TRIGGER budget_pool_amounts_changed ON budgets_budget;
DROP FUNCTION budgets_hold_pool();
"""


class Migration(migrations.Migration):
    dependencies = [("budgets", "0007_audit_chain")]

    operations = [
        migrations.AddField(
            model_name="budget",
            name="shared_on",
            field=models.DateField(
                blank=True, editable=False, help_text="Of a pool: its last nightly turn.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="budget",
            name="pool_share",
            field=models.DecimalField(
                blank=True,
                decimal_places=4,
                help_text="Share of the pool's amount, 0 to 1: what it gets where shares are fixed, else the least it gets.",
                max_digits=5,
                null=True,
            ),
        ),
        migrations.RunSQL(FUNCTION, BACK),
    ]
