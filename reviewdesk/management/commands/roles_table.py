"""`manage.py roles_table`: the table of roles and permissions as Markdown, for the README."""

from typing import Any

from django.core.management.base import BaseCommand

from reviewdesk.people.roles import roles_table


class Command(BaseCommand):
    """Print the table that stands between the README's `roles` markers."""

    help = "Print the table of roles and permissions as Markdown, for the README."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(roles_table())
