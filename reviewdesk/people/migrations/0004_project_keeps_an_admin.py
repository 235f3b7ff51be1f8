"""A project that has had an admin keeps one, whatever changes the rows.

Checked when the transaction ends, so that a project can be deleted with its members.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION people_project_keeps_an_admin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Locked, so that two admins who remove each other at once follow one another.
    PERFORM 1 FROM traces_project WHERE id = OLD.project_id FOR NO KEY UPDATE;
    IF FOUND AND NOT EXISTS (
        SELECT 1 FROM people_membership WHERE project_id = OLD.project_id AND role = 'admin'
    ) THEN
        RAISE EXCEPTION 'project % would be left without an admin', OLD.project_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'project_keeps_an_admin';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER project_keeps_an_admin AFTER UPDATE OR DELETE ON people_membership
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.role = 'admin') EXECUTE FUNCTION people_project_keeps_an_admin();
"""

REVERSE = """
DROP TRIGGER project_keeps_an_admin ON people_membership;
DROP FUNCTION people_project_keeps_an_admin();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("people", "0003_membership_delete_events"),
        ("traces", "0001_initial"),
    ]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
