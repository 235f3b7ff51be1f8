"""Importing a file: what its reader finds is stored in batches, and counted."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

from django.db import DataError, transaction
from django.db.models import Count, Sum

from traces.errors import BadRecordError
from traces.ingest.costs import with_cost
from traces.ingest.importers import Reader
from traces.ingest.importers.json_file import BadRow, Found, Row
from traces.ingest.importers.reviewdesk import ExportedSession
from traces.ingest.importers.source import Source
from traces.ingest.restoring import UNMATCHED, keep_unmatched, matches_of, restore
from traces.ingest.store import StoreCounts, store_sessions
from traces.models import Project, Session
from traces.pricing import price_table
from traces.records import SessionRecord
from traces.redaction import masker_for

_BATCH = 20
_BATCH_SPANS = 5_000
_MOST_AT_ONCE = 10_000

_Held = list[tuple[Row, SessionRecord]]


class Import:
    """One import: what it has stored and left out so far.

    Attributes:
        counts: What is new, and what was there.
        num_found: Sessions that could be read.
        num_rejected: Rows that could not.
        num_unmatched: Labels that nobody of the project made; they stay in the metadata.
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
        self.num_unmatched = 0
        self._masker = masker_for(project)
        self._stored: dict[str, set[str]] = {}
        self._on_reject = on_reject
        self._on_progress = on_progress

    def run(self, reader: Reader, source: Source) -> None:
        """Store the sessions in batches; what was read is stored even when the file breaks off.

        Raises:
            BadImportError: The file cannot be read, or not to its end.
        """
        batch: _Held = []
        num_spans = 0
        try:
            for row, found in self._readable(reader(source)):
                batch.append((row, found))
                num_spans += len(found.spans)
                if len(batch) == _BATCH or num_spans >= _BATCH_SPANS:
                    self._store(batch)
                    batch, num_spans = [], 0
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
        try:
            with transaction.atomic():
                counts = self._store_records([record for _, record in batch])
        except (BadRecordError, DataError) as error:
            if len(batch) > 1:
                for found in batch:
                    self._store([found])
            else:
                row = batch[0][0]
                self._reject(BadRow(row.line, str(error).partition("\n")[0], row.place))
            return
        self.counts += counts
        for _, record in batch:
            self._stored.setdefault(record.source, set()).add(self._id_of(record))
            if words := record.metadata.get("times"):
                self.times[str(words)] += 1

    def _store_records(self, records: list[SessionRecord]) -> StoreCounts:
        exported = [record for record in records if isinstance(record, ExportedSession)]
        if not exported:
            return store_sessions(project=self.project, records=self._with_costs(records))
        matches = matches_of(self.project)
        known = self._sessions(exported)
        kept = [keep_unmatched(record, matches) for record in exported]
        counts = store_sessions(project=self.project, records=kept)
        stored = self._sessions(kept)
        for record in kept:
            key = (record.source, self._id_of(record))
            if key not in known:
                restore(session=stored[key], record=record, matches=matches)
                self.num_unmatched += len(record.metadata.get(UNMATCHED, []))
        return counts

    def _with_costs(self, records: list[SessionRecord]) -> list[SessionRecord]:
        prices = price_table(self.project)
        return [
            replace(record, spans=tuple(with_cost(span, prices) for span in record.spans))
            for record in records
        ]

    def _sessions(self, records: list[ExportedSession]) -> dict[tuple[str, str], Session]:
        ids = [self._id_of(record) for record in records]
        found = Session.objects.filter(project=self.project, external_id__in=ids)
        return {(each.source, each.external_id): each for each in found}

    def _id_of(self, record: SessionRecord) -> str:
        """Return the id as it is stored: it is masked as the rest is."""
        if record.source == Session.Source.DEMO:
            return record.external_id
        return self._masker.text(record.external_id)

    def _reject(self, row: BadRow) -> None:
        self.num_rejected += 1
        self._on_reject(row)
