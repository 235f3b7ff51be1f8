"""A vote that is taken back stays in the trail; a schedule that is over is archived."""

import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models
from traces.at_once import AtOnce


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0025_golden_tests_have_versions'),
        ('traces', '0014_labels_by_time'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [AtOnce([
        pgtrigger.migrations.RemoveTrigger(
            model_name='schedule',
            name='insert_insert',
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name='schedule',
            name='update_update',
        ),
        migrations.RemoveConstraint(
            model_name='schedule',
            name='schedule_name_once',
        ),
        migrations.AddField(
            model_name='schedule',
            name='archived_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='scheduleevent',
            name='archived_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='approvalvote',
            trigger=pgtrigger.compiler.Trigger(name='delete_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "agents_approvalvoteevent" ("approval_id", "arguments_hash", "by_id", "created_at", "id", "message", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."approval_id", OLD."arguments_hash", OLD."by_id", OLD."created_at", OLD."id", OLD."message", _pgh_attach_context(), NOW(), \'delete\', OLD."id"); RETURN NULL;', hash='b5c9beba0871b2dd030cfab9c95f5ccc7c8f0c9d', operation='DELETE', pgid='pgtrigger_delete_delete_f6f71', table='agents_approvalvote', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='schedule',
            trigger=pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "agents_scheduleevent" ("agent_id", "archived_at", "created_at", "created_by_id", "cron", "customer", "every_seconds", "id", "input", "is_on", "kind", "name", "overlap", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "project_id", "time_zone", "version_id") VALUES (NEW."agent_id", NEW."archived_at", NEW."created_at", NEW."created_by_id", NEW."cron", NEW."customer", NEW."every_seconds", NEW."id", NEW."input", NEW."is_on", NEW."kind", NEW."name", NEW."overlap", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."project_id", NEW."time_zone", NEW."version_id"); RETURN NULL;', hash='19e578f1b5b9b8463803a0325a63f6ef2065db7e', operation='INSERT', pgid='pgtrigger_insert_insert_5975b', table='agents_schedule', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='schedule',
            trigger=pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."agent_id" IS DISTINCT FROM (NEW."agent_id") OR OLD."archived_at" IS DISTINCT FROM (NEW."archived_at") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."created_by_id" IS DISTINCT FROM (NEW."created_by_id") OR OLD."cron" IS DISTINCT FROM (NEW."cron") OR OLD."customer" IS DISTINCT FROM (NEW."customer") OR OLD."every_seconds" IS DISTINCT FROM (NEW."every_seconds") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."input" IS DISTINCT FROM (NEW."input") OR OLD."is_on" IS DISTINCT FROM (NEW."is_on") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."overlap" IS DISTINCT FROM (NEW."overlap") OR OLD."project_id" IS DISTINCT FROM (NEW."project_id") OR OLD."time_zone" IS DISTINCT FROM (NEW."time_zone") OR OLD."version_id" IS DISTINCT FROM (NEW."version_id"))', func='INSERT INTO "agents_scheduleevent" ("agent_id", "archived_at", "created_at", "created_by_id", "cron", "customer", "every_seconds", "id", "input", "is_on", "kind", "name", "overlap", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "project_id", "time_zone", "version_id") VALUES (NEW."agent_id", NEW."archived_at", NEW."created_at", NEW."created_by_id", NEW."cron", NEW."customer", NEW."every_seconds", NEW."id", NEW."input", NEW."is_on", NEW."kind", NEW."name", NEW."overlap", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."project_id", NEW."time_zone", NEW."version_id"); RETURN NULL;', hash='460e7c92751610fb1a0e4abc98ab5083043f2b6e', operation='UPDATE', pgid='pgtrigger_update_update_a5c31', table='agents_schedule', when='AFTER')),
        ),
        migrations.AddConstraint(
            model_name='schedule',
            constraint=models.UniqueConstraint(condition=models.Q(('archived_at', None)), fields=('project', 'name'), name='schedule_name_once'),
        ),
        migrations.AddConstraint(
            model_name='schedule',
            constraint=models.CheckConstraint(condition=models.Q(('archived_at', None), ('is_on', False), _connector='OR'), name='archived_schedule_is_off'),
        ),
    ])]
