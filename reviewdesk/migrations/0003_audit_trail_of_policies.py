"""The audit trail of trace policies, erasures and prices is only ever added to."""

from django.db import migrations

TABLES = ("traces_erasureevent", "traces_modelpriceevent", "traces_tracepolicyevent")

FORWARD = "".join(
    f"CREATE TRIGGER trail_is_not_emptied BEFORE TRUNCATE ON {table}"
    " EXECUTE FUNCTION reviewdesk_audit_trail_is_kept();\n"
    for table in TABLES
)
REVERSE = "".join(f"DROP TRIGGER trail_is_not_emptied ON {table};\n" for table in TABLES)


class Migration(migrations.Migration):
    dependencies = [
        ("reviewdesk", "0002_audit_trail_is_kept"),
        ("traces", "0005_any_trace"),
    ]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
