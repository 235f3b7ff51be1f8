"""A call that is tried again may become unknown again: one open review per step, not one ever."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0017_spend_counts_unpriced")]

    operations = [
        migrations.AlterField(
            model_name="effectreview",
            name="step",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="effect_reviews",
                to="agents.step",
            ),
        ),
        migrations.AddConstraint(
            model_name="effectreview",
            constraint=models.UniqueConstraint(
                condition=models.Q(("verdict", "")),
                fields=("step",),
                name="effect_review_open_once",
            ),
        ),
    ]
