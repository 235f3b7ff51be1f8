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
_FIRST_WORDS = (
    rf"left(btrim(regexp_replace(left({_WANTED}, 2000), '\s+', ' ', 'g')), {TITLE_LIMIT})"
)

# One pass over the sessions' spans by their primary key. `first_ns` prunes older partitions: it is
# never later than the earliest span, because every writer keeps it so.
_REFRESH = rf"""
UPDATE traces_session AS session SET
    first_ns = totals.first_ns, last_ns = totals.last_ns,
    started_at = to_timestamp(totals.first_ns / 1000000000)
        + make_interval(secs => mod(totals.first_ns, 1000000000) / 1000 / 1000000.0),
    working_ns = totals.working_ns, num_steps = totals.num_steps,
    num_spans = totals.num_spans, num_errors = totals.num_errors,
    input_tokens = totals.input_tokens, output_tokens = totals.output_tokens,
    cached_tokens = totals.cached_tokens, reasoning_tokens = totals.reasoning_tokens,
    cost_usd = totals.cost_usd, tools = totals.tools, model_names = totals.model_names,
    masked = coalesce(masks.masked, '{{}}'),
    title = CASE WHEN session.title = '' THEN totals.title ELSE session.title END,
    said = totals.said
FROM (
    SELECT session_id,
        min(start_ns) AS first_ns,
        max(start_ns + duration_ns) AS last_ns,
        coalesce(sum(duration_ns) FILTER (WHERE kind IN ('model', 'tool')), 0) AS working_ns,
        count(*) FILTER (WHERE kind IN ('model', 'tool')) AS num_steps,
        count(*) AS num_spans,
        count(*) FILTER (WHERE status = 'error') AS num_errors,
        sum(input_tokens) AS input_tokens,
        sum(output_tokens) AS output_tokens,
        sum(cached_tokens) AS cached_tokens,
        sum(reasoning_tokens) AS reasoning_tokens,
        sum(cost_usd) AS cost_usd,
        coalesce(jsonb_agg(DISTINCT name) FILTER (WHERE kind = 'tool'), '[]') AS tools,
        coalesce(jsonb_agg(DISTINCT model) FILTER (WHERE model <> ''), '[]') AS model_names,
        coalesce((array_agg({_FIRST_WORDS} ORDER BY {_RANK}, start_ns, span_id)
            FILTER (WHERE coalesce({_WANTED}, '') ~ '\S'))[1], '') AS title,
        coalesce(left(string_agg(concat_ws(E'\n', nullif(heard, ''), output ->> 'content'), E'\n'
            ORDER BY start_ns, span_id)
            FILTER (WHERE kind IN ('customer', 'model')), {SAID_LIMIT}), '') AS said
    FROM traces_span WHERE session_id = ANY(%(sessions)s) AND start_ns >= %(first)s
    GROUP BY session_id
) AS totals
LEFT JOIN (
    SELECT session_id, jsonb_object_agg(kind, num) AS masked FROM (
        SELECT session_id, key AS kind, sum(value::int) AS num
        FROM traces_span, jsonb_each_text(masked)
        WHERE session_id = ANY(%(sessions)s) AND start_ns >= %(first)s AND masked IS NOT NULL
        GROUP BY session_id, key
    ) AS by_kind GROUP BY session_id
) AS masks USING (session_id)
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
