"""Scores and words that were sent for spans: those whose spans never came, or are deleted."""

import uuid
from collections.abc import Sequence

from django.db import connection, transaction

KEEP_DAYS = 7
_AT_ONCE = 5_000
_TABLES = {"traces_score": "session_id IS NULL", "traces_waitingevent": "TRUE"}

_DROP = """
DELETE FROM {table} WHERE id IN (
    SELECT id FROM {table}
    WHERE {condition} AND received_at < clock_timestamp() - make_interval(days => %s) LIMIT %s)
"""
_OF_SESSIONS = """
DELETE FROM {table} AS sent USING traces_trace AS trace
WHERE trace.session_id = ANY(%s)
    AND sent.project_id = trace.project_id AND sent.trace_id = trace.trace_id
"""


def drop_unclaimed() -> int:
    """Delete what has waited for its spans for `KEEP_DAYS`; return how many rows were.

    A transaction for some thousand of them: interrupted, it goes on with the rest.
    """
    num_dropped = 0
    for table, condition in _TABLES.items():
        while True:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(
                    _DROP.format(table=table, condition=condition), [KEEP_DAYS, _AT_ONCE]
                )
                num_dropped += cursor.rowcount
                if cursor.rowcount < _AT_ONCE:
                    break
    return num_dropped


def delete_sent(session_ids: Sequence[uuid.UUID]) -> None:
    """Delete what was sent for these sessions, taken in or not, by their traces. Two queries.

    Called in the transaction that deletes the sessions, before their traces go.
    """
    with connection.cursor() as cursor:
        for table in _TABLES:
            cursor.execute(_OF_SESSIONS.format(table=table), [list(session_ids)])
