"""A result that nothing decided is no infrastructure error, and its eval run no failure."""

from django.db import migrations, models

# Results of before that were called so; the text is what they were given.
_RENAME = """
UPDATE agents_evalresult SET status = 'not_judged'
WHERE status = 'infra_error'
    AND error = 'Nothing of it was judged: it has no exact check, and no judge is believed.'
"""
_RENAME_BACK = "UPDATE agents_evalresult SET status = 'infra_error' WHERE status = 'not_judged'"


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0028_long_subjects_are_judged"),
    ]

    operations = [
        migrations.AlterField(
            model_name="evalresult",
            name="status",
            field=models.CharField(
                choices=[
                    ("pending", "not run yet"),
                    ("passed", "passed"),
                    ("failed", "failed"),
                    ("infra_error", "infrastructure error"),
                    ("not_judged", "not judged"),
                ],
                default="pending",
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="evalrun",
            name="status",
            field=models.CharField(
                choices=[
                    ("running", "running"),
                    ("passed", "passed"),
                    ("failed", "failed"),
                    ("inconclusive", "inconclusive"),
                    ("void", "void"),
                    ("cancelled", "cancelled"),
                ],
                default="running",
                max_length=20,
            ),
        ),
        migrations.RunSQL(_RENAME, _RENAME_BACK),
    ]
