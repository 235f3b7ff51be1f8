"""The audit trail of decisions, stops, budgets, incidents and connections is only added to."""

from django.db import migrations

TABLES = (
    "agents_approvalvoteevent",
    "agents_budgetevent",
    "agents_effectreviewevent",
    "agents_incidentevent",
    "agents_killswitchevent",
    "agents_levelproposalevent",
    "agents_scheduleevent",
    "agents_tooldefinitionevent",
    "agents_toolsourceevent",
    "agents_undoablecallevent",
    "agents_webhookevent",
)

FORWARD = "".join(
    f"CREATE TRIGGER trail_is_not_emptied BEFORE TRUNCATE ON {table}"
    " EXECUTE FUNCTION reviewdesk_audit_trail_is_kept();\n"
    for table in TABLES
)
REVERSE = "".join(f"DROP TRIGGER trail_is_not_emptied ON {table};\n" for table in TABLES)


class Migration(migrations.Migration):
    dependencies = [
        ("reviewdesk", "0003_audit_trail_of_policies"),
        ("agents", "0011_authority_and_limits"),
    ]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
