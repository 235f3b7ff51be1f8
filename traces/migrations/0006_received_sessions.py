"""Sessions whose spans come one by one: when they last came, and which said what is known."""

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
            model_name="session",
            name="known_from",
            field=models.JSONField(blank=True, help_text="Which span said what is known of it, by name of the fact.", null=True),
        ),
        AddIndexConcurrently(
            model_name="session",
            index=models.Index(condition=models.Q(("received_at__isnull", False), ("status", "running")), fields=["received_at"], name="session_received_open"),
        ),
    ]
