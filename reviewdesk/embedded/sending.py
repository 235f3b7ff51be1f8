"""The scheduler's threads that send mail and webhooks, so that no slow receiver delays a sweep."""

import logging
import threading

from django.db import DatabaseError, close_old_connections

from agents.outbox.send import send_next

NUM_SENDERS = 3
PAUSE_SECONDS = 0.5
_AFTER_FAILURE_SECONDS = 5.0
_logger = logging.getLogger(__name__)


def send_until(stop: threading.Event) -> None:
    """Send what is due, one message after the other, until told to stop."""
    while not stop.is_set():
        close_old_connections()
        pause = PAUSE_SECONDS
        try:
            pause = 0.0 if send_next() else PAUSE_SECONDS
        except DatabaseError as error:
            _logger.warning("Messages cannot be sent (%s); it is tried again.", error)
        except Exception:
            # The message's lease ends and it is tried again; the thread must go on for the others.
            _logger.exception("A message could not be sent; it is tried again.")
            pause = _AFTER_FAILURE_SECONDS
        stop.wait(pause)
    close_old_connections()
