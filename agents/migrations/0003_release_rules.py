"""Rules of releases that Django's constraints cannot say.

A release's author is its version's author, and an agent's live version was approved by another
person, or had been live before.
"""

from django.db import migrations

FORWARD = """
ALTER TABLE agents_version ADD CONSTRAINT version_author_pair UNIQUE (id, author_id);
ALTER TABLE agents_release ADD CONSTRAINT release_author_is_versions
    FOREIGN KEY (version_id, author_id) REFERENCES agents_version (id, author_id)
    DEFERRABLE INITIALLY IMMEDIATE;

CREATE FUNCTION agents_live_version_is_approved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.live_version_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM agents_release
        WHERE agent_id = NEW.id AND version_id = NEW.live_version_id AND kind = 'release'
            AND decided_by_id IS NOT NULL
            AND status IN ('live', 'superseded', 'rolled_back')
    ) THEN
        RAISE EXCEPTION 'version % of agent % was not approved by another person',
            NEW.live_version_id, NEW.id USING ERRCODE = 'check_violation',
            CONSTRAINT = 'agent_live_version_is_approved';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER live_version_is_approved BEFORE INSERT OR UPDATE OF live_version_id ON agents_agent
    FOR EACH ROW EXECUTE FUNCTION agents_live_version_is_approved();
"""

REVERSE = """
DROP TRIGGER live_version_is_approved ON agents_agent;
DROP FUNCTION agents_live_version_is_approved();
ALTER TABLE agents_release DROP CONSTRAINT release_author_is_versions;
ALTER TABLE agents_version DROP CONSTRAINT version_author_pair;
"""


class Migration(migrations.Migration):
    dependencies = [("agents", "0002_initial")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
