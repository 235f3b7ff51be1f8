"""`manage.py checks_page`: the page about checks as Markdown, for `docs/checks.md`."""

from typing import Any

from django.core.management.base import BaseCommand

from agents.golden.check_docs import checks_page


class Command(BaseCommand):
    """Print the page about checks, made of the checks themselves."""

    help = "Print the page about checks as Markdown, for docs/checks.md."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(checks_page(), ending="")
