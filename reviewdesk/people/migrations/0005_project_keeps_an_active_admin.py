"""The admin whom a project keeps is one who can sign in: a closed account manages nothing.

An account cannot be closed while it is the only active admin of a project.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION people_check_active_admin(checked_id bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- Locked, so that two admins who remove each other at once follow one another.
    PERFORM 1 FROM traces_project WHERE id = checked_id FOR NO KEY UPDATE;
    IF FOUND AND NOT EXISTS (
        SELECT 1 FROM people_membership JOIN people_user ON people_user.id = user_id
        WHERE project_id = checked_id AND role = 'admin' AND is_active
    ) THEN
        RAISE EXCEPTION 'project % would be left without an admin', checked_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'project_keeps_an_admin';
    END IF;
END $$;

CREATE OR REPLACE FUNCTION people_project_keeps_an_admin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM people_check_active_admin(OLD.project_id);
    RETURN NULL;
END $$;

CREATE FUNCTION people_closed_account_leaves_an_admin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM people_check_active_admin(project_id) FROM (
        SELECT project_id FROM people_membership
        WHERE user_id = NEW.id AND role = 'admin' ORDER BY project_id
    ) AS theirs;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER closed_account_leaves_an_admin AFTER UPDATE ON people_user
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.is_active AND NOT NEW.is_active)
    EXECUTE FUNCTION people_closed_account_leaves_an_admin();
"""

REVERSE = """
DROP TRIGGER closed_account_leaves_an_admin ON people_user;
DROP FUNCTION people_closed_account_leaves_an_admin();
CREATE OR REPLACE FUNCTION people_project_keeps_an_admin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM traces_project WHERE id = OLD.project_id FOR NO KEY UPDATE;
    IF FOUND AND NOT EXISTS (
        SELECT 1 FROM people_membership WHERE project_id = OLD.project_id AND role = 'admin'
    ) THEN
        RAISE EXCEPTION 'project % would be left without an admin', OLD.project_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'project_keeps_an_admin';
    END IF;
    RETURN NULL;
END $$;
DROP FUNCTION people_check_active_admin(bigint);
"""


class Migration(migrations.Migration):
    dependencies = [("people", "0004_project_keeps_an_admin")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
