"""A release keeps its agent, its version and who asked for it.

The rule that nobody decides on their own release compares with `requested_by`: whoever could
change it afterwards could approve what they asked for.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION agents_release_keeps_its_requester() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'release % keeps its agent, its version and who asked for it', OLD.id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'release_keeps_its_requester';
END $$;
CREATE TRIGGER release_keeps_its_requester BEFORE UPDATE ON agents_release
    FOR EACH ROW WHEN (
        (OLD.agent_id, OLD.version_id, OLD.requested_by_id)
        IS DISTINCT FROM (NEW.agent_id, NEW.version_id, NEW.requested_by_id)
    ) EXECUTE FUNCTION agents_release_keeps_its_requester();
"""

REVERSE = """
DROP TRIGGER release_keeps_its_requester ON agents_release;
DROP FUNCTION agents_release_keeps_its_requester();
"""


class Migration(migrations.Migration):
    dependencies = [("agents", "0009_approval_is_decided_once")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
