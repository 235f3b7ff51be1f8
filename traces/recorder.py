"""Recording a session while it happens: open it, write its spans one by one, close it.

What is written is masked as the project asks; a run goes on by its journal, which is not. The
totals are computed from the spans by the database, so that they are right whatever was
written before, twice or late.
"""

import uuid
from collections.abc import Iterable
from typing import Any

import orjson
from django.db import connection, transaction

from traces.clean import clean_text
from traces.models import Project, Session, Span
from traces.partitions import ensure_partitions
from traces.records import SpanRecord, from_ns
from traces.redaction import masker_for
from traces.rows import SPAN_COLUMN_NAMES, SPAN_COLUMNS, SPAN_KEY, span_row
from traces.totals import refresh_totals

_JSON = frozenset({"input", "output", "attributes", "otel", "masked"})
_REPLACED = ", ".join(
    f"{name} = excluded.{name}"
    for name in SPAN_COLUMN_NAMES
    if name not in (*SPAN_KEY, "parent_id", "kind", "name", "trace_id", "emitter_id")
)
WRITE_SPAN = f"""
INSERT INTO traces_span ({SPAN_COLUMNS})
VALUES ({", ".join(f"%(span_{name})s" for name in SPAN_COLUMN_NAMES)})
ON CONFLICT (session_id, span_id, start_ns) DO UPDATE SET {_REPLACED}
"""
# Of spans that were not written before, in one statement.
ADD_SPANS = f"""
INSERT INTO traces_span ({SPAN_COLUMNS})
SELECT {SPAN_COLUMNS} FROM jsonb_populate_recordset(NULL::traces_span, %(span_rows)s::jsonb)
"""
# A run's session that has ended well, with its root span; its totals are not in it.
END_SESSION = """
root AS (
    UPDATE traces_span SET status = 'ok', status_message = '',
        duration_ns = greatest(0, %(end_ns)s - start_ns)
    WHERE session_id = %(session)s AND span_id = %(root)s AND start_ns >= %(first_ns)s
), session AS (
    UPDATE traces_session SET status = %(session_status)s, status_reason = '', ended_at = %(end)s
    WHERE id = %(session)s
)"""


def open_session(
    *,
    project: Project,
    agent_name: str,
    version_name: str,
    start_ns: int,
    session_id: uuid.UUID | None = None,
    customer: str = "",
    title: str = "",
    is_golden: bool = False,
    metadata: dict[str, Any] | None = None,
) -> Session:
    """Open a session that our own runtime records; its root span follows with `record_spans`."""
    masker = masker_for(project)
    return Session.objects.create(
        id=session_id or uuid.uuid4(),
        project=project,
        source=Session.Source.RUNTIME,
        status=Session.Status.RUNNING,
        is_golden=is_golden,
        agent_name=agent_name,
        version_name=version_name,
        customer=clean_text(masker.customer(customer))[:200],
        title=clean_text(masker.text(title))[:300],
        started_at=from_ns(start_ns),
        first_ns=start_ns,
        last_ns=start_ns,
        metadata=masker.json(metadata or {})[0],
    )


def record_spans(
    *, session: Session, spans: list[SpanRecord], has_totals_now: bool = False
) -> None:
    """Write spans (a span written before is replaced); the session's totals follow.

    One transaction, a query per span and one more. The totals come a moment later, by
    `traces.refresh`, so that a step does not wait for all the steps before it to be counted;
    `set_status` and `has_totals_now` bring them up to date at once (two queries).
    """
    rows = [span_values(session, span) for span in spans]
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        for row in rows:
            cursor.execute(WRITE_SPAN, row)
        if has_totals_now:
            refresh_totals([session.pk])
        else:
            cursor.execute(
                "INSERT INTO traces_totalsdue (session_id, added_at) VALUES (%s, now())",
                [session.pk],
            )


def span_values(session: Session, span: SpanRecord, prefix: str = "span_") -> dict[str, Any]:
    """Return the values of `WRITE_SPAN`, masked; the partition that it goes to is there.

    The session's totals are due with it.
    """
    ensure_partitions([span.start_ns])
    row = span_row(session.pk, masker_for(session.project_id).span(span))
    return {f"{prefix}{name}": value for name, value in zip(SPAN_COLUMN_NAMES, row, strict=True)}


def spans_json(session: Session, spans: Iterable[SpanRecord]) -> str:
    """Return the value of `ADD_SPANS`, masked; the partitions that they go to are there."""
    return orjson.dumps(
        [
            {
                name: orjson.Fragment(value) if name in _JSON and value is not None else value
                for name, value in span_values(session, span, prefix="").items()
            }
            for span in spans
        ],
        default=str,
    ).decode()


def set_status(
    *, session: Session, status: Session.Status, reason: str = "", end_ns: int | None = None
) -> None:
    """Set how a session stands, with its totals up to date.

    `end_ns` closes it (and its root span), None leaves it open.
    """
    reason = masker_for(session.project_id).text(reason)
    session.status, session.status_reason = status, reason[:500]
    session.ended_at = from_ns(end_ns) if end_ns else None
    session.save(update_fields=["status", "status_reason", "ended_at"])
    root = Span.objects.filter(session=session, kind=Span.Kind.AGENT, parent_id="")
    if end_ns is None:
        root.update(status=Span.Status.RUNNING)
        refresh_totals([session.pk])
        return
    is_failed = status == Session.Status.FAILED
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE traces_span SET status = %s, status_message = %s, "
            "duration_ns = greatest(0, %s - start_ns) "
            "WHERE session_id = %s AND kind = 'agent' AND parent_id = ''",
            [
                Span.Status.ERROR if is_failed else Span.Status.OK,
                reason if is_failed else "",
                end_ns,
                session.pk,
            ],
        )
    refresh_totals([session.pk])


def new_span_id() -> str:
    """Return 16 random hex digits."""
    return uuid.uuid4().hex[:16]
