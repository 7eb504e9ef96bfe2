"""The history is chained: a trigger numbers its rows without gaps and has each row's digest cover the one before.

The functions here are the one definition of what a digest covers; `budgets/audit/chain.py` reads the same texts from
`budgets_audit_fields` and computes the digests anew. docs/history.md describes both for strangers.
"""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import migrations, models
from django.db.models import Q

# Every column as text, in the order in which the digest takes them. NULL stays NULL.
FIELDS = """
CREATE FUNCTION budgets_audit_fields(entry budgets_auditentry) RETURNS text[] LANGUAGE sql STABLE AS $$
SELECT ARRAY[
    entry.position::text,
    to_char(entry.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    entry.who_id::text, entry.who_text, entry.origin, entry.act,
    entry.object_type, entry.object_id, entry.object_name,
    entry.before::text, entry.after::text, entry.reason
]::text[]
$$;
"""
# "<length in bytes>:<text>" and a line feed for each, "-" for NULL: no two rows give the same bytes.
DIGEST = r"""
CREATE FUNCTION budgets_audit_digest(previous bytea, entry budgets_auditentry) RETURNS bytea LANGUAGE sql STABLE AS $$
SELECT sha256(previous || convert_to(string_agg(
    coalesce(octet_length(convert_to(field, 'UTF8')) || ':' || field, '-') || E'\n', '' ORDER BY n
), 'UTF8'))
FROM unnest(budgets_audit_fields(entry)) WITH ORDINALITY AS fields(field, n)
$$;
"""
# The lock is held to the end of the transaction, so that the next writer reads a row that is there for good.
CHAIN = """
CREATE FUNCTION budgets_chain_audit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last_position bigint;
    last_digest bytea;
BEGIN
    PERFORM pg_advisory_xact_lock(7061008);
    SELECT position, digest INTO last_position, last_digest
    FROM budgets_auditentry ORDER BY position DESC LIMIT 1;
    NEW.position := coalesce(last_position, 0) + 1;
    NEW.digest := budgets_audit_digest(coalesce(last_digest, decode(repeat('00', 32), 'hex')), NEW);
    RETURN NEW;
END $$;
"""
# Whoever inserts chooses the search path; what the trigger calls must not be theirs to choose.
FIXED_PATH = """
DO $$
DECLARE one text;
BEGIN
    FOREACH one IN ARRAY ARRAY[
        'budgets_audit_fields(budgets_auditentry)', 'budgets_audit_digest(bytea, budgets_auditentry)',
        'budgets_chain_audit()', 'budgets_refuse_change()'
    ] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, %I, pg_temp', one, current_schema());
    END LOOP;
END $$;
"""
# Rows from before, in the order in which they were written; those that came after going back to an older version too.
CHAIN_EXISTING = """
ALTER TABLE budgets_auditentry DISABLE TRIGGER budgets_auditentry_append_only;
DO $$
DECLARE
    one record;
    number bigint := 0;
    last bytea := decode(repeat('00', 32), 'hex');
    entry budgets_auditentry;
BEGIN
    FOR one IN SELECT id FROM budgets_auditentry ORDER BY position NULLS LAST, id LOOP
        number := number + 1;
        SELECT * INTO entry FROM budgets_auditentry WHERE id = one.id;
        entry.position := number;
        last := budgets_audit_digest(last, entry);
        UPDATE budgets_auditentry SET position = number, digest = last WHERE id = one.id;
    END LOOP;
END $$;
ALTER TABLE budgets_auditentry ENABLE TRIGGER budgets_auditentry_append_only;
"""
TRIGGERS = """
CREATE TRIGGER budgets_auditentry_chain BEFORE INSERT ON budgets_auditentry
    FOR EACH ROW EXECUTE FUNCTION budgets_chain_audit();
CREATE TRIGGER budgets_auditentry_no_truncate BEFORE TRUNCATE ON budgets_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION budgets_refuse_change();
"""
BACK = """
DROP TRIGGER budgets_auditentry_no_truncate ON budgets_auditentry;
DROP TRIGGER budgets_auditentry_chain ON budgets_auditentry;
DROP FUNCTION budgets_chain_audit(), budgets_audit_digest(bytea, budgets_auditentry),
    budgets_audit_fields(budgets_auditentry);
"""


class Migration(migrations.Migration):
    dependencies = [("budgets", "0006_browser")]

    operations = [
        migrations.RunSQL(FIELDS + DIGEST + CHAIN + FIXED_PATH + CHAIN_EXISTING, migrations.RunSQL.noop),
        migrations.AlterField("auditentry", "position", models.BigIntegerField(editable=False)),
        migrations.AlterField("auditentry", "digest", models.BinaryField(max_length=32)),
        migrations.RunSQL(TRIGGERS, BACK),
        migrations.AlterModelOptions("auditentry", {"ordering": ["-position"], "verbose_name_plural": "audit entries"}),
        migrations.RemoveIndex("auditentry", "budgets_aud_object__64d3b5_idx"),
        *(
            migrations.AddIndex("auditentry", index)
            for index in (
                models.Index(fields=["object_type", "object_id", "position"], name="audit_by_object"),
                models.Index(fields=["object_type", "position"], name="audit_by_type"),
                models.Index(fields=["who_text", "position"], name="audit_by_who"),
                models.Index(fields=["act", "position"], name="audit_by_act"),
                models.Index(fields=["origin", "position"], name="audit_by_origin"),
                GinIndex(
                    SearchVector("who_text", "object_name", "object_id", "reason", config="simple"),
                    name="audit_by_words",
                ),
            )
        ),
        migrations.CreateModel(
            "HistoryCheck",
            [
                ("id", models.SmallAutoField(primary_key=True, serialize=False)),
                ("position", models.BigIntegerField(default=0, help_text="Proven from the first row up to this one.")),
                ("digest", models.BinaryField(max_length=32, default=bytes(32))),
                ("again_position", models.BigIntegerField(default=0, help_text="How far the next round has come.")),
                ("again_digest", models.BinaryField(max_length=32, default=bytes(32))),
                ("checked_at", models.DateTimeField(null=True)),
                ("round_at", models.DateTimeField(null=True, help_text="When all rows were last proven anew.")),
                ("problem", models.CharField(blank=True, default="", max_length=500)),
            ],
            {
                "constraints": [
                    models.CheckConstraint(condition=Q(id=1), name="history_check_is_one_row"),
                ]
            },
        ),
    ]
