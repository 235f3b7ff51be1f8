"""What a judgement is about is told apart by its digest: an index row holds 2,704 bytes."""

from django.db import migrations, models
from django.db.models.functions import MD5


class Migration(migrations.Migration):
    # An index built at once would hold up the judges while it is built.
    atomic = False

    dependencies = [
        ("agents", "0027_intents_have_examples"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS judgement_of_subject_once "
                    "ON agents_judgement (version_id, eval_result_id, (MD5(subject)))",
                    "DROP INDEX CONCURRENTLY IF EXISTS judgement_of_subject_once",
                )
            ],
            state_operations=[
                migrations.AddConstraint(
                    model_name="judgement",
                    constraint=models.UniqueConstraint(
                        "version",
                        "eval_result",
                        MD5("subject"),
                        name="judgement_of_subject_once",
                    ),
                )
            ],
        ),
        migrations.RemoveConstraint(model_name="judgement", name="judgement_of_result_once"),
    ]
