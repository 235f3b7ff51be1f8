"""Totals of received sessions, computed a moment after their spans have come."""

import logging
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import DataError, connection, transaction

from traces.ingest.late import take_in_events
from traces.models import Session, TotalsDue
from traces.scores import attach_scores
from traces.totals import refresh_totals

BATCH_SESSIONS = 100
LONG_SESSION_SPANS = 2_000
RESTS_TIMES_AS_LONG = 10
LONGEST_REST_SECONDS = 5.0
_logger = logging.getLogger(__name__)

# What a crash takes back is due again: totals and the rows that ask for them go together, so there
# is nothing to wait for the disk for. The table's lock comes before that of spans, as with whoever
# makes a partition: each would wait for the other.
_BEGIN = """
SET LOCAL synchronous_commit = off;
LOCK TABLE traces_session IN ROW EXCLUSIVE MODE;
"""
# A session that somebody else is writing is left for the next time, so that nobody waits.
_LOCK = """
SELECT id FROM traces_session WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
"""


@dataclass(frozen=True)
class Lag:
    """How far the totals are behind.

    Attributes:
        num_due: Requests for new totals that are not answered yet; a session may have several.
        seconds: Age of the oldest of them, 0 where there is none.
        newest_seconds: Age of the newest.
    """

    num_due: int
    seconds: float
    newest_seconds: float


def lag() -> Lag:
    """Return how far the totals are behind. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(added_at)), 0), "
            "coalesce(extract(epoch FROM clock_timestamp() - max(added_at)), 0) "
            "FROM traces_totalsdue"
        )
        num_due, seconds, newest_seconds = cursor.fetchone()
    return Lag(num_due, float(seconds), float(newest_seconds))


def drain() -> int:
    """Bring all totals up to date; return how many sessions were, each as often as it was."""
    num_sessions = 0
    while num := refresh_due():
        num_sessions += num
    return num_sessions


def refresh_due(limit: int = 5_000) -> int:
    """Bring the totals of the sessions that wait longest up to date; return how many were.

    Looks at the `limit` oldest requests, of which those of one session are answered together. A
    transaction for each `BATCH_SESSIONS` sessions, which stay locked while their totals are
    computed; whoever adds spans does not wait for that.
    """
    return Refresher().take_turn(limit)


class Refresher:
    """Refreshes again and again, and lets long sessions rest meanwhile.

    A session's totals are computed from all of its spans, so one of 50,000 that grows by the
    second would keep the database busy alone: after each time it rests ten times as long as that
    took, and never over `LONGEST_REST_SECONDS`.
    """

    def __init__(self) -> None:
        self._rests: dict[uuid.UUID, float] = {}

    def take_turn(self, limit: int = 5_000) -> int:
        """Refresh what is due and does not rest; return how many sessions were."""
        now = time.monotonic()
        self._rests = {key: until for key, until in self._rests.items() if until > now}
        due = _due(limit, resting=list(self._rests))
        long = _long_ones(due)
        short = [each for each in due if each not in long]
        num_done = 0
        for start in range(0, len(short), BATCH_SESSIONS):
            batch = short[start : start + BATCH_SESSIONS]
            num_done += _refresh_batch({each: due[each] for each in batch})
        return num_done + sum(self._refresh_long(each, due[each]) for each in long)

    def _refresh_long(self, session_id: uuid.UUID, rows: list[int]) -> int:
        began = time.monotonic()
        num_done = _refresh_batch({session_id: rows})
        ended = time.monotonic()
        rest = min((ended - began) * RESTS_TIMES_AS_LONG, LONGEST_REST_SECONDS)
        self._rests[session_id] = ended + rest
        return num_done


def _due(limit: int, *, resting: list[uuid.UUID]) -> dict[uuid.UUID, list[int]]:
    """Return the oldest requests by session."""
    due: dict[uuid.UUID, list[int]] = {}
    rows = TotalsDue.objects.exclude(session_id__in=resting).order_by("pk")
    for pk, session_id in rows.values_list("pk", "session_id")[:limit]:
        due.setdefault(session_id, []).append(pk)
    return due


def _long_ones(session_ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Return which of them had many spans when they were refreshed last."""
    found = Session.objects.filter(pk__in=list(session_ids), num_spans__gte=LONG_SESSION_SPANS)
    return set(found.values_list("pk", flat=True))


def _refresh_batch(due: dict[uuid.UUID, list[int]]) -> int:
    """Refresh these sessions together; one whose totals cannot be stored spoils no other's."""
    try:
        return _refresh(due)
    except DataError as error:
        if len(due) == 1:
            _logger.warning("Session %s has totals that cannot be stored: %s", *due, error)
            _forget(next(iter(due.values())))
            return 0
    return sum(_refresh_batch({session_id: rows}) for session_id, rows in due.items())


def _refresh(due: dict[uuid.UUID, list[int]]) -> int:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_BEGIN)
            cursor.execute(_LOCK, [list(due)])
            locked = [row[0] for row in cursor.fetchall()]
            gone = _gone(due, locked)
        attach_scores(locked)
        take_in_events(locked)
        refresh_totals(locked)
        _forget([row for session_id in (*locked, *gone) for row in due[session_id]])
    return len(locked)


def _gone(due: dict[uuid.UUID, list[int]], locked: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Return which of the sessions are deleted, not only locked by somebody else."""
    unlocked = set(due) - set(locked)
    if not unlocked:
        return set()
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM traces_session WHERE id = ANY(%s)", [list(unlocked)])
        return unlocked - {row[0] for row in cursor.fetchall()}


def _forget(rows: Sequence[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM traces_totalsdue WHERE id = ANY(%s)", [list(rows)])
