"""The audit trail of judges and of the gate's rules is only added to."""

from django.db import migrations

TABLES = ("agents_gatepolicyevent", "agents_judgeevent")

FORWARD = "".join(
    f"CREATE TRIGGER trail_is_not_emptied BEFORE TRUNCATE ON {table}"
    " EXECUTE FUNCTION reviewdesk_audit_trail_is_kept();\n"
    for table in TABLES
)
REVERSE = "".join(f"DROP TRIGGER trail_is_not_emptied ON {table};\n" for table in TABLES)


class Migration(migrations.Migration):
    dependencies = [("reviewdesk", "0006_audit_trail_of_breakers"), ("agents", "0024_proof")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
