"""The process that runs the embedded PostgreSQL for as long as anybody uses it.

Whoever uses the database holds the lock `users` (shared). When the kernel has taken back the last
of them, also from a process that was killed, the keeper gets the lock, stops the server cleanly
and ends. So commands share one server side by side, and nothing is left behind.

Run as `python -m reviewdesk.embedded.keeper DIRECTORY SOCKETS ACCOUNT [--temporary]`.
"""

import argparse
import fcntl
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from reviewdesk.embedded.account import server_account
from reviewdesk.embedded.cluster import make_cluster, start_server, stop_server
from reviewdesk.embedded.errors import EmbeddedError
from reviewdesk.embedded.place import Place, try_lock

_LOOK_SECONDS = 0.1


def main() -> None:
    """Run the server until nobody uses it, or it ends by itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    place = _place_from(sys.argv[1:])
    with place.open_lock("keeper") as keeper:
        fcntl.flock(keeper, fcntl.LOCK_EX)
        try:
            make_cluster(place)
            server = start_server(place)
        except (EmbeddedError, OSError) as error:
            sys.exit(str(error))
        _keep(place, server)


def _keep(place: Place, server: "subprocess.Popen[bytes]") -> None:
    with place.open_lock("users") as users:
        try:
            while not try_lock(users, fcntl.LOCK_EX):
                if server.poll() is not None:
                    sys.exit(f"PostgreSQL ended by itself (code {server.returncode}).")
                time.sleep(_LOOK_SECONDS)
        finally:
            stop_server(server)
        if place.is_temporary:
            shutil.rmtree(place.socket_directory, ignore_errors=True)
            shutil.rmtree(place.directory, ignore_errors=True)


def _stop(number: int, frame: FrameType | None) -> None:
    sys.exit(f"Ended by signal {number}.")


def _place_from(arguments: list[str]) -> Place:
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("sockets", type=Path)
    parser.add_argument("account")
    parser.add_argument("--temporary", action="store_true")
    chosen = parser.parse_args(arguments)
    account = server_account(chosen.account)
    return Place(chosen.directory, chosen.sockets, account, is_temporary=chosen.temporary)


if __name__ == "__main__":
    main()
