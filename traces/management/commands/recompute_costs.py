"""`manage.py recompute_costs`: compute what model calls cost by the prices as they are now."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from traces.management.projects import project_named
from traces.repricing import reprice


class Command(BaseCommand):
    help = (
        "Compute the costs of a project's sessions anew, by the prices as they are now. "
        "A cost that a source reported is never touched. Interrupted, start it again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", required=True, metavar="SLUG")
        parser.add_argument("--since", required=True, metavar="YYYY-MM-DD", help="first day (UTC)")
        parser.add_argument("--dry-run", action="store_true", help="only say what would change")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        try:
            since = date.fromisoformat(options["since"])
        except ValueError:
            raise CommandError(
                f"--since {options['since']!r} is no day: write it as 2026-01-31."
            ) from None
        counts = reprice(project=project, since=since, is_dry_run=options["dry_run"])
        would = "would get" if options["dry_run"] else "got"
        self.stdout.write(
            f"{counts.sessions:,} sessions since {since}; {counts.spans:,} spans {would} another "
            f"cost: ${counts.before_usd:.4f} before, ${counts.after_usd:.4f} now."
        )
