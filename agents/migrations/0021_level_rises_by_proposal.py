"""A level rises only by a proposal that another person granted in the same transaction.

That also holds for what raises it in effect: a candidate that has proven itself, and an acting
level bound to another contract. Loading the demo, whose past never was, says so with the setting
`reviewdesk.authority_reset` of its own transaction; what it writes is in the audit trail like
everything else.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION agents_level_rises_by_proposal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    levels CONSTANT text[] := ARRAY['off', 'suggest', 'approve', 'act_with_undo', 'autonomous'];
    before integer := array_position(levels, OLD.level::text);
    after integer := array_position(levels, NEW.level::text);
    acting CONSTANT integer := 4;
BEGIN
    IF (
        after > before
        OR (after >= acting AND OLD.candidate_since IS NOT NULL AND NEW.candidate_since IS NULL)
        OR (after >= acting AND OLD.contract_version <> NEW.contract_version)
    )
    AND coalesce(current_setting('reviewdesk.authority_reset', true), '') <> 'demo'
    AND NOT EXISTS (
        SELECT 1 FROM agents_levelproposal
        WHERE agent_tool_id = NEW.id AND status = 'granted' AND to_level = NEW.level
            AND decided_by_id <> proposed_by_id AND decided_at >= transaction_timestamp()
    ) THEN
        RAISE EXCEPTION '% cannot go from % to % without a proposal that another person grants',
            NEW.name, OLD.level, NEW.level
            USING ERRCODE = 'check_violation', CONSTRAINT = 'level_rises_by_proposal';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER level_rises_by_proposal
    BEFORE UPDATE OF level, candidate_since, contract_version ON agents_agenttool
    FOR EACH ROW EXECUTE FUNCTION agents_level_rises_by_proposal();
"""

REVERSE = """
DROP TRIGGER level_rises_by_proposal ON agents_agenttool;
DROP FUNCTION agents_level_rises_by_proposal();
"""


class Migration(migrations.Migration):
    dependencies = [("agents", "0020_find_runs_in_progress")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
