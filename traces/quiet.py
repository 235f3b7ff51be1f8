"""Closing received sessions whose root span never comes."""

from django.db import connection

QUIET_MINUTES = 15
NO_ROOT = f"Closed after {QUIET_MINUTES} quiet minutes: its root span never came."
OPEN_ROOT = f"Closed after {QUIET_MINUTES} quiet minutes: its root span never ended."

# By the index of received sessions that run. What stands at the top then, its parent being
# nowhere, counts as a root. One with totals due has news that nobody has looked at yet.
_CLOSE = """
WITH quiet AS (
    SELECT id, first_ns, last_ns FROM traces_session AS running
    WHERE status = 'running'
        AND received_at < clock_timestamp() - make_interval(mins => %(minutes)s)
        AND NOT EXISTS (SELECT FROM traces_totalsdue AS due WHERE due.session_id = running.id)
    ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
), judged AS (
    SELECT quiet.*, (
        SELECT bool_or(span.status = 'error' AND parent.span_id IS NULL)
        FROM traces_span AS span LEFT JOIN traces_span AS parent
            ON parent.session_id = quiet.id AND parent.span_id = span.parent_id
            AND parent.start_ns >= quiet.first_ns
        WHERE span.session_id = quiet.id AND span.start_ns >= quiet.first_ns
    ) AS has_failed, EXISTS (
        SELECT FROM traces_span AS span WHERE span.session_id = quiet.id
            AND span.start_ns >= quiet.first_ns AND span.parent_id = ''
    ) AS has_root FROM quiet
)
UPDATE traces_session AS session SET
    status = CASE WHEN judged.has_failed THEN 'failed' ELSE 'completed' END,
    status_reason = CASE WHEN judged.has_root THEN %(open_root)s ELSE %(no_root)s END,
    ended_at = to_timestamp(judged.last_ns / 1000000000)
        + make_interval(secs => mod(judged.last_ns, 1000000000) / 1000 / 1000000.0)
FROM judged WHERE session.id = judged.id
"""


def close_quiet_sessions(*, limit: int = 500) -> int:
    """Close sessions for which nothing has come for `QUIET_MINUTES`; return how many were.

    A span that comes later opens its session again. One query.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _CLOSE,
            {
                "minutes": QUIET_MINUTES,
                "limit": limit,
                "no_root": NO_ROOT,
                "open_root": OPEN_ROOT,
            },
        )
        num_closed: int = cursor.rowcount
    return num_closed
