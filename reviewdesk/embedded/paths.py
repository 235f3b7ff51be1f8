"""Where a home keeps its database and its secret key."""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from reviewdesk.embedded.place import DATABASE, ROLE, ROOT_HOME
from reviewdesk.environment import MAX_SOCKET_PATH, Environment

_SOCKET_NAME = "/.s.PGSQL.5432.lock"


def database_home(environment: Environment) -> Path:
    """Return the directory of the embedded database.

    As root the server runs under an unprivileged account that may not be able to enter
    `environment.home`, so its data lies under `/var/lib/reviewdesk`, by an id that the home
    keeps: a home that moves finds its data, one that is removed and made again starts empty.
    """
    if os.geteuid() == 0:
        file = environment.home / "database"
        return ROOT_HOME / (file.read_text().strip() if file.exists() else environment.home_id)
    return environment.home / "postgres"


def socket_directory(environment: Environment) -> Path:
    """Return the directory of the server's socket, short enough for the kernel (107 bytes)."""
    return short_socket_directory(database_home(environment), environment.home_id)


def short_socket_directory(directory: Path, name: str) -> Path:
    """Return `directory / "run"`, or one named for `name` among the temporary files."""
    sockets = directory / "run"
    if len(os.fsencode(f"{sockets}{_SOCKET_NAME}")) <= MAX_SOCKET_PATH:
        return sockets
    return Path(tempfile.gettempdir()) / f"reviewdesk-{os.geteuid()}-{name}"


def database_parameters_of(environment: Environment) -> dict[str, str]:
    """Return the libpq parameters of the embedded server."""
    return {"host": str(socket_directory(environment)), "dbname": DATABASE, "user": ROLE}


def welcome_file(environment: Environment) -> Path:
    """Return the file with what the terminal says when the desk is ready: who may sign in."""
    return environment.home / "welcome"


def secret_key_of(environment: Environment) -> str:
    """Return the home's secret key, making one on first use; without a home, one for this process.

    Reading never makes the home: `reviewdesk/embedded/home.py` does that, with its checks.
    """
    path = environment.home / "secret_key"
    if os.access(environment.home, os.W_OK | os.X_OK) and environment.home.is_dir():
        write_once(path, secrets.token_urlsafe(48))
    # Unlike Path.exists it never raises, also where a folder above may not be entered.
    return path.read_text().strip() if os.path.exists(path) else secrets.token_urlsafe(48)


def write_once(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all, unless it exists."""
    if path.exists():
        return
    part = _write_part(path, text)
    with contextlib.suppress(FileExistsError):
        os.link(part, path)
    part.unlink()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all, in the place of an older one."""
    _write_part(path, text).replace(path)


def _write_part(path: Path, text: str) -> Path:
    descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 600
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    return Path(part)
