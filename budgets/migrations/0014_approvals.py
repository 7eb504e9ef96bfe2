"""Approval rules of a fresh installation; what each of two approvers allows; keys of the same name kept apart."""

from django.db import migrations, models

# Where there are none: a backup that is restored brings its own, and then this does nothing.
FIRST_RULES = """
INSERT INTO budgets_approvalrule
    (position, name, kinds, risk_category, above, role, approvers_needed, second_after_hours, remind_before_hours,
     lapses_after_hours, edit_version)
SELECT * FROM (VALUES
    (1, 'Large amounts', '{}'::varchar(8)[], '', 500000000000::bigint, 'approver', 2, 8, 12, 72, 1),
    (2, 'Everything else', '{}'::varchar(8)[], '', NULL::bigint, 'approver', 1, 8, 12, 72, 1)
) AS first WHERE NOT EXISTS (SELECT FROM budgets_approvalrule);
"""


class Migration(migrations.Migration):
    dependencies = [("budgets", "0013_people_approvals_alerts")]

    operations = [
        migrations.AddField(
            model_name="approvalvote",
            name="ceiling",
            field=models.BigIntegerField(null=True, blank=True, help_text="Nano-dollars that they allow at most."),
        ),
        migrations.AlterField(
            model_name="approvalrequest",
            name="before",
            field=models.JSONField(
                null=True, help_text="The budget as it was when this was asked, and the row of history of its raise."
            ),
        ),
        migrations.RemoveConstraint(model_name="approvalrequest", name="approval_request_once"),
        migrations.AddConstraint(
            model_name="approvalrequest",
            constraint=models.UniqueConstraint(
                fields=["requested_text", "api_key", "idempotency_key"],
                nulls_distinct=False,
                condition=~models.Q(idempotency_key=""),
                name="approval_request_once",
            ),
        ),
        migrations.RunSQL(FIRST_RULES, migrations.RunSQL.noop),
    ]
