"""The audit trail of circuit breakers is only added to."""

from django.db import migrations

FORWARD = (
    "CREATE TRIGGER trail_is_not_emptied BEFORE TRUNCATE ON agents_toolguardevent"
    " EXECUTE FUNCTION reviewdesk_audit_trail_is_kept();"
)
REVERSE = "DROP TRIGGER trail_is_not_emptied ON agents_toolguardevent;"


class Migration(migrations.Migration):
    dependencies = [
        ("reviewdesk", "0005_audit_trail_of_approval_rules"),
        ("agents", "0019_breaker_is_tracked"),
    ]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
