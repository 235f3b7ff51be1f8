"""Recording a session while it happens: open it, write its spans one by one, close it.

The totals are computed from the spans by the database, so that they are right whatever was
written before, twice or late.
"""

import uuid
from typing import Any

from django.db import connection, transaction
from psycopg.types.json import Jsonb

from traces.clean import clean_json, clean_text
from traces.models import Project, Session, Span
from traces.partitions import ensure_partitions
from traces.records import SpanRecord, from_ns
from traces.totals import refresh_totals

_COLUMNS = (
    "session_id, span_id, parent_id, kind, name, start_ns, duration_ns, status, status_message, "
    "model, input_tokens, output_tokens, cost_usd, input, output, attributes"
)
_WRITE = f"""
INSERT INTO traces_span ({_COLUMNS}) VALUES ({", ".join(["%s"] * 16)})
ON CONFLICT (session_id, span_id, start_ns) DO UPDATE SET
    duration_ns = excluded.duration_ns, status = excluded.status,
    status_message = excluded.status_message, model = excluded.model,
    input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens,
    cost_usd = excluded.cost_usd, input = excluded.input, output = excluded.output,
    attributes = excluded.attributes
"""


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
    return Session.objects.create(
        id=session_id or uuid.uuid4(),
        project=project,
        source=Session.Source.RUNTIME,
        status=Session.Status.RUNNING,
        is_golden=is_golden,
        agent_name=agent_name,
        version_name=version_name,
        customer=clean_text(customer)[:200],
        title=clean_text(title)[:300],
        started_at=from_ns(start_ns),
        first_ns=start_ns,
        last_ns=start_ns,
        metadata=metadata or {},
    )


def record_spans(*, session: Session, spans: list[SpanRecord]) -> None:
    """Write spans (a span written before is replaced) and bring the session's totals up to date.

    One transaction, a query per span and three more; the session's row stays locked to its end.
    """
    ensure_partitions(span.start_ns for span in spans)
    with transaction.atomic():
        with connection.cursor() as cursor:
            for span in spans:
                cursor.execute(_WRITE, _row(session.pk, span))
        refresh_totals([session.pk])


def set_status(
    *, session: Session, status: Session.Status, reason: str = "", end_ns: int | None = None
) -> None:
    """Set how a session stands; `end_ns` closes it (and its root span), None leaves it open."""
    session.status, session.status_reason = status, reason[:500]
    session.ended_at = from_ns(end_ns) if end_ns else None
    session.save(update_fields=["status", "status_reason", "ended_at"])
    root = Span.objects.filter(session=session, kind=Span.Kind.AGENT, parent_id="")
    if end_ns is None:
        root.update(status=Span.Status.RUNNING)
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


def _row(session_id: uuid.UUID, span: SpanRecord) -> list[Any]:
    return [
        session_id,
        span.span_id,
        span.parent_id,
        span.kind,
        clean_text(span.name)[:200],
        span.start_ns,
        max(span.duration_ns, 0),
        span.status,
        clean_text(span.status_message),
        span.model[:120],
        span.input_tokens,
        span.output_tokens,
        span.cost_usd,
        _json(span.input),
        _json(span.output),
        _json(span.attributes),
    ]


def _json(value: Any) -> Jsonb | None:
    return None if value is None else Jsonb(clean_json(value))
