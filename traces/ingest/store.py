"""Storing whole sessions in bulk: each with all its spans, or not at all."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from traces.clean import clean_text
from traces.errors import BadRecordError
from traces.ingest.checks import (
    problem_of_id,
    problem_of_kind,
    problem_of_span,
    problem_of_totals,
)
from traces.ingest.emitters import emitter_ids
from traces.ingest.identity import session_id_of
from traces.models import Project, Session
from traces.partitions import ensure_partitions
from traces.records import EmitterRecord, SessionRecord, from_ns
from traces.redaction import masker_for
from traces.rows import SPAN_COLUMNS, json_text, span_row
from traces.totals import refresh_totals

MAX_BATCH_SESSIONS = 200
MAX_BATCH_SPANS = 10_000

_ENDED = frozenset(Session.Status) - {Session.Status.RUNNING, Session.Status.WAITING}

_SESSION_COLUMNS = (
    "id, project_id, source, external_id, status, status_reason, is_golden, agent_name, "
    "version_name, customer, title, started_at, ended_at, first_ns, last_ns, working_ns, "
    "num_steps, num_spans, num_errors, tools, metadata, said"
)
_INCOMING = (
    "CREATE TEMPORARY TABLE session_in ON COMMIT DROP AS "  # noqa: S608
    f"SELECT {_SESSION_COLUMNS} FROM traces_session WITH NO DATA"
)
_INSERT = (
    f"INSERT INTO traces_session ({_SESSION_COLUMNS}) SELECT {_SESSION_COLUMNS} "  # noqa: S608
    "FROM session_in ORDER BY id ON CONFLICT DO NOTHING RETURNING id"
)


@dataclass(frozen=True)
class StoreCounts:
    """What a call of `store_sessions` did.

    Attributes:
        sessions: Sessions that are new.
        spans: Spans of the new sessions.
        unchanged: Sessions that were there before and were left as they are.
    """

    sessions: int = 0
    spans: int = 0
    unchanged: int = 0

    def __add__(self, other: "StoreCounts") -> "StoreCounts":
        """Return both together."""
        return StoreCounts(
            self.sessions + other.sessions,
            self.spans + other.spans,
            self.unchanged + other.unchanged,
        )


def store_sessions(*, project: Project, records: Iterable[SessionRecord]) -> StoreCounts:
    """Store sessions with their spans and totals; those already there are left as they are.

    A session is known by project, source and external id (an empty one is always new). Batches of
    at most `MAX_BATCH_SESSIONS`, one transaction each: what an interrupted call has stored stays,
    whole, and the same call again adds the rest.

    Raises:
        BadRecordError: A record cannot be stored; nothing of its batch is.
    """
    counts = StoreCounts()
    for batch in _batches(records):
        for record in batch:
            check_record(record)
        batch = _masked(project, batch)
        ensure_partitions(span.start_ns for record in batch for span in record.spans)
        with transaction.atomic():
            counts += _store_batch(project, batch)
    return counts


def _masked(project: Project, batch: list[SessionRecord]) -> list[SessionRecord]:
    """Return the batch as it is stored; invented data has nobody to hide."""
    masker = masker_for(project)
    return [
        record if record.source == Session.Source.DEMO else masker.session(record)
        for record in batch
    ]


def check_record(record: SessionRecord) -> None:
    """Raise `BadRecordError` where the store's columns cannot hold a value."""
    if not record.spans:
        raise BadRecordError(f"session {record.external_id!r} has no spans")
    if problem := problem_of_kind(source=record.source, status=record.status):
        raise BadRecordError(problem)
    if problem := problem_of_id(record.external_id):
        raise BadRecordError(problem)
    for span in record.spans:
        if problem := problem_of_span(span):
            raise BadRecordError(f"span {span.span_id!r} ({span.name[:60]!r}): {problem}")
    if problem := problem_of_totals(record.spans):
        raise BadRecordError(problem)


def _batches(records: Iterable[SessionRecord]) -> Iterator[list[SessionRecord]]:
    batch: list[SessionRecord] = []
    num_spans = 0
    for record in records:
        batch.append(record)
        num_spans += len(record.spans)
        if len(batch) >= MAX_BATCH_SESSIONS or num_spans >= MAX_BATCH_SPANS:
            yield batch
            batch, num_spans = [], 0
    if batch:
        yield batch


def _store_batch(project: Project, batch: Sequence[SessionRecord]) -> StoreCounts:
    by_id = {_session_id(project, record): record for record in reversed(batch)}
    new = _insert_sessions(project, by_id)
    num_spans = _copy_spans(project, {each: by_id[each] for each in sorted(new)})
    refresh_totals(list(new))
    return StoreCounts(len(new), num_spans, len(batch) - len(new))


def _session_id(project: Project, record: SessionRecord) -> uuid.UUID:
    """Return the same id for the same session, so that links survive storing it anew."""
    if not record.external_id:
        return uuid.uuid4()
    return session_id_of(project.pk, record.source, record.external_id)


def _insert_sessions(project: Project, records: dict[uuid.UUID, SessionRecord]) -> set[uuid.UUID]:
    """Insert what is new and return its ids.

    In the order of the ids, so that two imports of the same sessions wait for, and never block,
    each other.
    """
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.session_in")
        cursor.execute(_INCOMING)
        with cursor.copy(f"COPY session_in ({_SESSION_COLUMNS}) FROM STDIN") as copy:
            for session_id, record in records.items():
                copy.write_row(_session_row(session_id, project, record))
        cursor.execute(_INSERT)
        return {row[0] for row in cursor.fetchall()}


def _session_row(session_id: uuid.UUID, project: Project, record: SessionRecord) -> list[Any]:
    first_ns = min(span.start_ns for span in record.spans)
    last_ns = max(span.end_ns for span in record.spans)
    return [
        session_id,
        project.pk,
        record.source,
        record.external_id,
        record.status,
        clean_text(record.status_reason)[:500],
        False,
        clean_text(record.agent_name)[:120],
        clean_text(record.version_name)[:60],
        clean_text(record.customer)[:200],
        "",
        from_ns(first_ns),
        from_ns(last_ns) if record.status in _ENDED else None,
        first_ns,
        last_ns,
        0,
        0,
        0,
        0,
        "[]",
        json_text(record.metadata),
        "",
    ]


def _copy_spans(project: Project, records: dict[uuid.UUID, SessionRecord]) -> int:
    """Copy the spans of new sessions; a span that a record holds twice is stored once."""
    num_spans = 0
    emitters = emitter_ids(
        project, (span.emitter for record in records.values() for span in record.spans)
    )
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY traces_span ({SPAN_COLUMNS}) FROM STDIN") as copy,
    ):
        for session_id, record in records.items():
            spans = {(span.span_id, span.start_ns): span for span in reversed(record.spans)}
            for span in spans.values():
                number = None if span.emitter is None else _number(emitters, span.emitter)
                copy.write_row(span_row(session_id, span, number))
            num_spans += len(spans)
    return num_spans


def _number(emitters: dict[int, int], emitter: EmitterRecord) -> int:
    if id(emitter) not in emitters:
        raise BadRecordError("the resource or scope of a span is nested too deeply")
    return emitters[id(emitter)]
