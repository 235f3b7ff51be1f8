"""How long a request waits for the database before its sender is told to come back."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import Error, InterfaceError, InternalError, OperationalError, connection

# OpenTelemetry's SDKs give up 10 s after they first sent a batch, tries and pauses included.
CONNECT_SECONDS = 3.0
STATEMENT_SECONDS = 8.0
# What a database says that is away, starting, full, read-only, or slower than the limits here.
AWAY = (OperationalError, InterfaceError, InternalError)


@contextmanager
def bounded_waits() -> Iterator[None]:
    """Raise one of `AWAY` where the database cannot be reached, or takes too long over a query."""
    pool = getattr(connection, "pool", None)
    if pool and connection.connection is None:
        _find_connection(pool)
    with connection.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = {int(STATEMENT_SECONDS * 1000)}")
    try:
        yield
    finally:
        with suppress(Error), connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")


def _find_connection(pool: Any) -> None:
    """Wait for a connection no longer than a sender can; the pool itself waits for people."""
    with connection.wrap_database_errors:
        pool.open()
        with pool.connection(timeout=CONNECT_SECONDS):
            pass
