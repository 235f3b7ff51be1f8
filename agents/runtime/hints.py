"""Telling the workers that something is due. A hint may be lost, doubled or late: rows decide."""

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import KombuError, OperationalError
from psycopg import Error as PsycopgError

_logger = logging.getLogger(__name__)
ADVANCE_TASK = "agents.tasks.advance_runs"


def hint_on_commit() -> None:
    """Send one hint when the running transaction commits, however often this is called in it."""
    connection = transaction.get_connection()
    if not any(entry[1] is send_hint for entry in connection.run_on_commit):
        transaction.on_commit(send_hint)


def send_hint() -> None:
    """Send a hint now; a broker that is away costs latency, not the run (the sweeper finds it)."""
    try:
        current_app.send_task(ADVANCE_TASK, retry=False, ignore_result=True)
    except (OperationalError, KombuError, PsycopgError, OSError) as error:
        _logger.warning("No hint could be sent to the workers (%s); the sweeper will.", error)
