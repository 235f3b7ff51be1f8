"""A waiting call is decided once, with its arguments, and a granted one is consumed once.

A decided row stays as it is, whatever writes to it. Only a granted call (approved or edited, not
yet consumed) changes once more: it is consumed, or becomes void and says why.
"""

from django.db import migrations, models
from django.db.models import Q

FORWARD = """
CREATE FUNCTION agents_approval_is_decided_once() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER approval_is_decided_once BEFORE UPDATE ON agents_toolapproval
    FOR EACH ROW WHEN (OLD.status <> 'waiting')
    EXECUTE FUNCTION agents_approval_is_decided_once();
"""

REVERSE = """
DROP TRIGGER approval_is_decided_once ON agents_toolapproval;
DROP FUNCTION agents_approval_is_decided_once();
"""


class Migration(migrations.Migration):
    dependencies = [("agents", "0008_eval_run_is_partial")]

    operations = [
        migrations.AddConstraint(
            model_name="toolapproval",
            constraint=models.CheckConstraint(
                condition=~Q(kind="approval", status__in=["approved", "edited"])
                | Q(decided_arguments__isnull=False),
                name="granted_call_has_its_arguments",
            ),
        ),
        migrations.AddConstraint(
            model_name="toolapproval",
            constraint=models.CheckConstraint(
                condition=Q(consumed_at__isnull=True)
                | Q(kind="approval", status__in=["approved", "edited"]),
                name="only_a_granted_call_is_consumed",
            ),
        ),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
