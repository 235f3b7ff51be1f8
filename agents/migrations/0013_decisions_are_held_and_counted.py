"""A decision may be taken back until it leaves; a call that needs several people has their votes.

Replaces the rule of 0009: until `leaves_at` a decided and unused call may become `waiting` again,
with nothing of the decision left. A call that needs several people becomes approved or edited only
when as many have voted for exactly the arguments that run. Nobody votes after the decision.
"""

from django.db import migrations

FORWARD = """
CREATE OR REPLACE FUNCTION agents_approval_is_decided_once() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    allowed agents_toolapproval := OLD;
BEGIN
    IF OLD.kind = 'approval' AND NEW.status = 'waiting' AND OLD.consumed_at IS NULL
        AND OLD.status IN ('approved', 'edited', 'rejected', 'responded')
        AND OLD.leaves_at > clock_timestamp()
    THEN
        allowed.status := 'waiting';
        allowed.decided_by_id := NULL;
        allowed.decided_at := NULL;
        allowed.decided_arguments := NULL;
        allowed.leaves_at := NULL;
        allowed.message := '';
    ELSIF OLD.kind = 'approval' AND OLD.status IN ('approved', 'edited')
        AND OLD.consumed_at IS NULL
    THEN
        IF NEW.status = 'void' THEN
            allowed.status := NEW.status;
            allowed.message := NEW.message;
        ELSE
            allowed.consumed_at := NEW.consumed_at;
        END IF;
    END IF;
    IF NEW IS DISTINCT FROM allowed THEN
        RAISE EXCEPTION 'the call % is % already; a decision is made once', OLD.id, OLD.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'approval_is_decided_once';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION agents_approval_has_its_votes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    num_votes integer;
BEGIN
    SELECT count(DISTINCT by_id) INTO num_votes FROM agents_approvalvote
        WHERE approval_id = NEW.id;
    IF num_votes < NEW.num_needed THEN
        RAISE EXCEPTION 'the call % needs % people, % agreed', NEW.id, NEW.num_needed, num_votes
            USING ERRCODE = 'check_violation', CONSTRAINT = 'approval_has_its_votes';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER approval_has_its_votes BEFORE UPDATE ON agents_toolapproval
    FOR EACH ROW WHEN (
        OLD.status = 'waiting' AND NEW.status IN ('approved', 'edited')
        AND NEW.kind = 'approval' AND NEW.num_needed > 1
    )
    EXECUTE FUNCTION agents_approval_has_its_votes();
"""

REVERSE = """
DROP TRIGGER approval_has_its_votes ON agents_toolapproval;
DROP FUNCTION agents_approval_has_its_votes();
CREATE OR REPLACE FUNCTION agents_approval_is_decided_once() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    allowed agents_toolapproval := OLD;
BEGIN
    IF OLD.kind = 'approval' AND OLD.status IN ('approved', 'edited') AND OLD.consumed_at IS NULL
    THEN
        IF NEW.status = 'void' THEN
            allowed.status := NEW.status;
            allowed.message := NEW.message;
        ELSE
            allowed.consumed_at := NEW.consumed_at;
        END IF;
    END IF;
    IF NEW IS DISTINCT FROM allowed THEN
        RAISE EXCEPTION 'the call % is % already; a decision is made once', OLD.id, OLD.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'approval_is_decided_once';
    END IF;
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("agents", "0012_authority_checked")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
