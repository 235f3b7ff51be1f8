"""The check of 0014 held against old rows, without locking them out."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("agents", "0014_approval_rules")]

    operations = [ValidateConstraint(model_name="run", name="canary_run_never_starts")]
