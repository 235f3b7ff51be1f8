"""Which session a trace's spans belong to.

Locks are taken in one order by every transaction (traces, new sessions, sessions that change,
each by ascending id), so that requests wait for, and never block, each other.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection

from traces.ingest.facts import Facts, facts_of
from traces.ingest.identity import session_id_of
from traces.models import Project, Session
from traces.records import IncomingSpan
from traces.rows import json_text

# Facts of two spans meet here: of each the one with the lower rank stays.
_MERGED = """(
    SELECT jsonb_object_agg(key, value) FROM (
        SELECT DISTINCT ON (key) key, value
        FROM (SELECT * FROM jsonb_each(trace.known)
            UNION ALL SELECT * FROM jsonb_each(excluded.known)) AS said
        ORDER BY key, value
    ) AS best
)"""
# `DO UPDATE` even where nothing changes: it locks the row, so that no other request moves the
# trace before this one's spans are committed.
_ROUTE = f"""
INSERT INTO traces_trace AS trace (project_id, trace_id, session_id, session_key, known)
SELECT %s, trace_id, session_id, nullif(session_key, ''), known FROM jsonb_to_recordset(%s::jsonb)
    AS named (trace_id uuid, session_id uuid, session_key text, known jsonb) ORDER BY trace_id
ON CONFLICT (project_id, trace_id) DO UPDATE SET
    session_key = least(trace.session_key COLLATE "C", excluded.session_key COLLATE "C"),
    known = CASE WHEN trace.known @> excluded.known THEN trace.known ELSE {_MERGED} END
RETURNING trace_id, session_id, session_key, xmax = 0
"""


@dataclass(frozen=True)
class NamedTrace:
    """What a request says of a trace.

    Attributes:
        trace_id: 32 hex digits.
        session_key: The smallest that its spans name, or empty.
        facts: What its spans say of the session.
        first_ns: Start of the earliest of its spans.
        last_ns: End of the latest.
    """

    trace_id: str
    session_key: str
    facts: Facts
    first_ns: int
    last_ns: int


@dataclass(frozen=True)
class Route:
    """Where a trace's spans go.

    Attributes:
        session_id: Its session from now on.
        source: That session's.
        external_id: That session's.
        left_id: The session where its earlier spans are and have to be moved from, or None.
        is_new: Whether no span of it was there before.
    """

    session_id: uuid.UUID
    source: str
    external_id: str
    left_id: uuid.UUID | None
    is_new: bool


def traces_of(spans: Iterable[IncomingSpan]) -> list[NamedTrace]:
    """Return what these spans say of their traces, each trace once."""
    by_trace: dict[str, list[IncomingSpan]] = {}
    for span in spans:
        by_trace.setdefault(span.record.trace_id, []).append(span)
    return [
        NamedTrace(
            trace_id=trace_id,
            session_key=min((each.session_key for each in those if each.session_key), default=""),
            facts=facts_of(those),
            first_ns=min(each.record.start_ns for each in those),
            last_ns=max(each.record.end_ns for each in those),
        )
        for trace_id, those in by_trace.items()
    ]


def route_traces(
    *, project: Project, source: str, traces: Sequence[NamedTrace]
) -> dict[str, Route]:
    """Find or note the session of each trace, by trace id, and lock the traces.

    One query, and one more where a trace's session is to change. Trace and session disagree until
    `move_traces` has been called for those with a `left_id`.
    """
    named = [
        {
            "trace_id": each.trace_id,
            "session_id": str(session_id_of(project.pk, source, each.session_key or each.trace_id)),
            "session_key": each.session_key,
            "known": each.facts,
        }
        for each in traces
    ]
    with connection.cursor() as cursor:
        cursor.execute(_ROUTE, [project.pk, json_text(named)])
        rows = cursor.fetchall()
    routes = {}
    for trace, stored_id, key, is_new in rows:
        route = _route(project, source, key or trace.hex, stored_id, is_new=is_new)
        routes[trace.hex] = route
    left = {route.left_id for route in routes.values() if route.left_id}
    if not left:
        return routes
    # A trace that another source brought first stays with that source's sessions.
    sources = dict(Session.objects.filter(pk__in=left).values_list("pk", "source"))
    return {
        trace_id: _route(
            project,
            sources[route.left_id],
            route.external_id,
            route.left_id,
            is_new=False,
        )
        if route.left_id
        else route
        for trace_id, route in routes.items()
    }


def _route(
    project: Project, source: str, external_id: str, stored_id: uuid.UUID, *, is_new: bool
) -> Route:
    wanted_id = session_id_of(project.pk, source, external_id)
    left_id = None if wanted_id == stored_id else stored_id
    return Route(wanted_id, source, external_id, left_id, is_new)
