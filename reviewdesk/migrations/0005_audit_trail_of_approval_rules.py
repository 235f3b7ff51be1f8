"""The audit trail of a project's rules for waiting calls is only added to."""

from django.db import migrations

FORWARD = (
    "CREATE TRIGGER trail_is_not_emptied BEFORE TRUNCATE ON agents_approvalrulesevent"
    " EXECUTE FUNCTION reviewdesk_audit_trail_is_kept();"
)
REVERSE = "DROP TRIGGER trail_is_not_emptied ON agents_approvalrulesevent;"


class Migration(migrations.Migration):
    dependencies = [
        ("reviewdesk", "0004_audit_trail_of_authority"),
        ("agents", "0014_approval_rules"),
    ]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
