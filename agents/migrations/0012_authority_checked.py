"""Indexes on full tables without locking them, and the checks of 0011 held against old rows."""

from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("agents", "0011_authority_and_limits")]

    operations = [
        AddIndexConcurrently(
            model_name='toolapproval',
            index=models.Index(fields=['tool', '-decided_at'], name='approval_of_tool'),
        ),
        AddIndexConcurrently(
            model_name='run',
            index=models.Index(condition=models.Q(('status__in', ['waiting', 'needs_review'])), fields=['parked_for'], name='run_parked'),
        ),
        ValidateConstraint(model_name='agent', name='agent_ceiling_known'),
        ValidateConstraint(model_name='agenttool', name='tool_level_known'),
        ValidateConstraint(model_name='toolapproval', name='rejection_has_message'),
        ValidateConstraint(model_name='toolapproval', name='canary_is_never_consumed'),
        ValidateConstraint(model_name='toolapproval', name='approval_needs_somebody'),
        ValidateConstraint(model_name='run', name='run_finished_has_time'),
    ]
