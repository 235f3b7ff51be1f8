"""The pytest plugin that gives each test run a PostgreSQL of its own, and no network.

It must be named with `-p` (see pyproject.toml): the settings read the environment before any
`conftest.py` is loaded. With pytest-xdist the first process starts the server, and its workers
find it in their environment.
"""

import atexit
import os
import socket
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from reviewdesk.embedded.account import server_account
from reviewdesk.embedded.home import make_root_home
from reviewdesk.embedded.lease import Lease
from reviewdesk.embedded.paths import short_socket_directory
from reviewdesk.embedded.place import DATABASE, ROLE, ROOT_HOME, Place

_LOOPBACK = ("127.", "localhost", "::1")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Start the run's database, unless it is given one, before Django reads its settings."""
    os.environ.pop("REVIEWDESK_DEMO", None)
    if not os.environ.get("DATABASE_URL"):
        lease = Lease(temporary_place())
        lease.__enter__()
        atexit.register(lease.__exit__, None, None, None)
        query = urlencode({"host": str(lease.place.socket_directory)})
        os.environ["DATABASE_URL"] = f"postgresql://{ROLE}@/{DATABASE}?{query}"


def temporary_place() -> Place:
    """Make a place for a cluster that its keeper removes when nobody uses it any more."""
    account = server_account(os.environ.get("REVIEWDESK_ACCOUNT", "nobody"))
    if account.is_own:
        directory = Path(tempfile.mkdtemp(prefix="reviewdesk-test-"))
    else:
        make_root_home()
        directory = Path(tempfile.mkdtemp(prefix="test-", dir=ROOT_HOME))
        directory.chmod(0o711)
    sockets = short_socket_directory(directory, directory.name)
    return Place(directory, sockets, account, is_temporary=True)


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Any:
    """Refuse every connection that leaves this machine."""
    connect = socket.socket.connect
    look_up = socket.getaddrinfo

    def connect_here(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not str(address[0]).startswith(_LOOPBACK):
            raise RuntimeError(f"A test may not connect to {address}.")
        connect(self, address)

    def look_up_here(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host or "localhost")
        if not name.startswith(_LOOPBACK):
            raise RuntimeError(f"A test may not look up {name}.")
        return look_up(host, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect_here)
        patch.setattr(socket, "getaddrinfo", look_up_here)
        yield
