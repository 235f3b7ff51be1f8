"""A project's rules for waiting calls; planted runs never start; who may vote, and on what.

Replaces the count of votes of 0013: as many people as are needed have voted for exactly the
arguments that run. The person who started a run has no vote on its calls, and nobody votes after
the decision.
"""

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from decimal import Decimal
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from traces.at_once import AtOnce


FORWARD = """
CREATE OR REPLACE FUNCTION agents_approval_has_its_votes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    agreed text;
    num_votes integer;
BEGIN
    SELECT arguments_hash INTO agreed FROM agents_approvalvote
        WHERE approval_id = NEW.id AND by_id = NEW.decided_by_id;
    SELECT count(DISTINCT by_id) INTO num_votes FROM agents_approvalvote
        WHERE approval_id = NEW.id AND arguments_hash = agreed;
    IF num_votes < NEW.num_needed
        OR (NEW.status = 'approved') IS DISTINCT FROM (agreed = NEW.arguments_hash)
    THEN
        RAISE EXCEPTION 'the call % needs % people, % agreed to what would run',
            NEW.id, NEW.num_needed, num_votes
            USING ERRCODE = 'check_violation', CONSTRAINT = 'approval_has_its_votes';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION agents_vote_is_anothers() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    approval record;
BEGIN
    SELECT a.status, r.started_by_id INTO approval FROM agents_toolapproval a
        JOIN agents_run r ON r.id = a.run_id WHERE a.id = NEW.approval_id FOR SHARE OF a;
    IF approval.status <> 'waiting' THEN
        RAISE EXCEPTION 'the call % is % already; nobody votes on it any more',
            NEW.approval_id, approval.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'vote_before_decision';
    END IF;
    IF approval.started_by_id = NEW.by_id THEN
        RAISE EXCEPTION 'person % started the run of the call %', NEW.by_id, NEW.approval_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'starter_never_votes';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER vote_is_anothers BEFORE INSERT OR UPDATE ON agents_approvalvote
    FOR EACH ROW EXECUTE FUNCTION agents_vote_is_anothers();
"""

REVERSE = """
DROP TRIGGER vote_is_anothers ON agents_approvalvote;
DROP FUNCTION agents_vote_is_anothers();
CREATE OR REPLACE FUNCTION agents_approval_has_its_votes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    num_votes integer;
BEGIN
    SELECT count(DISTINCT by_id) INTO num_votes FROM agents_approvalvote
        WHERE approval_id = NEW.id;
    IF num_votes < NEW.num_needed THEN
        RAISE EXCEPTION 'the call % needs % people, % agreed', NEW.id, NEW.num_needed, num_votes
            USING ERRCODE = 'check_violation', CONSTRAINT = 'approval_has_its_votes';
    END IF;
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0013_decisions_are_held_and_counted'),
        ('pghistory', '0007_auto_20250421_0444'),
        ('traces', '0013_unclaimed_scores'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ApprovalRules',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('two_people_from_usd', models.DecimalField(decimal_places=2, default=Decimal('200'), help_text='A call that moves at least so much money needs two people.', max_digits=10)),
                ('canaries_per_week', models.PositiveSmallIntegerField(default=2, help_text='Known-bad requests planted; 0: none.')),
                ('next_canary_at', models.DateTimeField(blank=True, null=True)),
                ('reason', models.CharField(blank=True, max_length=500)),
                ('changed_at', models.DateTimeField(auto_now=True)),
            ],
        ),
        migrations.CreateModel(
            name='ApprovalRulesEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('id', models.BigIntegerField()),
                ('two_people_from_usd', models.DecimalField(decimal_places=2, default=Decimal('200'), help_text='A call that moves at least so much money needs two people.', max_digits=10)),
                ('canaries_per_week', models.PositiveSmallIntegerField(default=2, help_text='Known-bad requests planted; 0: none.')),
                ('reason', models.CharField(blank=True, max_length=500)),
                ('changed_at', models.DateTimeField(auto_now=True)),
            ],
            options={
                'abstract': False,
            },
        ),
        AddConstraintNotValid(
            model_name='run',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'canary'), _negated=True), models.Q(('claim_token', 0), ('next_at', None), ('status__in', ['waiting', 'completed', 'cancelled'])), _connector='OR'), name='canary_run_never_starts'),
        ),
        AtOnce([
            migrations.AddField(
                model_name='approvalrules',
                name='changed_by',
                field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
            ),
            migrations.AddField(
                model_name='approvalrules',
                name='project',
                field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='traces.project'),
            ),
            migrations.AddField(
                model_name='approvalrulesevent',
                name='changed_by',
                field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to=settings.AUTH_USER_MODEL),
            ),
            migrations.AddField(
                model_name='approvalrulesevent',
                name='pgh_context',
                field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='pghistory.context'),
            ),
            migrations.AddField(
                model_name='approvalrulesevent',
                name='pgh_obj',
                field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='agents.approvalrules'),
            ),
            migrations.AddField(
                model_name='approvalrulesevent',
                name='project',
                field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='traces.project'),
            ),
            migrations.AddConstraint(
                model_name='approvalrules',
                constraint=models.CheckConstraint(condition=models.Q(('two_people_from_usd__gte', 0)), name='two_people_from_some_amount'),
            ),
            migrations.AddConstraint(
                model_name='approvalrules',
                constraint=models.CheckConstraint(condition=models.Q(('canaries_per_week__lte', 50)), name='canaries_are_few'),
            ),
            migrations.AddConstraint(
                model_name='approvalrules',
                constraint=models.CheckConstraint(condition=models.Q(('changed_by', None), models.Q(('reason', ''), _negated=True), _connector='OR'), name='approval_rules_have_reason'),
            ),
            pgtrigger.migrations.AddTrigger(
                model_name='approvalrules',
                trigger=pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "agents_approvalrulesevent" ("canaries_per_week", "changed_at", "changed_by_id", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "project_id", "reason", "two_people_from_usd") VALUES (NEW."canaries_per_week", NEW."changed_at", NEW."changed_by_id", NEW."id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."project_id", NEW."reason", NEW."two_people_from_usd"); RETURN NULL;', hash='090eda452f668b068495173ef726a628105c3854', operation='INSERT', pgid='pgtrigger_insert_insert_f0c8f', table='agents_approvalrules', when='AFTER')),
            ),
            pgtrigger.migrations.AddTrigger(
                model_name='approvalrules',
                trigger=pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."canaries_per_week" IS DISTINCT FROM (NEW."canaries_per_week") OR OLD."changed_at" IS DISTINCT FROM (NEW."changed_at") OR OLD."changed_by_id" IS DISTINCT FROM (NEW."changed_by_id") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."project_id" IS DISTINCT FROM (NEW."project_id") OR OLD."reason" IS DISTINCT FROM (NEW."reason") OR OLD."two_people_from_usd" IS DISTINCT FROM (NEW."two_people_from_usd"))', func='INSERT INTO "agents_approvalrulesevent" ("canaries_per_week", "changed_at", "changed_by_id", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "project_id", "reason", "two_people_from_usd") VALUES (NEW."canaries_per_week", NEW."changed_at", NEW."changed_by_id", NEW."id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."project_id", NEW."reason", NEW."two_people_from_usd"); RETURN NULL;', hash='be6d86aee7ea27e44c78a86538ada3a031c975b2', operation='UPDATE', pgid='pgtrigger_update_update_5b8ad', table='agents_approvalrules', when='AFTER')),
            ),
            pgtrigger.migrations.AddTrigger(
                model_name='approvalrulesevent',
                trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='653ef15e6c9f073135e45bf920b57d0807ed7439', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_5e31c', table='agents_approvalrulesevent', when='BEFORE')),
            ),
        ]),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
