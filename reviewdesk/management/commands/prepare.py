"""`manage.py prepare`: what `up` does before it starts its processes."""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from reviewdesk.embedded.schema import check_server, migrate
from reviewdesk.people.demo import may_load_demo
from reviewdesk.people.setup import offer_setup


class Command(BaseCommand):
    """Migrate, load the demo where it is wanted, or offer the first account."""

    help = "Bring the database up to date, and load the demo unless REVIEWDESK_DEMO=0."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        check_server()
        if migrate():
            self.stdout.write("The tables are up to date")
        environment = settings.ENVIRONMENT
        if environment.has_demo and may_load_demo():
            call_command("load_demo", stdout=self.stdout)
        elif environment.has_demo:
            self.stdout.write(
                "The demo is left out: this desk has people of its own (REVIEWDESK_DEMO=0 says so)"
            )
        offer_setup(environment.home)
