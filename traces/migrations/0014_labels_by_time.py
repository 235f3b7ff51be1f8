"""The rule that lowers a tool after a critical label asks every second what was labelled lately."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("traces", "0013_unclaimed_scores")]

    operations = [
        AddIndexConcurrently(
            model_name="label",
            index=models.Index(
                condition=models.Q(("completed_at", None), _negated=True),
                fields=["completed_at"],
                name="label_completed",
            ),
        ),
    ]
