"""A message is leased while it is sent; a webhook may reach addresses that an admin listed."""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models
from traces.at_once import AtOnce


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0021_level_rises_by_proposal'),
    ]

    operations = [AtOnce([
        pgtrigger.migrations.RemoveTrigger(
            model_name='webhook',
            name='insert_insert',
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name='webhook',
            name='update_update',
        ),
        migrations.AddField(
            model_name='message',
            name='lease_until',
            field=models.DateTimeField(blank=True, help_text='While it is being sent; then it is due again.', null=True),
        ),
        migrations.AddField(
            model_name='webhook',
            name='private_hosts',
            field=models.JSONField(blank=True, default=list, help_text='Addresses of the own network that it may reach; public ones need no entry.'),
        ),
        migrations.AddField(
            model_name='webhookevent',
            name='private_hosts',
            field=models.JSONField(blank=True, default=list, help_text='Addresses of the own network that it may reach; public ones need no entry.'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='webhook',
            trigger=pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "agents_webhookevent" ("created_at", "created_by_id", "event_names", "id", "is_on", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "private_hosts", "project_id", "secret_name", "url") VALUES (NEW."created_at", NEW."created_by_id", NEW."event_names", NEW."id", NEW."is_on", NEW."name", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."private_hosts", NEW."project_id", NEW."secret_name", NEW."url"); RETURN NULL;', hash='95329778c13ded4855a588e45a34e2d727c0e377', operation='INSERT', pgid='pgtrigger_insert_insert_aad24', table='agents_webhook', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='webhook',
            trigger=pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD.* IS DISTINCT FROM NEW.*)', func='INSERT INTO "agents_webhookevent" ("created_at", "created_by_id", "event_names", "id", "is_on", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "private_hosts", "project_id", "secret_name", "url") VALUES (NEW."created_at", NEW."created_by_id", NEW."event_names", NEW."id", NEW."is_on", NEW."name", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."private_hosts", NEW."project_id", NEW."secret_name", NEW."url"); RETURN NULL;', hash='09636f9d0c712f45d6be2f72967ded0e4a101149', operation='UPDATE', pgid='pgtrigger_update_update_a286e', table='agents_webhook', when='AFTER')),
        ),
    ])]
