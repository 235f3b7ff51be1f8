"""`manage.py export_sessions`: write a project's sessions to a file or to standard output."""

import uuid
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from django.utils import timezone

from traces.export import EXPORTS
from traces.management.projects import project_named
from traces.models import Project, Session
from traces.search import apply, parse

_STANDARD_OUTPUT = "-"


class Command(BaseCommand):
    help = (
        "Export sessions with their spans, labels and scores. The file is written beside its name "
        "(.part) and takes it when it is whole. What was masked stays masked."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", required=True, metavar="SLUG")
        parser.add_argument("--format", required=True, help=f"one of: {', '.join(EXPORTS)}")
        parser.add_argument("--output", required=True, metavar="FILE", help="a file, or - ")
        parser.add_argument("--filter", default="", help="as in the session list's search box")
        parser.add_argument("--session", nargs="+", default=[], metavar="ID")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = EXPORTS.get(options["format"])
        if chosen is None:
            raise CommandError(
                f"There is no format {options['format']!r}; choose one of: {', '.join(EXPORTS)}."
            )
        project = project_named(options["project"])
        sessions = _chosen(project, options["filter"], options["session"])
        if options["output"] == _STANDARD_OUTPUT:
            for piece in chosen.write(sessions):
                self.stdout.write(piece, ending="")
            return
        path = Path(options["output"])
        try:
            _write(path, chosen.write(sessions))
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror or error}.") from error
        self.stdout.write(f"{sessions.count():,} sessions are in {path}.")


def _write(path: Path, pieces: Iterator[str]) -> None:
    """Write a file that is whole under its own name, or not there."""
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8", newline="") as file:
        file.writelines(pieces)
    part.replace(path)


def _chosen(project: Project, words: str, ids: list[str]) -> QuerySet[Session]:
    """Return the sessions that are asked for, newest first.

    Raises:
        CommandError: The filter or an id is wrong, or an id is not in the project.
    """
    sessions = project.sessions.all()
    if words:
        query = parse(words)
        if query.problems:
            raise CommandError(" ".join(str(problem) for problem in query.problems))
        sessions = apply(query, sessions, project, timezone.now())
    sessions = sessions.order_by("-started_at", "-id")
    return _named(sessions, ids) if ids else sessions


def _named(sessions: QuerySet[Session], ids: list[str]) -> QuerySet[Session]:
    """Return the sessions with these ids, all of which have to be there."""
    wanted = set()
    for text in ids:
        try:
            wanted.add(uuid.UUID(text))
        except ValueError:
            raise CommandError(f"{text!r} is no session's id: those are UUIDs.") from None
    found = sessions.filter(pk__in=wanted)
    missing = wanted - set(found.values_list("pk", flat=True))
    if missing:
        named = ", ".join(map(str, sorted(missing)))
        raise CommandError(f"There is no session {named} in this project (or filter).")
    return found
