"""An intent names the sessions that show it best."""

from django.db import migrations, models
from django.db.models import Value


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0026_taken_back_votes_and_archived_schedules"),
    ]

    operations = [
        migrations.AddField(
            model_name="intent",
            name="examples",
            field=models.JSONField(
                blank=True,
                db_default=Value([], models.JSONField()),
                default=list,
                help_text="Ids of the sessions that show it best.",
            ),
        ),
    ]
