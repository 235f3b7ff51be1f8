"""Opening and closing many sessions at once, as `traces.recorder` does one by one."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import connection, transaction

from traces.clean import clean_text
from traces.models import Project, Session, Span
from traces.partitions import ensure_partitions
from traces.records import SpanRecord, from_ns
from traces.redaction import masker_for
from traces.rows import SPAN_COLUMNS, span_row
from traces.totals import refresh_totals


@dataclass(frozen=True)
class NewSession:
    """A session to be opened with its first spans.

    Attributes:
        spans: Of several sessions that begin alike, the same object: masked once. The ids and
            starts of spans are as in `places`.
        places: Id, parent's id and start (ns) of each span.
    """

    session_id: uuid.UUID
    agent_name: str
    version_name: str
    title: str
    spans: tuple[SpanRecord, ...]
    places: tuple[tuple[str, str, int], ...]
    metadata: dict[str, Any] = field(default_factory=dict)


def open_sessions(
    *, project: Project, sessions: Sequence[NewSession], is_golden: bool
) -> list[Session]:
    """Open sessions that our own runtime records, with their first spans. Two queries.

    In the caller's transaction or one of its own. The spans are counted here; all other totals
    come with the first step, for a thousand that wait need none.
    """
    ensure_partitions(start for session in sessions for _, _, start in session.places)
    # Before COPY, during which the connection answers nothing else.
    rows = _span_rows(project, sessions)
    with transaction.atomic(), connection.cursor() as cursor:
        opened = Session.objects.bulk_create(
            _session(project, session, is_golden) for session in sessions
        )
        with cursor.copy(f"COPY traces_span ({SPAN_COLUMNS}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    return opened


def close_unstarted(
    *, sessions: Sequence[uuid.UUID], status: Session.Status, reason: str, end_ns: int
) -> None:
    """Close sessions in which nothing but the beginning was recorded. Four queries."""
    Session.objects.filter(pk__in=sessions).update(
        status=status, status_reason=clean_text(reason)[:500], ended_at=from_ns(end_ns)
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE traces_span SET status = %s, duration_ns = greatest(0, %s - start_ns) "
            "WHERE session_id = ANY(%s) AND kind = 'agent' AND parent_id = ''",
            [Span.Status.OK, end_ns, list(sessions)],
        )
    refresh_totals(sorted(sessions))


def _session(project: Project, new: NewSession, is_golden: bool) -> Session:
    masker = masker_for(project)
    start_ns = new.places[0][2]
    return Session(
        id=new.session_id,
        project=project,
        source=Session.Source.RUNTIME,
        status=Session.Status.RUNNING,
        is_golden=is_golden,
        agent_name=new.agent_name,
        version_name=new.version_name,
        title=clean_text(masker.text(new.title))[:300],
        started_at=from_ns(start_ns),
        first_ns=start_ns,
        last_ns=new.places[-1][2],
        num_spans=len(new.spans),
        metadata=masker.json(new.metadata)[0],
    )


def _span_rows(project: Project, sessions: Sequence[NewSession]) -> list[list[Any]]:
    masker = masker_for(project)
    masked: dict[int, tuple[SpanRecord, ...]] = {}
    rows = []
    for new in sessions:
        if id(new.spans) not in masked:
            masked[id(new.spans)] = tuple(map(masker.span, new.spans))
        for span, (span_id, parent_id, start_ns) in zip(
            masked[id(new.spans)], new.places, strict=True
        ):
            placed = replace(span, span_id=span_id, parent_id=parent_id, start_ns=start_ns)
            rows.append(span_row(new.session_id, placed))
    return rows
