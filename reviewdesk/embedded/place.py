"""Where one embedded cluster lives, and the locks through which processes share it.

Everything in `directory` but `data`, `run` and `log` belongs to whoever runs reviewdesk; those
three belong to the server's account. Nobody else can read any of it.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from reviewdesk.embedded.account import Account
from reviewdesk.embedded.errors import AccountError

DATABASE = "reviewdesk"
ROLE = "reviewdesk"
SUPERUSER = "postgres"
ROOT_HOME = Path("/var/lib/reviewdesk")


@dataclass(frozen=True)
class Place:
    """A cluster's place.

    Attributes:
        directory: Holds the data, the logs and the locks.
        socket_directory: Holds the server's socket, at a path short enough for the kernel.
        account: Who runs the server.
        is_temporary: Whether the cluster is a test run's: quick, unsafe, removed after use.
    """

    directory: Path
    socket_directory: Path
    account: Account
    is_temporary: bool = False

    @property
    def data(self) -> Path:
        """Return PostgreSQL's data directory."""
        return self.directory / "data"

    @property
    def log(self) -> Path:
        """Return the folder of the server's log files, one a weekday."""
        return self.directory / "log"

    @property
    def keeper_log(self) -> Path:
        """Return the file of the keeper's messages, and the server's before its log opens."""
        return self.directory / "keeper.log"

    @property
    def access_file(self) -> Path:
        """Return PostgreSQL's `hba_file`."""
        return self.directory / "pg_hba.conf"

    @property
    def people_file(self) -> Path:
        """Return PostgreSQL's `ident_file`."""
        return self.directory / "pg_ident.conf"

    def make(self) -> None:
        """Make the folders that are missing; folders that exist stay as they are.

        Safe to run in several processes at once.

        Raises:
            AccountError: The server's account cannot enter a folder above its data.
        """
        make_folder(self.directory, 0o700 if self.account.is_own else 0o711)
        self._check_can_be_entered()
        with locked(self, "start"):
            for folder in (self.log, self.socket_directory):
                self._make_for_server(folder)

    def _check_can_be_entered(self) -> None:
        if self.account.is_own:
            return
        for folder in (self.directory, *self.directory.parents):
            if not _may_enter(self.account, folder.stat()):
                raise AccountError(
                    f"The account {self.account.name}, under which PostgreSQL runs, may not enter "
                    f"{folder}. Let it (chmod o+x {folder}), or name another account in "
                    "REVIEWDESK_ACCOUNT."
                )

    def _make_for_server(self, folder: Path) -> None:
        if make_folder(folder, 0o700) and not self.account.is_own:
            os.chown(folder, self.account.uid, self.account.gid)

    def open_lock(self, name: str) -> IO[bytes]:
        """Open the lock file `name`, made if it is missing: `users`, `keeper` or `start`."""
        descriptor = os.open(self.lock_file(name), os.O_RDWR | os.O_CREAT, 0o600)
        return os.fdopen(descriptor, "r+b")

    def lock_file(self, name: str) -> Path:
        """Return the path of a lock file."""
        return self.directory / f"{name}.lock"


def make_folder(folder: Path, mode: int) -> bool:
    """Make a folder with exactly this mode unless it exists; say whether it was made."""
    mask = os.umask(0)
    try:
        folder.mkdir(mode=mode)
    except FileExistsError:
        return False
    finally:
        os.umask(mask)
    return True


def _may_enter(account: Account, status: os.stat_result) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & 0o100)
    return bool(status.st_mode & (0o010 if status.st_gid == account.gid else 0o001))


def try_lock(file: IO[Any], operation: int) -> bool:
    """Take a `flock` without waiting; say whether it was given."""
    try:
        fcntl.flock(file, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def locked(place: Place, name: str) -> Iterator[None]:
    """Hold the lock `name` alone, waiting for it."""
    with place.open_lock(name) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_kept(place: Place) -> bool:
    """Say whether a keeper looks after the cluster."""
    return not _can_share(place, "keeper")


def is_stopping(place: Place) -> bool:
    """Say whether the keeper has taken the lock of the users, to stop the server."""
    return not _can_share(place, "users")


def _can_share(place: Place, name: str) -> bool:
    try:
        with place.lock_file(name).open("rb") as file:
            return try_lock(file, fcntl.LOCK_SH)
    except FileNotFoundError:
        return True
