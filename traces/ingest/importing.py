"""Importing a file: what its reader finds is stored in batches, and counted."""

from collections import Counter
from collections.abc import Callable, Iterator

from django.db import DataError
from django.db.models import Count, Sum

from traces.errors import BadRecordError
from traces.ingest.importers import Reader
from traces.ingest.importers.json_file import BadRow, Found, Row
from traces.ingest.importers.source import Source
from traces.ingest.store import StoreCounts, store_sessions
from traces.models import Project, Session
from traces.records import SessionRecord

_BATCH = 20
_MOST_AT_ONCE = 10_000

_Held = list[tuple[Row, SessionRecord]]


class Import:
    """One import: what it has stored and left out so far.

    Attributes:
        counts: What is new, and what was there.
        num_found: Sessions that could be read.
        num_rejected: Rows that could not.
        times: What there is to say of the sessions' times, and of how many sessions.
    """

    def __init__(
        self,
        project: Project,
        *,
        on_reject: Callable[[BadRow], None] = lambda row: None,
        on_progress: Callable[[float, int], None] = lambda share, num_done: None,
    ) -> None:
        self.project = project
        self.counts = StoreCounts()
        self.num_found = 0
        self.num_rejected = 0
        self.times: Counter[str] = Counter()
        self._stored: dict[str, set[str]] = {}
        self._on_reject = on_reject
        self._on_progress = on_progress

    def run(self, reader: Reader, source: Source) -> None:
        """Store the sessions in batches; what was read is stored even when the file breaks off.

        Raises:
            BadImportError: The file cannot be read, or not to its end.
        """
        batch: _Held = []
        try:
            for row, found in self._readable(reader(source)):
                batch.append((row, found))
                if len(batch) == _BATCH:
                    self._store(batch)
                    batch = []
                    self._on_progress(min(source.share, 0.99), self._num_done)
        finally:
            self._store(batch)
            self._on_progress(1, self._num_done)

    def totals(self) -> tuple[int, int]:
        """Return how many sessions and spans of the file are in the project now."""
        num_sessions, num_spans = 0, 0
        for source, ids in self._stored.items():
            every = sorted(ids)
            for first in range(0, len(every), _MOST_AT_ONCE):
                found = Session.objects.filter(
                    project=self.project,
                    source=source,
                    external_id__in=every[first : first + _MOST_AT_ONCE],
                ).aggregate(sessions=Count("pk"), spans=Sum("num_spans", default=0))
                num_sessions += found["sessions"]
                num_spans += found["spans"]
        return num_sessions, num_spans

    def summary(self) -> str:
        """Return a sentence on what is new and what was left out."""
        return (
            f"{self.counts.sessions} sessions and {self.counts.spans} spans are new, "
            f"{self.counts.unchanged} sessions were there already, "
            f"{self.num_rejected} rows were left out."
        )

    @property
    def _num_done(self) -> int:
        return self.counts.sessions + self.counts.unchanged

    def _readable(self, rows: Iterator[Found]) -> Iterator[tuple[Row, SessionRecord]]:
        for row, found in rows:
            if isinstance(found, BadRow):
                self._reject(found)
            else:
                self.num_found += 1
                yield row, found

    def _store(self, batch: _Held) -> None:
        """Store the sessions; where they cannot be together, each that can be alone."""
        records = [record for _, record in batch]
        try:
            self.counts += store_sessions(project=self.project, records=records)
        except (BadRecordError, DataError) as error:
            if len(batch) > 1:
                for found in batch:
                    self._store([found])
            else:
                row = batch[0][0]
                self._reject(BadRow(row.line, str(error).partition("\n")[0], row.place))
            return
        for record in records:
            self._stored.setdefault(record.source, set()).add(record.external_id)
            if words := record.metadata.get("times"):
                self.times[words] += 1

    def _reject(self, row: BadRow) -> None:
        self.num_rejected += 1
        self._on_reject(row)
