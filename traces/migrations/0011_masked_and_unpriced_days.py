"""Sums per day of what was masked, and of calls without a price."""

import django.db.models.deletion
from django.db import migrations, models

# Values may be masked in a session without a change of anything else that is counted.
NOTE_MASKED = """
CREATE OR REPLACE FUNCTION traces_note_days_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO traces_daydue (project_id, day)
    SELECT DISTINCT changed.project_id, (changed.started_at AT TIME ZONE 'UTC')::date
    FROM new_rows AS now JOIN old_rows AS before USING (id),
        LATERAL (VALUES (before.project_id, before.started_at), (now.project_id, now.started_at))
            AS changed (project_id, started_at)
    WHERE (now.project_id, now.started_at, now.is_golden, now.agent_name, now.status,
            now.num_spans, now.num_errors, now.cost_usd, now.masked)
        IS DISTINCT FROM (before.project_id, before.started_at, before.is_golden,
            before.agent_name, before.status, before.num_spans, before.num_errors, before.cost_usd,
            before.masked);
    RETURN NULL;
END $$;
INSERT INTO traces_daydue (project_id, day)
SELECT DISTINCT project_id, (started_at AT TIME ZONE 'UTC')::date FROM traces_session;
"""


class Migration(migrations.Migration):
    dependencies = [("traces", "0010_counted_days")]

    operations = [
        migrations.CreateModel(
            name="MaskedDay",
            fields=[
                ("pk", models.CompositePrimaryKey("project_id", "day", "kind", blank=True, editable=False, primary_key=True, serialize=False)),
                ("day", models.DateField()),
                ("kind", models.CharField(max_length=60)),
                ("num_values", models.PositiveBigIntegerField()),
                ("project", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="traces.project")),
            ],
        ),
        migrations.CreateModel(
            name="UnpricedDay",
            fields=[
                ("pk", models.CompositePrimaryKey("project_id", "day", "model", blank=True, editable=False, primary_key=True, serialize=False)),
                ("day", models.DateField()),
                ("model", models.CharField(max_length=120)),
                ("num_calls", models.PositiveIntegerField()),
                ("project", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="traces.project")),
            ],
        ),
        migrations.RunSQL(NOTE_MASKED, migrations.RunSQL.noop),
    ]
