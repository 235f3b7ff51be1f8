from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0016_recoveries_and_reviews")]

    operations = [
        migrations.AddField(
            model_name="spend",
            name="num_unpriced",
            field=models.BigIntegerField(
                db_default=0,
                default=0,
                help_text="Model calls of unknown cost: with any, the cost is “at least” what "
                "stands here.",
            ),
        ),
    ]
