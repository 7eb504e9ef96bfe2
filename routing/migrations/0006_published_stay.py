"""What is published never changes: the database says no, whoever asks. That somebody left may empty `published_by_id`."""

from django.db import migrations

STAY = """
CREATE FUNCTION routing_published_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a published policy is never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.state, NEW.number, NEW.title, NEW.note, NEW.document, NEW.published_text, NEW.published_at)
        IS DISTINCT FROM
        (OLD.state, OLD.number, OLD.title, OLD.note, OLD.document, OLD.published_text, OLD.published_at)
        OR (NEW.published_by_id IS DISTINCT FROM OLD.published_by_id AND NEW.published_by_id IS NOT NULL) THEN
        RAISE EXCEPTION 'a published policy never changes' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER routing_policyversion_changes_not BEFORE UPDATE ON routing_policyversion
    FOR EACH ROW WHEN (OLD.state = 'published') EXECUTE FUNCTION routing_published_stay();
CREATE TRIGGER routing_policyversion_goes_not BEFORE DELETE ON routing_policyversion
    FOR EACH ROW WHEN (OLD.state = 'published') EXECUTE FUNCTION routing_published_stay();
"""
BACK = """
DROP TRIGGER routing_policyversion_goes_not ON routing_policyversion;
DROP TRIGGER routing_policyversion_changes_not ON routing_policyversion;
DROP FUNCTION routing_published_stay();
"""


class Migration(migrations.Migration):
    dependencies = [("routing", "0005_opa_keys")]

    operations = [migrations.RunSQL(STAY, BACK)]
