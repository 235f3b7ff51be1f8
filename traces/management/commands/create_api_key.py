"""`manage.py create_api_key`: make a key for a project's programs."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from traces.api_keys import create_key
from traces.errors import TracesError
from traces.management.projects import project_named


class Command(BaseCommand):
    help = "Make an API key of a project and print it, and nothing else. It is not shown again."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", required=True, metavar="SLUG")
        parser.add_argument("--name", default="made on the command line", help="who will use it")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        try:
            key = create_key(project=project, name=options["name"])
        except TracesError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(key)
