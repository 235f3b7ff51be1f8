"""`manage.py import_agentdojo`: attacked runs of AgentDojo as adversarial golden tests."""

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.golden.adversarial.agentdojo import import_agentdojo
from agents.golden.files import BadFileError
from agents.models import Agent

_GZIP = b"\x1f\x8b"
_LARGEST = 500_000_000


class Command(BaseCommand):
    """Import a file of AgentDojo's runs as golden tests."""

    help = "Make adversarial golden tests of AgentDojo's attacked runs: all of a file or nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        """Describe the options."""
        parser.add_argument("file", help="JSON Lines, a run per line; gzip is read, too")
        parser.add_argument("--project", required=True, metavar="SLUG")
        parser.add_argument("--agent", required=True, metavar="SLUG")
        parser.add_argument("--by", metavar="EMAIL", help="who imports; needed unless --check")
        parser.add_argument("--limit", type=int, metavar="N", help="this many tests at most")
        parser.add_argument("--check", action="store_true", help="say what would be done, only")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        found = Agent.objects.filter(project__slug=options["project"], slug=options["agent"])
        agent = found.first()
        if agent is None:
            raise CommandError(f"Project {options['project']} has no agent {options['agent']}.")
        by = get_user_model()._default_manager.filter(email=options["by"], is_active=True).first()
        if by is None and not options["check"]:
            raise CommandError("Say who imports with --by EMAIL: a person with an account here.")
        if options["limit"] is not None and options["limit"] < 1:
            raise CommandError(f"The limit is {options['limit']}; it must be 1 or more.")
        try:
            done = import_agentdojo(
                agent=agent,
                lines=_read(options["file"]).split("\n"),
                by=None if options["check"] else by,
                limit=options["limit"],
            )
        except BadFileError as error:
            lines = [f"{problem.place}: {problem.text}" for problem in error.problems]
            raise CommandError("\n".join([*lines, "Nothing was imported."])) from error
        did = "would be " if options["check"] else ""
        self.stdout.write(
            f"{len(done.plan.new)} {did}new, {len(done.plan.changed)} {did}changed, "
            f"{done.plan.num_same} as they are, {len(done.skipped)} runs left out."
        )
        for why, num in Counter(each.why for each in done.skipped).most_common(10):
            first = next(each.line for each in done.skipped if each.why == why)
            self.stdout.write(f"{num} left out, the first on line {first}: {why}.")


def _read(name: str) -> str:
    try:
        data = Path(name).read_bytes()
        if data.startswith(_GZIP):
            with gzip.open(name) as file:
                data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise CommandError(f"{name} has over {_LARGEST:,} bytes.")
        return data.decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise CommandError(f"{name} cannot be read: {error}") from error
