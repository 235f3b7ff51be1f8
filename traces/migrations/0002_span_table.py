"""The span table: partitioned by week, with a default partition for strange times."""

import django.db.models.deletion
from django.db import migrations, models

FORWARD = """
CREATE TABLE traces_span (
    session_id uuid NOT NULL REFERENCES traces_session (id) ON DELETE CASCADE,
    span_id varchar(16) NOT NULL,
    parent_id varchar(16) NOT NULL DEFAULT '',
    kind varchar(20) NOT NULL,
    name varchar(200) NOT NULL,
    start_ns bigint NOT NULL,
    duration_ns bigint NOT NULL DEFAULT 0 CHECK (duration_ns >= 0),
    status varchar(20) NOT NULL DEFAULT 'ok',
    status_message text NOT NULL DEFAULT '',
    model varchar(120) NOT NULL DEFAULT '',
    input_tokens integer,
    output_tokens integer,
    cost_usd numeric(14, 8),
    input jsonb,
    output jsonb,
    attributes jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (session_id, span_id, start_ns)
) PARTITION BY RANGE (start_ns);
CREATE TABLE traces_span_default PARTITION OF traces_span DEFAULT;
"""


class Migration(migrations.Migration):
    dependencies = [("traces", "0001_initial")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(FORWARD, "DROP TABLE traces_span;")],
            state_operations=[
                migrations.CreateModel(
                    name="Span",
                    fields=[
                        ("pk", models.CompositePrimaryKey("session_id", "span_id", "start_ns", blank=True, editable=False, primary_key=True, serialize=False)),
                        ("span_id", models.CharField(help_text="16 hex digits.", max_length=16)),
                        ("parent_id", models.CharField(blank=True, max_length=16)),
                        ("kind", models.CharField(choices=[("agent", "agent"), ("customer", "customer"), ("model", "model"), ("tool", "tool"), ("other", "other")], max_length=20)),
                        ("name", models.CharField(max_length=200)),
                        ("start_ns", models.BigIntegerField(help_text="Nanoseconds since 1970, UTC.")),
                        ("duration_ns", models.BigIntegerField(default=0)),
                        ("status", models.CharField(choices=[("ok", "ok"), ("error", "error"), ("running", "running"), ("waiting", "waiting")], default="ok", max_length=20)),
                        ("status_message", models.TextField(blank=True)),
                        ("model", models.CharField(blank=True, max_length=120)),
                        ("input_tokens", models.IntegerField(blank=True, null=True)),
                        ("output_tokens", models.IntegerField(blank=True, null=True)),
                        ("cost_usd", models.DecimalField(blank=True, decimal_places=8, max_digits=14, null=True)),
                        ("input", models.JSONField(blank=True, null=True)),
                        ("output", models.JSONField(blank=True, null=True)),
                        ("attributes", models.JSONField(blank=True, default=dict)),
                        ("session", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="spans", to="traces.session")),
                    ],
                    options={
                        "db_table": "traces_span",
                    },
                ),
            ],
        )
    ]
