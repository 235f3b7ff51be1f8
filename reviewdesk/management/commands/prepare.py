"""`manage.py prepare`: what `up` does before it starts its processes."""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from reviewdesk.embedded.paths import welcome_file, write_private
from reviewdesk.embedded.schema import check_server, migrate
from reviewdesk.environment import Environment
from reviewdesk.people.demo import is_demo_loaded, may_load_demo, sign_in_lines
from reviewdesk.people.setup import offer_setup, read_setup_token


class Command(BaseCommand):
    """Migrate, load the demo where it is wanted, or offer the first account."""

    help = "Bring the database up to date, and load the demo unless REVIEWDESK_DEMO=0."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        environment: Environment = settings.ENVIRONMENT
        check_server()
        if migrate():
            self.stdout.write("The tables are up to date")
        if environment.has_demo and not is_demo_loaded():
            self._load_demo()
        offer_setup(environment.home)
        write_private(welcome_file(environment), "\n".join(_welcome(environment)))

    def _load_demo(self) -> None:
        if not may_load_demo():
            self.stdout.write(
                "The demo is left out: this desk has people of its own (REVIEWDESK_DEMO=0 says so)"
            )
            return
        self.stdout.write("Loading the demo")
        self.stdout.flush()
        call_command("load_demo", stdout=self.stdout)


def _welcome(environment: Environment) -> list[str]:
    token = read_setup_token(environment.home)
    if token:
        url = f"http://127.0.0.1:{environment.port}/setup/{token}/"
        return [f"Nobody has an account yet. Make the first one at {url}"]
    return sign_in_lines() if environment.has_demo and is_demo_loaded() else []
