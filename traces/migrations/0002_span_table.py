"""The span table: partitioned by week, with a default partition for strange times."""

from django.db import migrations

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

    operations = [migrations.RunSQL(FORWARD, "DROP TABLE traces_span;")]
