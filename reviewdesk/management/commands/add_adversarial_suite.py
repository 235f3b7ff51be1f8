"""`manage.py add_adversarial_suite`: our own attacks as golden tests of an agent."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.errors import GoldenError
from agents.golden.adversarial.build import add_suite, plan_suite
from agents.models import Agent


class Command(BaseCommand):
    """Add the adversarial suite to an agent's golden tests."""

    help = "Add the attacks that fit an agent's tools as golden tests; what is there stays."

    def add_arguments(self, parser: CommandParser) -> None:
        """Describe the options."""
        parser.add_argument("--project", required=True, metavar="SLUG")
        parser.add_argument("--agent", required=True, metavar="SLUG")
        parser.add_argument("--by", metavar="EMAIL", help="who adds them; needed unless --check")
        parser.add_argument("--check", action="store_true", help="say what would be done, only")
        parser.add_argument(
            "--with-changed",
            action="store_true",
            help="also make tests that were edited as the suite has them again",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        found = Agent.objects.filter(project__slug=options["project"], slug=options["agent"])
        agent = found.first()
        if agent is None:
            raise CommandError(f"Project {options['project']} has no agent {options['agent']}.")
        by = get_user_model()._default_manager.filter(email=options["by"], is_active=True).first()
        if by is None and not options["check"]:
            raise CommandError("Say who adds them with --by EMAIL: a person with an account here.")
        try:
            if by is None or options["check"]:
                plan = plan_suite(agent=agent)
            else:
                plan = add_suite(agent=agent, by=by, with_changed=options["with_changed"])
        except GoldenError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{len(plan.new)} new, {len(plan.kept)} as they are, {len(plan.changed)} edited since, "
            f"{len(plan.archived)} archived, {len(plan.left_out)} left out."
        )
        for left in plan.left_out:
            self.stdout.write(f"{left.attack.slug}: {left.why}.")
