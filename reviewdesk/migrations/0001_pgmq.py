"""Install the SQL of pgmq, the message queue inside PostgreSQL that Celery uses by default."""

from django.db import migrations
from pgmq.install import get_embedded_install_sql


def install(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace('pgmq') IS NULL")
        if cursor.fetchone()[0]:
            cursor.execute(get_embedded_install_sql(), None)


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
