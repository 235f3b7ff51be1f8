"""Search finds a session by its customer and its source's id too, not only by what was said."""

import django.contrib.postgres.indexes
import django.contrib.postgres.search
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("traces", "0003_api_key_events")]

    # A generated column's expression cannot be altered: it is made anew, with its index.
    operations = [
        migrations.RemoveIndex(model_name="session", name="session_said"),
        migrations.RemoveField(model_name="session", name="said_vector"),
        migrations.AddField(
            model_name="session",
            name="said_vector",
            field=models.GeneratedField(
                db_persist=True,
                expression=django.contrib.postgres.search.SearchVector(
                    "said", "customer", "external_id", config="simple"
                ),
                output_field=django.contrib.postgres.search.SearchVectorField(),
            ),
        ),
        migrations.AddIndex(
            model_name="session",
            index=django.contrib.postgres.indexes.GinIndex(
                fields=["said_vector"], name="session_said"
            ),
        ),
    ]
