"""The scheduler's thread that finishes lost undos: it calls tools, and no sweep waits for them."""

import logging
import threading

from django.db import DatabaseError, close_old_connections

from agents.tools.undo import finish_lost_undos

PAUSE_SECONDS = 10.0
_logger = logging.getLogger(__name__)


def finish_undos_until(stop: threading.Event) -> None:
    """Look every ten seconds for undos whose process was lost, until told to stop."""
    while not stop.is_set():
        close_old_connections()
        try:
            finish_lost_undos()
        except DatabaseError as error:
            _logger.warning("Lost undos cannot be finished (%s); it is tried again.", error)
        except Exception:
            # One undo that cannot be finished must not end the thread.
            _logger.exception("A lost undo could not be finished; it is tried again.")
        stop.wait(PAUSE_SECONDS)
    close_old_connections()
