"""The rows of sessions whose spans come one by one."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from traces.ingest.facts import METADATA, merge_facts
from traces.ingest.routing import NamedTrace, Route
from traces.models import Project
from traces.records import from_ns
from traces.rows import json_text

# One JSON parameter instead of an array per column, which takes the driver ten times as long.
_SESSIONS = """
WITH named AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%s::jsonb) AS named (
        id uuid, source text, external_id text, agent_name text, version_name text,
        customer text, title text, started_at timestamptz, first_ns bigint, last_ns bigint,
        metadata jsonb)
), due AS (
    INSERT INTO traces_totalsdue (session_id, added_at) SELECT id, clock_timestamp() FROM named
)
INSERT INTO traces_session (
    id, project_id, source, external_id, status, status_reason, is_golden, agent_name,
    version_name, customer, title, started_at, first_ns, last_ns, received_at, working_ns,
    num_steps, num_spans, num_errors, tools, metadata, said)
SELECT id, %s, source, external_id, 'running', '', FALSE, agent_name, version_name, customer,
    title, started_at, first_ns, last_ns, clock_timestamp(), 0, 0, 0, 0, '[]', metadata, ''
FROM named ORDER BY id ON CONFLICT DO NOTHING
"""
# `first_ns` may never be later than a span: a session's spans are looked for from there on. It is
# written after the spans, whose foreign keys keep the session from being changed by a move.
_EARLIER = """
UPDATE traces_session AS session SET first_ns = least(session.first_ns, earlier.first_ns)
FROM (
    SELECT named.* FROM unnest(%(ids)s::uuid[], %(firsts)s::bigint[]) AS named (id, first_ns)
    JOIN traces_session AS known ON known.id = named.id AND known.first_ns > named.first_ns
    ORDER BY named.id FOR NO KEY UPDATE OF known
) AS earlier WHERE session.id = earlier.id
"""
_DUE = """
INSERT INTO traces_totalsdue (session_id, added_at)
SELECT named.id, clock_timestamp() FROM unnest(%s::uuid[]) AS named (id)
"""


@dataclass(frozen=True)
class ReceivedSession:
    """A session that spans have come for.

    Attributes:
        said: What these spans say of it, by the name of the fact.
        first_ns: Start of the earliest of these spans.
        last_ns: End of the latest.
    """

    id: uuid.UUID
    source: str
    external_id: str
    said: dict[str, Any]
    first_ns: int
    last_ns: int

    @property
    def metadata(self) -> dict[str, Any]:
        """Return what is said that has no column."""
        return {
            name.removeprefix(METADATA): value
            for name, value in self.said.items()
            if name.startswith(METADATA)
        }


def sessions_of(traces: Sequence[NamedTrace], routes: Mapping[str, Route]) -> list[ReceivedSession]:
    """Return the sessions that these traces' spans go to, each once."""
    grouped: dict[uuid.UUID, list[NamedTrace]] = {}
    for trace in traces:
        grouped.setdefault(routes[trace.trace_id].session_id, []).append(trace)
    return [
        ReceivedSession(
            id=session_id,
            source=routes[together[0].trace_id].source,
            external_id=routes[together[0].trace_id].external_id,
            said=merge_facts(trace.facts for trace in together),
            first_ns=min(trace.first_ns for trace in together),
            last_ns=max(trace.last_ns for trace in together),
        )
        for session_id, together in grouped.items()
    ]


def insert_sessions(project: Project, sessions: Sequence[ReceivedSession]) -> int:
    """Insert those that are new, and return how many are; the totals of all are due. One query."""
    rows = [
        {
            "id": str(session.id),
            "source": session.source,
            "external_id": session.external_id,
            "agent_name": session.said.get("agent_name", ""),
            "version_name": session.said.get("version_name", ""),
            "customer": session.said.get("customer", ""),
            "title": session.said.get("title", ""),
            "started_at": from_ns(session.first_ns).isoformat(),
            "first_ns": session.first_ns,
            "last_ns": session.last_ns,
            "metadata": session.metadata,
        }
        for session in sessions
    ]
    with connection.cursor() as cursor:
        cursor.execute(_SESSIONS, [json_text(rows), project.pk])
        num_new: int = cursor.rowcount
    return num_new


def note_earlier_starts(sessions: Sequence[ReceivedSession]) -> None:
    """Bring `first_ns` down to these spans' starts. One query, which seldom writes anything."""
    names: dict[str, Any] = {
        "ids": [session.id for session in sessions],
        "firsts": [session.first_ns for session in sessions],
    }
    with connection.cursor() as cursor:
        cursor.execute(_EARLIER, names)


def note_due(session_ids: Collection[uuid.UUID]) -> None:
    """Ask for these sessions' totals to be computed anew. One query, which never waits."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [list(session_ids)])
