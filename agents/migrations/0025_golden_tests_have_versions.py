"""Each golden test's content of today is its first version."""

from django.db import migrations

FORWARD = """
INSERT INTO agents_goldentestversion
    (test_id, number, content, content_hash, author_id, created_at)
SELECT id, 1, jsonb_build_object(
        'input', input, 'fixtures', fixtures, 'checks', checks, 'expectations', expectations,
        'customer', customer, 'on_missing', on_missing, 'rules', rules
    ), content_hash, promoted_by_id, updated_at
FROM agents_goldentest ON CONFLICT DO NOTHING;
"""


class Migration(migrations.Migration):
    dependencies = [("agents", "0024_proof")]

    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
