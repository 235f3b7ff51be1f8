"""`manage.py import_sessions`: read a file of recorded sessions into a project."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DataError
from django.db.models import Count, Sum

from traces.errors import BadImportError, BadRecordError
from traces.ingest.importers import FORMATS
from traces.ingest.importers.json_file import BadRow, Row, read_text
from traces.ingest.store import StoreCounts, store_sessions
from traces.management.projects import project_named
from traces.models import Project, Session
from traces.records import SessionRecord

_BATCH = 20
_BAR_WIDTH = 30

_Found = tuple[Row, SessionRecord]


class Command(BaseCommand):
    help = (
        "Import recorded sessions from a file (plain or gzip). Sessions that are there already "
        "stay as they are, so an interrupted import is continued by running it again. Rows that "
        "cannot be read are named on standard error and left out. The last line is JSON: what the "
        "file's sessions amount to in the project, and how many rows were left out."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the file, .json or .json.gz")
        parser.add_argument("--format", required=True, help=f"one of: {', '.join(FORMATS)}")
        parser.add_argument("--project", required=True, metavar="SLUG")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        reader = FORMATS.get(options["format"])
        if reader is None:
            raise CommandError(
                f"There is no format {options['format']!r}; choose one of: {', '.join(FORMATS)}."
            )
        project = project_named(options["project"])
        try:
            text, problem = read_text(path)
        except BadImportError as error:
            raise CommandError(str(error)) from error
        job = _Import(self, project)
        try:
            job.run(reader(text))
        except BadImportError as error:
            problem = f"{error} ({problem})" if problem else str(error)
        job.report()
        if problem:
            raise CommandError(
                f"{path} was read only in part: {problem}. What came before is kept."
            )


class _Import:
    """One run of the command: what it has stored and left out so far."""

    def __init__(self, command: Command, project: Project) -> None:
        self.command = command
        self.project = project
        self.counts = StoreCounts()
        self.num_rejected = 0
        self.num_untimed = 0
        self.stored: dict[str, set[str]] = {}
        self.has_bar = sys.stderr.isatty()

    def run(self, rows: Iterator[tuple[Row, SessionRecord | BadRow]]) -> None:
        """Store the sessions in batches; what was read is stored even when the file breaks off."""
        batch: list[_Found] = []
        try:
            for row, found in rows:
                if isinstance(found, BadRow):
                    self._reject(found)
                else:
                    batch.append((row, found))
                if len(batch) == _BATCH:
                    self._store(batch)
                    batch = []
                self._draw(row.share)
        finally:
            self._store(batch)
            self._draw(1)

    def report(self) -> None:
        """Print what is new, and last the totals of the file's sessions as JSON."""
        out = self.command.stdout
        if self.num_untimed:
            out.write(
                f"{self.num_untimed} sessions carry no time zone: their times are taken as UTC."
            )
        out.write(
            f"{self.counts.sessions} sessions and {self.counts.spans} spans are new, "
            f"{self.counts.unchanged} sessions were there already, "
            f"{self.num_rejected} rows were left out."
        )
        sessions, spans = self._totals()
        totals = {"sessions": sessions, "spans": spans, "rejected": self.num_rejected}
        out.write(json.dumps(totals))

    def _store(self, batch: list[_Found]) -> None:
        """Store the sessions; where they cannot be together, each that can be alone."""
        records = [record for _, record in batch]
        try:
            self.counts += store_sessions(project=self.project, records=records)
        except (BadRecordError, DataError) as error:
            if len(batch) > 1:
                for found in batch:
                    self._store([found])
            else:
                self._reject(BadRow(batch[0][0].line, str(error).partition("\n")[0]))
            return
        for record in records:
            self.stored.setdefault(record.source, set()).add(record.external_id)
            self.num_untimed += "times" in record.metadata

    def _reject(self, row: BadRow) -> None:
        self.num_rejected += 1
        self.command.stderr.write(f"line {row.line}: left out: {row.reason}")

    def _totals(self) -> tuple[int, int]:
        num_sessions, num_spans = 0, 0
        for source, ids in self.stored.items():
            found = Session.objects.filter(
                project=self.project, source=source, external_id__in=ids
            ).aggregate(sessions=Count("pk"), spans=Sum("num_spans", default=0))
            num_sessions += found["sessions"]
            num_spans += found["spans"]
        return num_sessions, num_spans

    def _draw(self, share: float) -> None:
        if not self.has_bar:
            return
        filled = round(share * _BAR_WIDTH)
        done = self.counts.sessions + self.counts.unchanged
        bar = "█" * filled + "░" * (_BAR_WIDTH - filled)
        end = "\n" if share == 1 else ""
        sys.stderr.write(f"\r{bar} {share:4.0%} {done} sessions{end}")
        sys.stderr.flush()
