"""Sums per day, and what notes which days change."""

import django.db.models.deletion
from django.db import migrations, models


# One row per statement and day, whatever wrote: updates only where something counted has changed.
TRIGGERS = """
CREATE FUNCTION traces_note_days_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO traces_daydue (project_id, day)
    SELECT DISTINCT project_id, (started_at AT TIME ZONE 'UTC')::date FROM new_rows;
    RETURN NULL;
END $$;
CREATE FUNCTION traces_note_days_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO traces_daydue (project_id, day)
    SELECT DISTINCT project_id, (started_at AT TIME ZONE 'UTC')::date FROM old_rows;
    RETURN NULL;
END $$;
CREATE FUNCTION traces_note_days_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO traces_daydue (project_id, day)
    SELECT DISTINCT changed.project_id, (changed.started_at AT TIME ZONE 'UTC')::date
    FROM new_rows AS now JOIN old_rows AS before USING (id),
        LATERAL (VALUES (before.project_id, before.started_at), (now.project_id, now.started_at))
            AS changed (project_id, started_at)
    WHERE (now.project_id, now.started_at, now.is_golden, now.agent_name, now.status,
            now.num_spans, now.num_errors, now.cost_usd)
        IS DISTINCT FROM (before.project_id, before.started_at, before.is_golden,
            before.agent_name, before.status, before.num_spans, before.num_errors, before.cost_usd);
    RETURN NULL;
END $$;
CREATE TRIGGER note_days_inserted AFTER INSERT ON traces_session
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION traces_note_days_inserted();
CREATE TRIGGER note_days_deleted AFTER DELETE ON traces_session
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION traces_note_days_deleted();
CREATE TRIGGER note_days_updated AFTER UPDATE ON traces_session
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION traces_note_days_updated();
INSERT INTO traces_daydue (project_id, day)
SELECT DISTINCT project_id, (started_at AT TIME ZONE 'UTC')::date FROM traces_session;
"""
BACK = """
DROP TRIGGER note_days_inserted ON traces_session;
DROP TRIGGER note_days_deleted ON traces_session;
DROP TRIGGER note_days_updated ON traces_session;
DROP FUNCTION traces_note_days_inserted();
DROP FUNCTION traces_note_days_deleted();
DROP FUNCTION traces_note_days_updated();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('traces', '0009_session_list_indexes'),
    ]

    operations = [
        migrations.CreateModel(
            name='DayDue',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('project_id', models.BigIntegerField()),
                ('day', models.DateField()),
            ],
        ),
        migrations.CreateModel(
            name='CountedDay',
            fields=[
                ('pk', models.CompositePrimaryKey('project_id', 'day', blank=True, editable=False, primary_key=True, serialize=False)),
                ('day', models.DateField()),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='traces.project')),
            ],
        ),
        migrations.CreateModel(
            name='SessionDay',
            fields=[
                ('pk', models.CompositePrimaryKey('project_id', 'day', 'agent_name', blank=True, editable=False, primary_key=True, serialize=False)),
                ('day', models.DateField()),
                ('agent_name', models.CharField(blank=True, max_length=120)),
                ('num_sessions', models.PositiveIntegerField()),
                ('num_ended', models.PositiveIntegerField()),
                ('num_with_errors', models.PositiveIntegerField()),
                ('num_costs', models.PositiveIntegerField()),
                ('mean_cost', models.FloatField(null=True)),
                ('deviation_cost', models.FloatField(null=True)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='traces.project')),
            ],
        ),
        migrations.CreateModel(
            name='ToolDay',
            fields=[
                ('pk', models.CompositePrimaryKey('project_id', 'day', 'agent_name', 'tool', blank=True, editable=False, primary_key=True, serialize=False)),
                ('day', models.DateField()),
                ('agent_name', models.CharField(blank=True, max_length=120)),
                ('tool', models.CharField(max_length=200)),
                ('num_calls', models.PositiveIntegerField()),
                ('num_failed', models.PositiveIntegerField()),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='traces.project')),
            ],
        ),
        migrations.RunSQL(TRIGGERS, BACK),
    ]
