"""`manage.py golden_tests`: golden tests to files and from them, for suites kept with the code."""

import argparse
import sys
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.golden.exchange import export_tests, import_tests, plan_import
from agents.golden.files import BadFileError, Format
from agents.models import Agent, GoldenTest


class Command(BaseCommand):
    """Export an agent's golden tests, or import a file of them."""

    help = "Export an agent's golden tests, or import them: all of a file or nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        """Describe the two directions."""
        actions = parser.add_subparsers(dest="action", required=True)
        export = actions.add_parser("export", help="write the active tests")
        export.add_argument("--format", choices=list(Format), default=Format.JSONL.value)
        export.add_argument("--suite", action="append", default=[], choices=GoldenTest.Suite.values)
        taken = actions.add_parser("import", help="read tests from a file")
        taken.add_argument("file", help="a path, or - for what is piped in")
        taken.add_argument("--by", metavar="EMAIL", help="who imports; needed unless --check")
        taken.add_argument("--check", action="store_true", help="say what would be done, only")
        taken.add_argument("--with-unknown-tools", action="store_true")
        for part in (export, taken):
            part.add_argument("--project", required=True, metavar="SLUG")
            part.add_argument("--agent", required=True, metavar="SLUG")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        agent = Agent.objects.filter(
            project__slug=options["project"], slug=options["agent"]
        ).first()
        if agent is None:
            raise CommandError(f"Project {options['project']} has no agent {options['agent']}.")
        if options["action"] == "export":
            tests = GoldenTest.objects.filter(agent=agent, archived_at=None).order_by("slug")
            if options["suite"]:
                tests = tests.filter(suite__in=options["suite"])
            self.stdout.write(export_tests(tests, Format(options["format"])), ending="")
        else:
            self._import(agent, argparse.Namespace(**options))

    def _import(self, agent: Agent, asked: argparse.Namespace) -> None:
        try:
            text = (
                sys.stdin.read() if asked.file == "-" else Path(asked.file).read_text("utf-8-sig")
            )
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{asked.file} cannot be read: {error}") from error
        by = get_user_model()._default_manager.filter(email=asked.by, is_active=True).first()
        if by is None and not asked.check:
            raise CommandError("Say who imports with --by EMAIL: a person with an account here.")
        given = {
            "agent": agent,
            "text": text,
            "with_unknown_tools": asked.with_unknown_tools,
        }
        try:
            plan = import_tests(by=by, **given) if by and not asked.check else plan_import(**given)
        except BadFileError as error:
            lines = [f"{problem.place}: {problem.text}" for problem in error.problems]
            raise CommandError("\n".join([*lines, "Nothing was imported."])) from error
        did = "would be " if asked.check else ""
        self.stdout.write(
            f"{len(plan.new)} {did}new, {len(plan.changed)} {did}changed, {plan.num_same} as they "
            "are."
        )
