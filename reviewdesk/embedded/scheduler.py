"""The scheduler process: the sweep every second and the housekeeping, by one process at a time."""

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import psycopg
from django.db import DatabaseError, close_old_connections, connection

from agents.runtime.sweeper import keep_house, sweep
from reviewdesk.embedded.refreshing import refresh_until
from reviewdesk.embedded.sending import NUM_SENDERS, send_until
from reviewdesk.embedded.undoing import finish_undos_until

SWEEP_SECONDS = 1.0
HOUSE_SECONDS = 600.0
_STOP_SECONDS = 2.0
_LOCK = 7_310_003
_logger = logging.getLogger(__name__)


def run_scheduler() -> None:
    """Sweep until SIGTERM or SIGINT.

    However many schedulers run, the one that holds the advisory lock works, on a connection of
    its own; when it dies the database gives the lock to the next.
    """
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    while not stop.is_set():
        try:
            with psycopg.connect(**_parameters(), autocommit=True) as own, _beside() as begin:
                _work_in_turn(own, stop, begin)
        except (DatabaseError, psycopg.OperationalError) as error:
            _logger.warning("The scheduler's database is away (%s); it is tried again.", error)
            stop.wait(SWEEP_SECONDS)


def _parameters() -> dict[str, Any]:
    name = f"reviewdesk scheduler {os.getpid()}"
    return {**connection.get_connection_params(), "application_name": name}


@contextlib.contextmanager
def _beside() -> Iterator[Callable[[], None]]:
    """Give what starts the threads beside the sweep, whose work waits; at the end they stop."""
    stop = threading.Event()
    work = [
        ("refresher", refresh_until),
        ("undoer", finish_undos_until),
        *[("sender", send_until)] * NUM_SENDERS,
    ]
    threads = [
        threading.Thread(target=target, args=(stop,), name=name, daemon=True)
        for name, target in work
    ]

    def begin() -> None:
        for thread in threads:
            thread.start()

    try:
        yield begin
    finally:
        stop.set()
        for thread in threads:
            if thread.is_alive():
                thread.join(_STOP_SECONDS)


def _work_in_turn(
    own: "psycopg.Connection[tuple[object, ...]]", stop: threading.Event, begin: Callable[[], None]
) -> None:
    is_mine = False
    house_at = time.monotonic()
    while not stop.is_set():
        close_old_connections()
        if is_mine:
            own.execute("SELECT 1")
            if time.monotonic() >= house_at:
                keep_house()
                house_at += HOUSE_SECONDS
            sweep()
        else:
            row = own.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone()
            is_mine = bool(row and row[0])
            if is_mine:
                begin()
                continue
        stop.wait(SWEEP_SECONDS)
