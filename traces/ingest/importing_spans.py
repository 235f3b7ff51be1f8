"""Importing a file of spans that do not come session by session."""

import uuid
from collections import Counter
from collections.abc import Callable

from django.db.models import Count, Sum

from traces.ingest.append import append_spans
from traces.ingest.importers import SpanReader
from traces.ingest.importers.json_file import BadRow
from traces.ingest.importers.otlp import Request
from traces.ingest.importers.source import Source
from traces.models import Project, Session, Trace
from traces.records import IncomingSpan
from traces.refresh import drain
from traces.scores import store_scores

_BATCH = 1_000
_MOST_AT_ONCE = 10_000


class SpanImport:
    """One import, with the same face as `Import`: here rows are requests, and spans are counted.

    Attributes:
        num_found: Requests that could be read.
        num_rejected: Requests and spans that could not be, or not stored.
        times: Nothing; every span has its times.
        num_unmatched: Nothing; spans carry no labels.
    """

    def __init__(
        self,
        project: Project,
        *,
        on_reject: Callable[[BadRow], None] = lambda row: None,
        on_progress: Callable[[float, int], None] = lambda share, num_done: None,
    ) -> None:
        self.project = project
        self.num_found = 0
        self.num_rejected = 0
        self.num_unmatched = 0
        self.times: Counter[str] = Counter()
        self._num_new = 0
        self._num_repeated = 0
        self._trace_ids: set[bytes] = set()
        self._on_reject = on_reject
        self._on_progress = on_progress

    def run(self, reader: SpanReader, source: Source) -> None:
        """Store the spans in batches, and bring their sessions' totals up to date.

        Raises:
            BadImportError: The file cannot be read, or not to its end.
        """
        held: list[IncomingSpan] = []
        line = 0
        try:
            for row, found in reader(source):
                line = row.line
                if isinstance(found, BadRow):
                    self._reject(found, 1)
                    continue
                # Before their spans, which have them attached to the session.
                store_scores(project=self.project, records=found.scores)
                self._take(found, line)
                held += found.spans
                while len(held) >= _BATCH:
                    self._append(held[:_BATCH], line)
                    del held[:_BATCH]
                    self._on_progress(min(source.share, 0.99), self._num_done)
        finally:
            self._append(held, line)
            drain()
            self._on_progress(1, self._num_done)

    def totals(self) -> tuple[int, int]:
        """Return how many sessions the file's spans are in, and how many spans those have."""
        ids = [trace_id.hex() for trace_id in sorted(self._trace_ids)]
        sessions: set[uuid.UUID] = set()
        for first in range(0, len(ids), _MOST_AT_ONCE):
            traces = Trace.objects.filter(
                project=self.project, trace_id__in=ids[first : first + _MOST_AT_ONCE]
            )
            sessions.update(traces.values_list("session_id", flat=True))
        every = list(sessions)
        num_sessions, num_spans = 0, 0
        for first in range(0, len(every), _MOST_AT_ONCE):
            found = Session.objects.filter(pk__in=every[first : first + _MOST_AT_ONCE]).aggregate(
                sessions=Count("pk"), spans=Sum("num_spans", default=0)
            )
            num_sessions += found["sessions"]
            num_spans += found["spans"]
        return num_sessions, num_spans

    def summary(self) -> str:
        """Return a sentence on what is new and what was left out."""
        return (
            f"{self._num_new} spans are new, {self._num_repeated} were there already, "
            f"{self.num_rejected} were left out."
        )

    @property
    def _num_done(self) -> int:
        return self._num_new + self._num_repeated

    def _take(self, request: Request, line: int) -> None:
        self.num_found += 1
        if request.num_rejected:
            self._reject(BadRow(line, request.problem), request.num_rejected)

    def _append(self, spans: list[IncomingSpan], line: int) -> None:
        if not spans:
            return
        counts = append_spans(project=self.project, spans=spans)
        self._num_new += counts.spans
        self._num_repeated += counts.repeated
        self._trace_ids.update(bytes.fromhex(span.record.trace_id) for span in spans)
        self.num_rejected += counts.rejected
        for problem in counts.problems:
            self._on_reject(BadRow(line, problem, f"up to line {line}"))

    def _reject(self, row: BadRow, number: int) -> None:
        self.num_rejected += number
        more = f" ({number - 1:,} more of its spans too)" if number > 1 else ""
        self._on_reject(BadRow(row.line, row.reason + more))
