"""`manage.py scheduler`: keep runs going when messages or workers are lost."""

from typing import Any

from django.core.management.base import BaseCommand

from reviewdesk.embedded.scheduler import run_scheduler


class Command(BaseCommand):
    """Run a scheduler; of several, one works and the others wait to take over."""

    help = "Run the scheduler: it takes back lost runs and expires approvals until SIGTERM."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        run_scheduler()
