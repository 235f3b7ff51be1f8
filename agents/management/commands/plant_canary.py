"""`manage.py plant_canary`: plant one known-bad call into a project's inbox now."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.runtime.canaries import plant_canary
from traces.models import Project


class Command(BaseCommand):
    """Plant one call."""

    help = "Plant a known-bad call among those that wait, copied from a real one."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the project's slug."""
        parser.add_argument("--project", required=True, help="The project's short name.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Plant it, and say where."""
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['project']!r}.")
        approval = plant_canary(project=project)
        if approval is None:
            raise CommandError(
                "Nothing fits: it takes a tool at approve and a call of it in the last 60 days."
            )
        self.stdout.write(f"Planted call {approval.pk} of {approval.tool}: {approval.canary_why}")
