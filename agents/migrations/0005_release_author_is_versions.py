"""A release's author is its version's author, also where one of them is nobody.

The composite foreign key of 0003 is not checked when `author_id` is null, which would let a row
without an author be decided by the version's author.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION agents_release_author_is_versions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.author_id IS DISTINCT FROM (
        SELECT author_id FROM agents_version WHERE id = NEW.version_id
    ) THEN
        RAISE EXCEPTION 'the author of release % is not the author of version %',
            NEW.id, NEW.version_id USING ERRCODE = 'check_violation',
            CONSTRAINT = 'release_author_is_versions';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER release_author_is_versions BEFORE INSERT OR UPDATE ON agents_release
    FOR EACH ROW EXECUTE FUNCTION agents_release_author_is_versions();
"""

REVERSE = """
DROP TRIGGER release_author_is_versions ON agents_release;
DROP FUNCTION agents_release_author_is_versions();
"""


class Migration(migrations.Migration):
    dependencies = [("agents", "0004_release_evidence")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
