"""What a stop holds, and what was read in runs in progress, is asked while others write."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("agents", "0019_breaker_is_tracked")]

    operations = [
        AddIndexConcurrently(
            model_name="run", index=models.Index(fields=["finished_at"], name="run_finished")
        ),
    ]
