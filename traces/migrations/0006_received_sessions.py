"""Sessions whose spans come one by one: when they last came, and what they said of them."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("traces", "0005_any_trace")]

    operations = [
        migrations.AddField(
            model_name="session",
            name="received_at",
            field=models.DateTimeField(blank=True, help_text="When spans last came for it; empty: it did not come span by span.", null=True),
        ),
        migrations.AddField(
            model_name="trace",
            name="known",
            field=models.JSONField(blank=True, db_default={}, default=dict, help_text="What its spans say of the session: name of the fact -> [rank, value]."),
        ),
        AddIndexConcurrently(
            model_name="session",
            index=models.Index(condition=models.Q(("received_at__isnull", False), ("status", "running")), fields=["received_at"], name="session_received_open"),
        ),
    ]
