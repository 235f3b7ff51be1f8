"""A session's totals, computed from its spans by the database, whatever order they came in."""

import uuid
from collections.abc import Sequence

from django.db import connection

# A search vector holds 1 MB, and a character of text takes up to eight bytes there.
SAID_LIMIT = 100_000
TITLE_LIMIT = 140

# A customer's first message; of a job without a customer, what its root span was given.
_SAYS_WHAT_IS_WANTED = r"""
    kind IN ('customer', 'agent')
    AND coalesce(CASE kind WHEN 'agent' THEN input ELSE output END ->> 'content', '') ~ '\S'
"""
_FIRST_WORDS = rf"""
    left(btrim(regexp_replace(
        left(CASE kind WHEN 'agent' THEN input ELSE output END ->> 'content', 2000),
        '\s+', ' ', 'g')), {TITLE_LIMIT})
"""

# One pass over the sessions' spans by their primary key. `first_ns` prunes older partitions: it is
# never later than the earliest span, because every writer keeps it so.
_REFRESH = f"""
UPDATE traces_session AS session SET
    first_ns = totals.first_ns, last_ns = totals.last_ns,
    started_at = to_timestamp(totals.first_ns / 1000000000)
        + make_interval(secs => mod(totals.first_ns, 1000000000) / 1000 / 1000000.0),
    working_ns = totals.working_ns, num_steps = totals.num_steps,
    num_spans = totals.num_spans, num_errors = totals.num_errors,
    input_tokens = totals.input_tokens, output_tokens = totals.output_tokens,
    cost_usd = totals.cost_usd, tools = totals.tools,
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
        sum(cost_usd) AS cost_usd,
        coalesce(jsonb_agg(DISTINCT name) FILTER (WHERE kind = 'tool'), '[]') AS tools,
        coalesce((array_agg({_FIRST_WORDS} ORDER BY kind DESC, start_ns, span_id)
            FILTER (WHERE {_SAYS_WHAT_IS_WANTED}))[1], '') AS title,
        coalesce(left(string_agg(output->>'content', E'\\n' ORDER BY start_ns, span_id)
            FILTER (WHERE kind IN ('customer', 'model')), {SAID_LIMIT}), '') AS said
    FROM traces_span WHERE session_id = ANY(%s) AND start_ns >= %s GROUP BY session_id
) AS totals
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
            cursor.execute(_REFRESH, [list(session_ids), earliest])
