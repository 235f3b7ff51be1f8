"""`manage.py erase_customer`: delete the data of one person, by their customer id."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agents.erasure import erase_person
from traces.errors import TracesError
from traces.management.projects import project_named


class Command(BaseCommand):
    help = (
        "Delete all sessions of a customer, with spans, labels, runs and their journals. "
        "The audit trail keeps that it was done, with a keyed digest instead of the id."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", required=True, metavar="SLUG")
        parser.add_argument("--customer", required=True, help="the id, as sent or as stored")
        parser.add_argument("--reason", required=True, help="why; kept in the audit trail")
        parser.add_argument(
            "--with-golden-tests",
            action="store_true",
            help="delete golden tests made of these sessions too",
        )
        parser.add_argument(
            "--with-old-versions",
            action="store_true",
            help=(
                "keep these golden tests as they read now, if what the customer says in them was "
                "rewritten: erase their old versions, in the trail too, and the runs of these"
            ),
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            erasure = erase_person(
                project=project_named(options["project"]),
                customer=options["customer"],
                by=None,
                reason=options["reason"],
                with_tests=options["with_golden_tests"],
                with_old_versions=options["with_old_versions"],
            )
        except TracesError as error:
            raise CommandError(str(error)) from error
        more = "".join(
            f", {num:,} {name.replace('_', ' ')}" for name, num in erasure.details.items()
        )
        self.stdout.write(
            f"Deleted {erasure.num_sessions:,} sessions, {erasure.num_spans:,} spans, "
            f"{erasure.num_labels:,} labels{more}."
        )
