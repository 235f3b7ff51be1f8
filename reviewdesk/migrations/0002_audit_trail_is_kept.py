"""The audit trail's lines and their contexts (who and why) are only ever added.

pghistory's own triggers keep single lines. Here are the rest: nobody empties the tables, and a
context changes only in the transaction that wrote it, because pghistory adds to it there.
"""

from django.db import migrations

TABLES = (
    "agents_agentevent",
    "agents_agenttoolevent",
    "agents_ceilingliftevent",
    "agents_goldentestevent",
    "agents_releaseevent",
    "agents_toolapprovalevent",
    "people_membershipevent",
    "pghistory_context",
    "traces_apikeyevent",
    "traces_labelevent",
)

FORWARD = """
CREATE FUNCTION reviewdesk_audit_trail_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is kept: no % of %', TG_OP, TG_TABLE_NAME;
END $$;

-- now() is when the transaction began: in the one that wrote a context it is its created_at.
CREATE TRIGGER context_is_kept BEFORE UPDATE ON pghistory_context FOR EACH ROW
    WHEN (OLD.created_at <> now() OR (NEW.id, NEW.created_at) <> (OLD.id, OLD.created_at))
    EXECUTE FUNCTION reviewdesk_audit_trail_is_kept();
CREATE TRIGGER context_is_not_deleted BEFORE DELETE ON pghistory_context FOR EACH ROW
    EXECUTE FUNCTION reviewdesk_audit_trail_is_kept();
""" + "".join(
    f"CREATE TRIGGER trail_is_not_emptied BEFORE TRUNCATE ON {table}"
    " EXECUTE FUNCTION reviewdesk_audit_trail_is_kept();\n"
    for table in TABLES
)

REVERSE = """
DROP FUNCTION reviewdesk_audit_trail_is_kept() CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0009_approval_is_decided_once"),
        ("people", "0005_project_keeps_an_active_admin"),
        ("pghistory", "0007_auto_20250421_0444"),
        ("reviewdesk", "0001_pgmq"),
        ("traces", "0004_search_customer_too"),
    ]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
