"""The worker process: Celery takes hints, a crew advances runs, a heartbeat renews leases."""

import logging
import os
import socket
import threading
import warnings
from collections.abc import Callable

from celery.platforms import SecurityWarning  # type: ignore[attr-defined]
from django.db import DatabaseError, close_old_connections

from agents.runtime.claim import beat, leave
from agents.runtime.worker import advance_due_runs, hire
from reviewdesk.celery import app

NUM_THREADS = 200
NUM_HINTS = 2
BEAT_SECONDS = 2.0
END_SECONDS = 2.0
CALL_SECONDS = 23.0
_logger = logging.getLogger(__name__)


def run_worker(*, num_threads: int = NUM_THREADS) -> int:
    """Advance up to `num_threads` runs at a time until SIGTERM or SIGINT; return the exit code.

    What is in progress then has two seconds, and a call outside that may change something 25; the
    rest is given back, to go on from its journal.
    """
    warnings.simplefilter("ignore", SecurityWarning)  # root, but messages are JSON, not pickle
    os.environ["CELERY_SKIP_CHECKS"] = "1"  # they load every page, which a worker never serves
    stop = threading.Event()
    heart = threading.Thread(target=_beat_until, args=(stop,), name="heartbeat", daemon=True)

    crew = hire(num_threads)
    # Not when Celery is ready, half a second later: what is due needs no hint.
    heart.start()
    worker = app.Worker(
        hostname=f"worker-{os.getpid()}@{socket.gethostname()}",
        pool="threads",
        concurrency=NUM_HINTS,
        loglevel="WARNING",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    crew.end(END_SECONDS, call_seconds=CALL_SECONDS)
    stop.set()
    heart.join(BEAT_SECONDS)
    return int(worker.exitcode or 0)


def _beat_until(stop: threading.Event) -> None:
    """Beat, at once and then every two seconds; give everything back at the end.

    With the first beat it looks for what is due: a hint may have been lost with another worker.
    A database that is away is tried again: the leases outlive four beats that fail.
    """
    _try(beat)
    advance_due_runs()
    while not stop.wait(BEAT_SECONDS):
        _try(beat)
    _try(leave)


def _try(write: Callable[[], None]) -> None:
    close_old_connections()
    try:
        write()
    except DatabaseError as error:
        _logger.warning("The worker's heartbeat fails (%s); it is tried again.", error)
