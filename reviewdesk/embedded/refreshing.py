"""The scheduler's thread that brings totals up to date, so that no sweep waits for them."""

import logging
import threading
import time

from django.db import DatabaseError, close_old_connections

from traces.quiet import close_quiet_sessions
from traces.refresh import Refresher
from traces.rollups import count_days

PAUSE_SECONDS = 0.5
CLOSE_SECONDS = 30.0
COUNTED_DAYS = 3
_logger = logging.getLogger(__name__)


def refresh_until(stop: threading.Event) -> None:
    """Refresh what is due, twice a second where little is.

    Now and then it closes what went quiet, and counts days that changed. Under load it rests as
    long as it has worked: intake needs the processors more, and the totals of a session that is
    due ten times are computed once.
    """
    refresher = Refresher()
    close_at = count_at = 0.0
    while not stop.is_set():
        close_old_connections()
        began = time.monotonic()
        try:
            refresher.take_turn()
            if began >= close_at:
                close_quiet_sessions()
                close_at = began + CLOSE_SECONDS
            if began >= count_at:
                count_at = _count_days()
        except DatabaseError as error:
            _logger.warning("The totals cannot be refreshed (%s); it is tried again.", error)
        stop.wait(max(PAUSE_SECONDS, time.monotonic() - began))
    close_old_connections()


def _count_days() -> float:
    """Count a few days that changed; return when to do so again, soon where more are due.

    A day of ten thousand sessions takes a second or two, so that it may take a fifth of the time.
    """
    began = time.monotonic()
    is_more_due = count_days(limit=COUNTED_DAYS) == COUNTED_DAYS
    now = time.monotonic()
    return now + max(0.0 if is_more_due else CLOSE_SECONDS, 4 * (now - began))
