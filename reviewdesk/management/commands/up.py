"""`manage.py up`: the whole desk in one terminal."""

from typing import Any

from django.core.management.base import BaseCommand

from reviewdesk.embedded.up import run_up


class Command(BaseCommand):
    """Start database, web, worker and scheduler, and look after them.

    `manage.py up` alone comes here without Django (see `manage.py`).
    """

    help = "Start the whole desk in this terminal; Ctrl-C stops it."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        run_up()
