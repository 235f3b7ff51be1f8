"""Every move of a tool's circuit breaker is kept."""

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models
from traces.at_once import AtOnce


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0018_one_open_review_per_step'),
        ('pghistory', '0007_auto_20250421_0444'),
        ('traces', '0013_unclaimed_scores'),
    ]

    operations = [
        migrations.CreateModel(
            name='ToolGuardEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('id', models.BigIntegerField()),
                ('tool', models.CharField(max_length=80)),
                ('breaker', models.CharField(choices=[('closed', 'closed'), ('open', 'open'), ('half_open', 'half-open')], default='closed', max_length=20)),
                ('num_failures', models.PositiveIntegerField(default=0, help_text='In a row.')),
                ('num_opened', models.PositiveIntegerField(default=0, help_text='In a row; the wait grows.')),
                ('opened_at', models.DateTimeField(blank=True, null=True)),
                ('probe_at', models.DateTimeField(blank=True, null=True)),
                ('last_error', models.CharField(blank=True, max_length=500)),
            ],
            options={
                'abstract': False,
            },
        ),
        AtOnce([
            pgtrigger.migrations.AddTrigger(
                model_name='toolguard',
                trigger=pgtrigger.compiler.Trigger(name='breaker_update', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."breaker" IS DISTINCT FROM (NEW."breaker") OR OLD."probe_at" IS DISTINCT FROM (NEW."probe_at"))', func='INSERT INTO "agents_toolguardevent" ("breaker", "id", "last_error", "num_failures", "num_opened", "opened_at", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "probe_at", "project_id", "tool") VALUES (NEW."breaker", NEW."id", NEW."last_error", NEW."num_failures", NEW."num_opened", NEW."opened_at", _pgh_attach_context(), NOW(), \'breaker\', NEW."id", NEW."probe_at", NEW."project_id", NEW."tool"); RETURN NULL;', hash='0149f7f6b1a1974abc764fc18db5ffabe2ebcfca', operation='UPDATE', pgid='pgtrigger_breaker_update_b287d', table='agents_toolguard', when='AFTER')),
            ),
            migrations.AddField(
                model_name='toolguardevent',
                name='pgh_context',
                field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='pghistory.context'),
            ),
            migrations.AddField(
                model_name='toolguardevent',
                name='pgh_obj',
                field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='agents.toolguard'),
            ),
            migrations.AddField(
                model_name='toolguardevent',
                name='project',
                field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='traces.project'),
            ),
            pgtrigger.migrations.AddTrigger(
                model_name='toolguardevent',
                trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='1b6b58f2d4efb44f9b6e516c974407f516ccb102', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_77d48', table='agents_toolguardevent', when='BEFORE')),
            ),
        ]),
    ]
