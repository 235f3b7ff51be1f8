"""A process's share in the embedded PostgreSQL: held while it uses the database."""

import contextlib
import fcntl
import subprocess
import sys
import time
from types import TracebackType
from typing import IO, Self

import psycopg
from psycopg import sql

from reviewdesk.embedded.cluster import check_major
from reviewdesk.embedded.errors import ServerError
from reviewdesk.embedded.place import (
    DATABASE,
    ROLE,
    SUPERUSER,
    Place,
    is_kept,
    is_stopping,
    locked,
)
from reviewdesk.environment import CHECKOUT

_START_SECONDS = 300
_STOP_SECONDS = 60


class Lease:
    """Use of a cluster. The server runs from the first lease to the end of the last.

    A context manager. The lock behind it goes with the process, however that ends.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self._users: IO[bytes] | None = None
        self._keeper: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Have the server running.

        Raises:
            EmbeddedError: It cannot be started; the message says why.
        """
        self.place.make()
        if self.place.data.exists():
            check_major(self.place)
        self._users = self.place.open_lock("users")
        fcntl.flock(self._users, fcntl.LOCK_SH)
        try:
            self.ensure_running()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the share back; wait for the server's stop if it was the last."""
        if self._users:
            self._users.close()
        deadline = time.monotonic() + _STOP_SECONDS
        num_seen_in_use = 0
        while num_seen_in_use < 3 and is_kept(self.place) and time.monotonic() < deadline:
            num_seen_in_use += not is_stopping(self.place)
            time.sleep(0.1)
        if self._keeper and is_kept(self.place):
            self._keeper.returncode = (
                0  # it stays for the others, and is nobody's child to wait for
            )
        elif self._keeper:
            self._keeper.wait(_STOP_SECONDS)

    @property
    def is_kept(self) -> bool:
        """Say whether a keeper looks after the server."""
        return is_kept(self.place)

    def ensure_running(self) -> bool:
        """Start the server unless it runs; say whether it had to be started.

        Raises:
            ServerError: It cannot be started.
        """
        if is_kept(self.place) and _can_connect(self.place, DATABASE):
            return False
        with locked(self.place, "start"):
            if not is_kept(self.place):
                if self._keeper:
                    self._keeper.wait(_STOP_SECONDS)
                self._keeper = _start_keeper(self.place)
            _wait_until_ready(self.place)
            _make_database(self.place)
        return True


def _start_keeper(place: Place) -> "subprocess.Popen[bytes]":
    arguments = [
        sys.executable,
        "-m",
        "reviewdesk.embedded.keeper",
        str(place.directory),
        str(place.socket_directory),
        place.account.name,
        *(["--temporary"] if place.is_temporary else []),
    ]
    with place.keeper_log.open("wb") as log:
        keeper = subprocess.Popen(  # noqa: S603
            arguments,
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + 10
    while not is_kept(place) and time.monotonic() < deadline and keeper.poll() is None:
        time.sleep(0.01)
    return keeper


def _wait_until_ready(place: Place) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not _can_connect(place, SUPERUSER):
        if not is_kept(place):
            reason = place.keeper_log.read_text(errors="replace").strip()
            raise ServerError(f"PostgreSQL does not start: {reason}\nIts log is in {place.log}.")
        if time.monotonic() > deadline:
            raise ServerError(
                f"PostgreSQL is not ready after {_START_SECONDS} s. Its log is in {place.log}."
            )
        time.sleep(0.02)


def _can_connect(place: Place, database: str) -> bool:
    try:
        _connect(place, database).close()
    except psycopg.OperationalError:
        return False
    return True


def _connect(place: Place, database: str) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(
        host=str(place.socket_directory), dbname=database, user=SUPERUSER, autocommit=True
    )


def _make_database(place: Place) -> None:
    """Make the role and the database that reviewdesk uses, which owns nothing else."""
    with contextlib.closing(_connect(place, SUPERUSER)) as connection:
        if not _has(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", ROLE):
            role = sql.Identifier(ROLE)
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(role))
        if not _has(connection, "SELECT 1 FROM pg_database WHERE datname = %s", DATABASE):
            statement = sql.SQL("CREATE DATABASE {} OWNER {}")
            names = sql.Identifier(DATABASE), sql.Identifier(ROLE)
            connection.execute(statement.format(*names))


def _has(connection: "psycopg.Connection[tuple[object, ...]]", query: str, name: str) -> bool:
    return connection.execute(query.encode(), [name]).fetchone() is not None
