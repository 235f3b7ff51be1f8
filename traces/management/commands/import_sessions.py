"""`manage.py import_sessions`: read a file of recorded sessions into a project."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from traces.errors import BadImportError
from traces.ingest.importers import FORMATS, NAMES, SPAN_FORMATS
from traces.ingest.importers.json_file import BadRow
from traces.ingest.importers.sniff import format_of
from traces.ingest.importers.source import Source
from traces.ingest.importing import Import
from traces.ingest.importing_spans import SpanImport
from traces.management.bar import Bar
from traces.management.projects import project_named
from traces.models import Project


class Command(BaseCommand):
    help = (
        "Import recorded sessions from a file (plain or gzip). Sessions that are there already "
        "stay as they are, so an interrupted import is continued by running it again. Rows that "
        "cannot be read are named on standard error and left out. The last line is JSON: what the "
        "file's sessions amount to in the project, and how many rows were left out."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the file, plain or gzip; docs/import.md")
        parser.add_argument("--format", required=True, help=f"one of: {', '.join(NAMES)}")
        parser.add_argument("--project", required=True, metavar="SLUG")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        chosen = options["format"]
        if chosen not in NAMES:
            raise CommandError(f"There is no format {chosen!r}; choose one of: {', '.join(NAMES)}.")
        project = project_named(options["project"])
        try:
            source = Source(path)
        except BadImportError as error:
            raise CommandError(str(error)) from error
        job, problem = self._run(project, chosen, source)
        if source.problem:
            problem = f"{problem} ({source.problem})" if problem else source.problem
        self._report(job)
        likely = format_of(source)
        if not job.num_found and likely not in ("", chosen) and (problem or job.num_rejected):
            problem = f"{problem or 'no row could be read'}. It looks like the format {likely}"
        if problem and not job.num_found:
            raise CommandError(f"{path} cannot be read as {chosen}: {problem}.")
        if problem:
            raise CommandError(
                f"{path} was read only in part: {problem}. What came before is kept."
            )

    def _run(
        self, project: Project, chosen: str, source: Source
    ) -> tuple[Import | SpanImport, str]:
        """Return the import when it is done, and what is wrong with the file."""
        is_spans = chosen in SPAN_FORMATS
        bar = Bar("spans" if is_spans else "sessions")
        watching: Any = {"on_reject": self._name, "on_progress": bar.draw}
        job = SpanImport(project, **watching) if is_spans else Import(project, **watching)
        try:
            if isinstance(job, SpanImport):
                job.run(SPAN_FORMATS[chosen], source)
            else:
                job.run(FORMATS[chosen], source)
        except BadImportError as error:
            return job, str(error)
        return job, ""

    def _name(self, row: BadRow) -> None:
        place = row.place or f"line {row.line}"
        self.stderr.write(f"{place}: left out: {row.reason}")

    def _report(self, job: Import | SpanImport) -> None:
        """Print what is new, and last the totals of the file's sessions as JSON."""
        for words, number in job.times.items():
            self.stdout.write(f"The times of {number:,} sessions: {words}.")
        if job.num_unmatched:
            self.stdout.write(
                f"{job.num_unmatched:,} labels stay in the sessions' metadata: the project has no "
                "member with their author's e-mail address, or not the same label set."
            )
        self.stdout.write(job.summary())
        sessions, spans = job.totals()
        totals = {"sessions": sessions, "spans": spans, "rejected": job.num_rejected}
        self.stdout.write(json.dumps(totals))
