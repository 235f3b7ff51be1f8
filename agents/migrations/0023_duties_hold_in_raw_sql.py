"""Two people stay two, a planted call stays planted, and a call is undone once."""

from django.db import migrations

FORWARD = """
CREATE TRIGGER approval_is_asked_before_its_votes BEFORE INSERT ON agents_toolapproval
    FOR EACH ROW WHEN (
        NEW.status IN ('approved', 'edited') AND NEW.kind = 'approval' AND NEW.num_needed > 1
    )
    EXECUTE FUNCTION agents_approval_has_its_votes();

CREATE FUNCTION agents_approval_keeps_its_terms() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the call % was asked for % people, planted: %; neither is taken back',
        OLD.id, OLD.num_needed, OLD.is_canary
        USING ERRCODE = 'check_violation', CONSTRAINT = 'approval_keeps_its_terms';
END $$;
CREATE TRIGGER approval_keeps_its_terms BEFORE UPDATE ON agents_toolapproval
    FOR EACH ROW WHEN (
        NEW.num_needed < OLD.num_needed OR (OLD.is_canary AND NOT NEW.is_canary)
    )
    EXECUTE FUNCTION agents_approval_keeps_its_terms();

CREATE FUNCTION agents_call_is_undone_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the call % is % already; it is settled once', OLD.id, OLD.status
        USING ERRCODE = 'check_violation', CONSTRAINT = 'call_is_undone_once';
END $$;
CREATE TRIGGER call_is_undone_once BEFORE UPDATE ON agents_undoablecall
    FOR EACH ROW WHEN (
        OLD.status IN ('undone', 'kept') AND NEW.status <> OLD.status
    )
    EXECUTE FUNCTION agents_call_is_undone_once();
"""

REVERSE = """
DROP TRIGGER call_is_undone_once ON agents_undoablecall;
DROP FUNCTION agents_call_is_undone_once();
DROP TRIGGER approval_keeps_its_terms ON agents_toolapproval;
DROP FUNCTION agents_approval_keeps_its_terms();
DROP TRIGGER approval_is_asked_before_its_votes ON agents_toolapproval;
"""


class Migration(migrations.Migration):
    dependencies = [("agents", "0022_message_is_leased_while_sent")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
