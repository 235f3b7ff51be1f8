"""Recoveries in a row, why a run was retried, and a review of an unknown call that is settled once.

A settled review stays as it is, whatever writes to it.
"""

from django.db import migrations, models

FORWARD = """
CREATE FUNCTION agents_effect_review_is_settled_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'the review % says % already; it is settled once', OLD.id, OLD.verdict
            USING ERRCODE = 'check_violation', CONSTRAINT = 'effect_review_is_settled_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER effect_review_is_settled_once BEFORE UPDATE ON agents_effectreview
    FOR EACH ROW WHEN (OLD.verdict <> '')
    EXECUTE FUNCTION agents_effect_review_is_settled_once();
"""

REVERSE = """
DROP TRIGGER effect_review_is_settled_once ON agents_effectreview;
DROP FUNCTION agents_effect_review_is_settled_once();
"""


class Migration(migrations.Migration):
    dependencies = [("agents", "0015_planted_runs_checked")]

    operations = [
        migrations.AddField(
            model_name="run",
            name="num_lost_in_row",
            field=models.PositiveIntegerField(
                db_default=0, default=0, help_text="Recoveries since a step was last done."
            ),
        ),
        migrations.AddField(
            model_name="run",
            name="retry_reason",
            field=models.CharField(blank=True, db_default="", default="", max_length=1000),
        ),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
