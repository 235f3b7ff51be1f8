"""When a score came, and an index of those whose spans never did."""

import django.db.models.functions.datetime
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("traces", "0012_moved_sessions")]

    operations = [
        migrations.AddField(
            model_name="score",
            name="received_at",
            field=models.DateTimeField(auto_now_add=True, db_default=django.db.models.functions.datetime.Now()),
        ),
        AddIndexConcurrently(
            model_name="score",
            index=models.Index(condition=models.Q(("session", None)), fields=["received_at"], name="score_unclaimed"),
        ),
    ]
