"""The home: the directory of all data, made and checked before anything starts."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from reviewdesk.embedded.account import server_account
from reviewdesk.embedded.errors import HomeError
from reviewdesk.embedded.paths import database_home, secret_key_of, socket_directory, write_once
from reviewdesk.embedded.place import ROOT_HOME, Place, make_folder, try_lock
from reviewdesk.environment import Environment


def prepare_home(environment: Environment) -> None:
    """Make the home (mode 700) and what every process reads in it.

    Raises:
        HomeError: It cannot be made or written; says why and names the variable.
    """
    home = environment.home
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise HomeError(
            f"The home {home} cannot be made ({error.strerror}). {_way_out(home)}"
        ) from error
    if not os.access(home, os.W_OK | os.X_OK):
        raise HomeError(f"The home {home} cannot be written. {_way_out(home)}")
    secret_key_of(environment)
    if os.geteuid() == 0:
        write_once(home / "database", secrets.token_hex(4))


@contextlib.contextmanager
def hold_home(environment: Environment) -> Iterator[None]:
    """Be the only desk that runs with this home.

    Raises:
        HomeError: Another one does.
    """
    path = environment.home / "up.lock"
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
        if not try_lock(file, fcntl.LOCK_EX):
            raise HomeError(
                f"A desk runs with the home {environment.home} already ({file.read().strip()}). "
                "Stop it, or name another directory in REVIEWDESK_HOME."
            )
        file.truncate()
        file.write(f"process {os.getpid()}, http://127.0.0.1:{environment.port}\n")
        file.flush()
        yield


def place_of(environment: Environment) -> Place:
    """Return the place of the home's embedded cluster.

    Raises:
        AccountError: There is no account that the server may run under.
    """
    account = server_account(environment.account)
    if not account.is_own:
        make_root_home()
    return Place(database_home(environment), socket_directory(environment), account)


def make_root_home() -> None:
    """Make `/var/lib/reviewdesk`, which the server's account must be able to enter."""
    make_folder(ROOT_HOME, 0o755)


def _way_out(home: Path) -> str:
    folder = home if os.path.exists(home) else home.parent  # unlike Path.exists, never raises
    return (
        f"Let {folder} be written by the user who runs reviewdesk, or name another directory in "
        "REVIEWDESK_HOME."
    )
