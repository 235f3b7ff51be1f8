"""What the benchmarks share: a desk of their own, what they measure with, and how they say it.

    with running_desk() as desk:             # a temporary home, its own port, no demo
        desk.use_django()                    # from here on this process may use the models
        project = desk.make_project()
        key, cookie = desk.make_key(project), desk.sign_in(project)
        …
    print_result("intake", machine(), spans_per_second=…)

The desk is `manage.py up` as people start it: embedded PostgreSQL at default durability, web,
worker and scheduler. The last line that a benchmark prints is its result as JSON.
"""

import contextlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django
import psutil
import psycopg
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client

from reviewdesk.embedded.paths import database_home, database_parameters_of
from reviewdesk.embedded.ports import free_port
from reviewdesk.environment import CHECKOUT, Environment, read_environment

READY = "reviewdesk is ready at "
_OURS = ("DATABASE_URL", "BROKER_URL", "REVIEWDESK_", "DJANGO_", "OPENAI_")


@dataclass
class Home:
    """A home, whether its desk runs or not.

    Attributes:
        path: The REVIEWDESK_HOME.
        port: Of the web server, on 127.0.0.1.
    """

    path: Path
    port: int

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment of a process that works with this home."""
        return variables_of(self.path, self.port)

    @property
    def environment(self) -> Environment:
        """Return what such a process reads from it."""
        return read_environment(self.variables)

    def connect(self, **options: Any) -> "psycopg.Connection[tuple[Any, ...]]":
        """Connect to the database, in autocommit."""
        parameters = database_parameters_of(self.environment) | options
        return psycopg.connect(**parameters, autocommit=True)

    def manage(self, *arguments: str) -> str:
        """Run a command of `manage.py` to its end, and return what it printed."""
        command = [sys.executable, str(CHECKOUT / "manage.py"), *arguments]
        done = subprocess.run(
            command, env=self.variables, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout


@dataclass
class Desk(Home):
    """A desk that a benchmark started, by `process`, which is `manage.py up`."""

    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        """Return the address of the web server, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    def use_django(self) -> None:
        """Let this process use the desk's models; of one desk only, and once."""
        os.environ.update(self.variables, DJANGO_SETTINGS_MODULE="reviewdesk.settings")
        sys.path.insert(0, str(CHECKOUT))
        django.setup()

    def make_project(self, slug: str = "benchmark") -> Any:
        """Return the project of that slug, made if it is missing."""
        projects = apps.get_model("traces.Project").objects
        return projects.get_or_create(slug=slug, defaults={"name": slug.title()})[0]

    def make_key(self, project: Any) -> str:
        """Return a new API key of a project."""
        return self.manage("create_api_key", f"--project={project.slug}").strip()

    def sign_in(self, project: Any, email: str = "bench@example.com") -> dict[str, str]:
        """Return the cookie, by its name, of an admin of a project; made if they are missing."""
        values = {"email": email, "name": "Bench"}
        user, _ = get_user_model().objects.get_or_create(username=email, defaults=values)
        members = apps.get_model("people.Membership").objects
        members.get_or_create(user=user, project=project, defaults={"role": "admin"})
        client = Client()
        client.force_login(user)
        name = settings.SESSION_COOKIE_NAME
        return {name: client.cookies[name].value}

    def children(self, words: str) -> list[psutil.Process]:
        """Return its processes whose command line contains `words`, such as `gunicorn`."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in found if words in " ".join(child.cmdline())]

    def postmaster(self) -> psutil.Process:
        """Return the database's first process."""
        file = database_home(self.environment) / "data" / "postmaster.pid"
        return psutil.Process(int(file.read_text().split()[0]))


@contextlib.contextmanager
def running_desk(home: Path | None = None, *, port: int = 0, **overrides: str) -> Iterator[Desk]:
    """Run `manage.py up` until the end of the block.

    Args:
        home: A home that stays; without one a temporary one, which is removed at the end.
        port: Of the web server; 0 is any that is free.
        overrides: Environment variables.
    """
    is_temporary = home is None
    home = home or Path(tempfile.mkdtemp(prefix="reviewdesk-bench-"))
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with starting_desk(home, port or free_port(), **overrides) as desk:
            yield desk
    finally:
        if is_temporary:
            remove_home(home)


@contextlib.contextmanager
def starting_desk(home: Path, port: int, **overrides: str) -> Iterator[Desk]:
    """Run `manage.py up`, wait until it is ready, and stop it at the end of the block."""
    log = home / "bench.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(CHECKOUT / "manage.py"), "up"],
            env=variables_of(home, port) | overrides,
            stdout=output,
            stderr=output,
        )
    try:
        while READY not in log.read_text():
            if process.poll() is not None:
                sys.exit(f"The desk did not start:\n{log.read_text()}")
            time.sleep(0.1)
        yield Desk(home, port, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(120)


def variables_of(home: Path, port: int) -> dict[str, str]:
    """Return this process's environment with that home and port, and no demo."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_OURS)}
    ours = {"REVIEWDESK_HOME": str(home), "REVIEWDESK_PORT": str(port), "REVIEWDESK_DEMO": "0"}
    # An installed package may be called `agents` too.
    return kept | ours | {"PYTHONPATH": str(CHECKOUT)}


def remove_home(home: Path) -> None:
    """Remove a home, and the database that root's home has elsewhere."""
    shutil.rmtree(database_home(read_environment({"REVIEWDESK_HOME": str(home)})), True)
    shutil.rmtree(home, ignore_errors=True)


@dataclass(frozen=True)
class Spread:
    """How long something took, in milliseconds, over `n` times."""

    n: int
    p50: float
    p95: float
    most: float


def spread(seconds: Sequence[float]) -> Spread:
    """Return median, 95th percentile (the nearest rank) and maximum of durations in seconds."""
    ordered = sorted(1000 * each for each in seconds)
    ranks = [ordered[max(-(-len(ordered) * share // 100) - 1, 0)] for share in (50, 95, 100)]
    return Spread(len(ordered), *(round(each, 1) for each in ranks))


def machine(connection: "psycopg.Connection[tuple[Any, ...]] | None" = None) -> dict[str, Any]:
    """Return where and when it was measured; a load over 0.5 means that something else ran."""
    git = ["git", "-C", str(CHECKOUT), "log", "-1", "--format=%h"]
    facts: dict[str, Any] = {
        "at": datetime.now(tz=UTC).isoformat(timespec="minutes"),
        "commit": subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip(),
        "cores": psutil.cpu_count(),
        "ram_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }
    if connection is not None:
        facts["postgresql"] = connection.info.parameter_status("server_version")
        names = ("fsync", "synchronous_commit", "full_page_writes")
        for name in names:
            row = connection.execute(f"SHOW {name}").fetchone()
            facts[name] = row[0] if row else None
    return facts


def print_result(name: str, facts: Mapping[str, Any], **figures: Any) -> None:
    """Print the last line: the benchmark's figures and where they were measured, as JSON."""
    plain = {
        key: asdict(value) if isinstance(value, Spread) else value for key, value in figures.items()
    }
    print(json.dumps({"benchmark": name, **plain, "machine": dict(facts)}), flush=True)
