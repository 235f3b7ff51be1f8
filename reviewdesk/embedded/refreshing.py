"""The scheduler's thread that brings totals up to date, so that no sweep waits for them."""

import logging
import threading
import time

from django.db import DatabaseError, close_old_connections

from traces.quiet import close_quiet_sessions
from traces.refresh import Refresher, lag
from traces.rollups import count_days

PAUSE_SECONDS = 0.5
CLOSE_SECONDS = 30.0
COUNTED_DAYS = 3
# Under load, which is while spans go on coming: how many times as long as it worked it rests, until
# totals are so far behind.
RESTS_TIMES_AS_LONG = 4
LONGEST_LAG_SECONDS = 15.0
LONGEST_REST_SECONDS = 5.0
_logger = logging.getLogger(__name__)


def refresh_until(stop: threading.Event) -> None:
    """Refresh what is due, twice a second where little is.

    Now and then it closes what went quiet, and counts days that changed. Under load it rests
    longer than it works: intake needs the processors more, and the totals of a session that is due
    ten times are computed once. Where they fall behind for long it works half of the time.
    """
    refresher = Refresher()
    close_at = count_at = 0.0
    while not stop.is_set():
        close_old_connections()
        began = time.monotonic()
        rest = PAUSE_SECONDS
        try:
            if refresher.take_turn():
                rest = rest_after(time.monotonic() - began)
            if began >= close_at:
                close_quiet_sessions()
                close_at = began + CLOSE_SECONDS
            if began >= count_at:
                count_at = _count_days()
        except DatabaseError as error:
            _logger.warning("The totals cannot be refreshed (%s); it is tried again.", error)
        stop.wait(max(rest, time.monotonic() - began))
    close_old_connections()


def rest_after(worked: float) -> float:
    """Return for how many seconds to rest after a turn that brought totals up to date."""
    rest = min(worked * RESTS_TIMES_AS_LONG, LONGEST_REST_SECONDS)
    if rest <= PAUSE_SECONDS:
        return PAUSE_SECONDS
    behind = lag()
    is_loaded = behind.num_due and behind.newest_seconds < PAUSE_SECONDS
    return rest if is_loaded and behind.seconds < LONGEST_LAG_SECONDS else PAUSE_SECONDS


def _count_days() -> float:
    """Count a few days that changed; return when to do so again, soon where more are due.

    A day of ten thousand sessions takes a second or two, so that it may take a fifth of the time.
    """
    began = time.monotonic()
    is_more_due = count_days(limit=COUNTED_DAYS) == COUNTED_DAYS
    now = time.monotonic()
    return now + max(0.0 if is_more_due else CLOSE_SECONDS, 4 * (now - began))
