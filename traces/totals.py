"""A session's totals, computed from its spans by the database, whatever order they came in."""

import uuid
from collections.abc import Sequence

from django.db import connection

# A search vector holds 1 MB, and a character of text takes up to eight bytes there.
SAID_LIMIT = 100_000
TITLE_LIMIT = 140

# A customer's first message, else what people first said in a model's input; of a job without a
# customer, what its root span was given.
_WANTED = """CASE kind
    WHEN 'customer' THEN output ->> 'content' WHEN 'agent' THEN input ->> 'content' ELSE heard END
"""
_RANK = "CASE kind WHEN 'customer' THEN 0 WHEN 'agent' THEN 2 ELSE 1 END"
# Of each candidate its beginning; white space is taken out of the one that is chosen, which would
# take a second for all of a session of 50,000 spans.
_BEGINNING = rf"left(ltrim({_WANTED}, E' \n\r\t'), 500)"


# What is counted of model calls. Two libraries may record one call, one inside the other, in any
# order: of a call and the calls directly within it, the larger count stands.
_COUNTED = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "cost_usd")
_CALLS = ", ".join(_COUNTED)
_CALLS_WITHIN = ", ".join(f"sum({name}) AS {name}" for name in _COUNTED)
# `least` passes over what is unknown, so that has to count as nothing.
_REPEATED = ", ".join(
    f"sum(least(coalesce(around.{name}, 0), coalesce(within.{name}, 0))) AS {name}"
    for name in _COUNTED
)
_ONCE = ",\n    ".join(
    f"{name} = totals.{name} - coalesce(repeated.{name}, 0)" for name in _COUNTED
)


def _fact(name: str) -> str:
    return (
        f"{name} = CASE WHEN session.received_at IS NULL THEN session.{name} "
        f"ELSE coalesce(known.facts ->> '{name}', '') END"
    )


# What only sessions have whose spans came one by one: they have ended when a root has, unless one
# still runs, and their traces know what their spans say of them. One that was closed because no
# root came stays closed until another span comes. All others keep what they have.
_HAS_ENDED = "(totals.has_failed OR (totals.has_root AND NOT totals.is_running))"
_IS_KEPT = """(session.received_at IS NULL OR (
        session.status_reason <> '' AND session.num_spans = totals.num_spans
        AND NOT totals.has_failed AND NOT (totals.has_root AND NOT totals.is_running)))"""
_RECEIVED = f"""status = CASE WHEN {_IS_KEPT} THEN session.status
        WHEN totals.has_failed THEN 'failed'
        WHEN {_HAS_ENDED} THEN 'completed' ELSE 'running' END,
    status_reason = CASE WHEN {_IS_KEPT} THEN session.status_reason ELSE '' END,
    ended_at = CASE WHEN {_IS_KEPT} THEN session.ended_at
        WHEN {_HAS_ENDED} THEN to_timestamp(totals.last_ns / 1000000000)
            + make_interval(secs => mod(totals.last_ns, 1000000000) / 1000 / 1000000.0) END,
    received_at = CASE WHEN session.num_spans = totals.num_spans THEN session.received_at
        WHEN session.received_at IS NOT NULL THEN clock_timestamp() END,
    {", ".join(_fact(name) for name in ("agent_name", "version_name", "customer"))},
    metadata = CASE WHEN session.received_at IS NULL THEN session.metadata
        ELSE coalesce(known.metadata, '{{}}') END"""

# One pass over the sessions' spans by their primary key, and light ones over their model calls and
# masked spans. `first_ns` prunes older partitions: it is never later than the earliest span,
# because every writer keeps it so.
_REFRESH = rf"""
WITH calls AS MATERIALIZED (
    SELECT session_id, coalesce(trace_id, session_id) AS trace_id, span_id, parent_id, {_CALLS}
    FROM traces_span
    WHERE session_id = ANY(%(sessions)s) AND start_ns >= %(first)s AND kind = 'model'
)
UPDATE traces_session AS session SET
    first_ns = least(session.first_ns, totals.first_ns), last_ns = totals.last_ns,
    started_at = to_timestamp(totals.first_ns / 1000000000)
        + make_interval(secs => mod(totals.first_ns, 1000000000) / 1000 / 1000000.0),
    working_ns = totals.working_ns, num_steps = totals.num_steps,
    num_spans = totals.num_spans, num_errors = totals.num_errors,
    {_ONCE},
    tools = totals.tools, model_names = totals.model_names,
    masked = coalesce(masks.masked, '{{}}'),
    title = coalesce(known.facts ->> 'title',
        CASE WHEN session.title = '' OR session.received_at IS NOT NULL THEN totals.title
            ELSE session.title END),
    said = totals.said,
    {_RECEIVED}
FROM (
    SELECT session_id,
        min(start_ns) AS first_ns,
        max(start_ns + duration_ns) AS last_ns,
        least(coalesce(sum(duration_ns) FILTER (WHERE kind IN ('model', 'tool')), 0),
            9223372036854775807) AS working_ns,
        count(*) FILTER (WHERE kind IN ('model', 'tool')) AS num_steps,
        count(*) AS num_spans,
        count(*) FILTER (WHERE status = 'error') AS num_errors,
        sum(input_tokens) AS input_tokens,
        sum(output_tokens) AS output_tokens,
        sum(cached_tokens) AS cached_tokens,
        sum(reasoning_tokens) AS reasoning_tokens,
        CASE WHEN sum(cost_usd) >= 1000000 THEN 999999.99999999 ELSE sum(cost_usd) END AS cost_usd,
        bool_or(parent_id = '') AS has_root,
        bool_or(parent_id = '' AND status = 'error') AS has_failed,
        bool_or(parent_id = '' AND status IN ('running', 'waiting')) AS is_running,
        coalesce(jsonb_agg(DISTINCT name) FILTER (WHERE kind = 'tool'), '[]') AS tools,
        coalesce(jsonb_agg(DISTINCT model) FILTER (WHERE model <> ''), '[]') AS model_names,
        coalesce(left(btrim(regexp_replace((array_agg({_BEGINNING}
                ORDER BY {_RANK}, start_ns, span_id)
            FILTER (WHERE coalesce({_WANTED}, '') ~ '\S'))[1],
            '\s+', ' ', 'g')), {TITLE_LIMIT}), '') AS title,
        coalesce(left(string_agg(concat_ws(E'\n', nullif(heard, ''), output ->> 'content'), E'\n'
            ORDER BY start_ns, span_id)
            FILTER (WHERE kind IN ('customer', 'model')), {SAID_LIMIT}), '') AS said
    FROM traces_span WHERE session_id = ANY(%(sessions)s) AND start_ns >= %(first)s
    GROUP BY session_id
) AS totals
LEFT JOIN (
    SELECT session_id, {_REPEATED}
    FROM (
        SELECT session_id, trace_id, parent_id AS span_id, {_CALLS_WITHIN}
        FROM calls WHERE parent_id <> span_id GROUP BY session_id, trace_id, parent_id
    ) AS within JOIN calls AS around USING (session_id, trace_id, span_id) GROUP BY session_id
) AS repeated USING (session_id)
LEFT JOIN (
    SELECT session_id, jsonb_object_agg(kind, num) AS masked FROM (
        SELECT session_id, key AS kind, sum(value::int) AS num
        FROM traces_span, jsonb_each_text(masked)
        WHERE session_id = ANY(%(sessions)s) AND start_ns >= %(first)s AND masked IS NOT NULL
        GROUP BY session_id, key
    ) AS by_kind GROUP BY session_id
) AS masks USING (session_id)
LEFT JOIN (
    SELECT session_id, jsonb_object_agg(key, value) AS facts,
        coalesce(jsonb_object_agg(substr(key, 10), value)
            FILTER (WHERE starts_with(key, 'metadata.')), '{{}}') AS metadata
    FROM (
        SELECT DISTINCT ON (session_id, key) session_id, key, value -> 1 AS value
        FROM traces_trace, jsonb_each(known) WHERE session_id = ANY(%(sessions)s)
        ORDER BY session_id, key, known -> key, trace_id
    ) AS best GROUP BY session_id
) AS known USING (session_id)
WHERE session.id = totals.session_id
"""


def refresh_totals(session_ids: Sequence[uuid.UUID]) -> None:
    """Bring the totals of these sessions up to date with their spans (two queries)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT min(first_ns) FROM traces_session WHERE id = ANY(%s)", [list(session_ids)]
        )
        (earliest,) = cursor.fetchone()
        if earliest is not None:
            cursor.execute(_REFRESH, {"sessions": list(session_ids), "first": earliest})
