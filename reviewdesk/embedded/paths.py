"""Where the embedded PostgreSQL keeps its data, socket and binaries, and its secret key."""

import os
import secrets
import tempfile
from pathlib import Path

from reviewdesk.environment import MAX_SOCKET_PATH, ROOT_HOME, Environment

DATABASE = "reviewdesk"
ROLE = "reviewdesk"
_SOCKET_NAME = "/.s.PGSQL.5432.lock"


def database_home(environment: Environment) -> Path:
    """Return the directory that the database's account owns.

    As root the server runs under an unprivileged account that may not be able to enter
    `environment.home`, so it gets a directory of its own under `/var/lib/reviewdesk`.
    """
    if os.geteuid() == 0:
        return ROOT_HOME / environment.home_id
    return environment.home / "postgres"


def socket_directory(environment: Environment) -> Path:
    """Return the directory of the server's socket, short enough for the kernel (107 bytes)."""
    directory = database_home(environment) / "run"
    if len(os.fsencode(f"{directory}{_SOCKET_NAME}")) <= MAX_SOCKET_PATH:
        return directory
    name = f"reviewdesk-{os.geteuid()}-{environment.home_id}"
    return Path(tempfile.gettempdir()) / name


def database_parameters_of(environment: Environment) -> dict[str, str]:
    """Return the libpq parameters of the embedded server."""
    return {"host": str(socket_directory(environment)), "dbname": DATABASE, "user": ROLE}


def secret_key_of(environment: Environment) -> str:
    """Return the home's secret key, making one on first use; without a home, one for this process.

    Reading never makes the home: `manage.py up` does that, after checking that it can.
    """
    path = environment.home / "secret_key"
    if path.exists():
        return path.read_text().strip()
    if environment.home.is_dir() and os.access(environment.home, os.W_OK):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(key := secrets.token_urlsafe(48))
        return key
    return secrets.token_urlsafe(48)
