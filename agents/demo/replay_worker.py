"""A worker for the time of a replay, where none is running."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from urllib.parse import quote, urlencode

from django.conf import settings
from django.db import connection

from agents.models import WorkerHeartbeat
from agents.runtime.claim import ALIVE_SECONDS
from agents.tools.autonomy import database_now

START_SECONDS = 60


class WorkerFailedError(Exception):
    """The worker did not come up; the text says how it ended."""


@contextmanager
def worker_running() -> Iterator[None]:
    """Yield while a worker lives: one that is there already, or one of our own.

    Raises:
        WorkerFailedError: Our own did not start.
    """
    if has_live_worker():
        yield
        return
    process = subprocess.Popen(
        [sys.executable, "-m", "django", "worker"],
        env=worker_environment(),
        cwd=settings.BASE_DIR,
    )
    try:
        _wait_until_alive(process)
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def has_live_worker() -> bool:
    """Say whether a worker has shown itself within the last seconds."""
    since = database_now() - timedelta(seconds=ALIVE_SECONDS)
    return WorkerHeartbeat.objects.filter(seen_at__gt=since).exists()


def worker_environment() -> dict[str, str]:
    """Return an environment in which a process uses the very database of this one."""
    parameters = {
        key: str(value) for key, value in connection.get_connection_params().items() if value
    }
    user = quote(parameters.get("user", ""), safe="")
    password = f":{quote(parameters['password'], safe='')}" if "password" in parameters else ""
    place: dict[str, str] = {key: parameters[key] for key in ("host", "port") if key in parameters}
    name = quote(parameters["dbname"], safe="")
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "reviewdesk.settings",
        "DATABASE_URL": f"postgresql://{user}{password}@/{name}?{urlencode(place)}",
    }


def _wait_until_alive(process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not has_live_worker():
        if process.poll() is not None:
            raise WorkerFailedError(f"The worker ended with code {process.returncode} at once.")
        if time.monotonic() > deadline:
            raise WorkerFailedError(f"The worker did not come up within {START_SECONDS} s.")
        time.sleep(0.1)
