"""Which processes make up a desk, and their command lines."""

import os
import signal
import sys

from reviewdesk.embedded.children import Child
from reviewdesk.embedded.ports import free_port
from reviewdesk.environment import Environment

# A process of Python fills one core at most; golden tests of a gate keep two of them busy.
WORKERS = ("worker", "second worker")
NUM_WEB_PROCESSES = 2
NUM_WEB_THREADS = 8
# What calls outside may take to end (`reviewdesk.embedded.worker`), and the worker after them.
WORKER_STOP_SECONDS = 30


def preparation() -> Child:
    """Return the process that migrates and loads the demo, and then ends."""
    return Child("preparation", _django("prepare"), dict(os.environ))


def children_for(environment: Environment) -> list[Child]:
    """Return the desk's processes, in the order in which they start and stop."""
    variables = dict(os.environ)
    servers = []
    if environment.has_demo:
        port = free_port()
        variables["REVIEWDESK_DEMO_MODEL_URL"] = f"http://127.0.0.1:{port}/v1"
        command = _django("model_server", f"--port={port}")
        servers.append(Child("model server", command, variables, is_needed_to_stop=True))
    return [
        Child("web", _web(environment.port), variables, signal.SIGTERM, stop_seconds=5),
        *(
            Child(name, _django("worker"), variables, stop_seconds=WORKER_STOP_SECONDS)
            for name in WORKERS
        ),
        Child("scheduler", _django("scheduler"), variables),
        *servers,
    ]


def _web(port: int) -> list[str]:
    return [
        *_python("-m", "gunicorn", "reviewdesk.wsgi"),
        f"--bind=127.0.0.1:{port}",
        "--worker-class=gthread",
        f"--workers={NUM_WEB_PROCESSES}",
        f"--threads={NUM_WEB_THREADS}",
        "--preload",
        "--graceful-timeout=3",
        "--log-level=warning",
        "--no-control-socket",
    ]


def _django(*arguments: str) -> list[str]:
    """Return the command line of a command, without what `manage.py` does around it.

    The supervisor has the database running and fitting, and holds it until the children are gone.
    """
    return _python("-m", "django", *arguments)


def _python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]
