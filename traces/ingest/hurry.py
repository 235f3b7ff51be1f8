"""An end to bodies that come byte by byte, each of which keeps a thread of the server."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from socket import SHUT_RD, socket

_LOOK_SECONDS = 0.25
_lock = threading.Lock()
_clocks: dict[int, "Clock"] = {}
_watch: threading.Thread | None = None


@dataclass
class Clock:
    """When a connection is closed for reading, and whether it has been."""

    connection: socket
    ends_at: float
    is_over: bool = False


@contextmanager
def hurried(connection: socket | None, seconds: float) -> Iterator[Clock | None]:
    """Close a connection for reading after so long: whoever reads from it then gets its end.

    A timeout of the socket begins anew with each byte, and the server reads in a loop of its own.
    One thread watches for all, since a timer for each request is a thread for each.
    """
    if connection is None:
        yield None
        return
    clock = Clock(connection, time.monotonic() + seconds)
    with _lock:
        _clocks[id(clock)] = clock
        _start_watch()
    try:
        yield clock
    finally:
        with _lock:
            del _clocks[id(clock)]


def _start_watch() -> None:
    """Start the thread, which a process that was forked does not have."""
    global _watch
    if _watch is None or not _watch.is_alive():
        _watch = threading.Thread(target=_look, name="hurry", daemon=True)
        _watch.start()


def _look() -> None:
    while True:
        time.sleep(_LOOK_SECONDS)
        now = time.monotonic()
        with _lock:
            for clock in _clocks.values():
                if now >= clock.ends_at:
                    clock.is_over = True
                    with suppress(OSError):
                        clock.connection.shutdown(SHUT_RD)
