"""`manage.py up`: the whole desk in one terminal."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from reviewdesk.embedded.up import Supervisor


class Command(BaseCommand):
    """Start database, web, worker and scheduler, and look after them."""

    help = "Start the whole desk in this terminal; Ctrl-C stops it."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        Supervisor(settings.ENVIRONMENT).run()
