"""Real processes for tests: a desk in a home of its own, and what is left when it has ended."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from reviewdesk.embedded.paths import database_home
from reviewdesk.embedded.ports import free_port
from reviewdesk.environment import CHECKOUT, read_environment

NOBODY = 65534


@dataclass
class Desk:
    """A `manage.py up` that a test started, with everything it prints in a file."""

    home: Path
    port: int
    output: Path
    process: "subprocess.Popen[bytes]"

    @property
    def text(self) -> str:
        return self.output.read_text()

    def wait_for(self, words: str, seconds: float = 60) -> None:
        wait_until(lambda: words in self.text or self.process.poll() is not None, seconds)
        assert words in self.text, self.text

    def child(self, words: str) -> psutil.Process:
        """Return its first child whose command line contains `words`."""
        return self.children(words)[0]

    def children(self, words: str) -> list[psutil.Process]:
        """Return its children whose command line contains `words`, in the order of their start."""
        children = psutil.Process(self.process.pid).children()
        found = [child for child in children if words in " ".join(child.cmdline())]
        return sorted(found, key=lambda child: child.pid)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


def wait_until(is_so: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def variables_of(home: Path, **overrides: str) -> dict[str, str]:
    """Return the environment of a process with a home of its own, and without the test database."""
    ours = ("DATABASE_URL", "BROKER_URL", "REVIEWDESK_", "PYTEST_", "OPENAI_")
    variables = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    return variables | {"REVIEWDESK_HOME": str(home), "REVIEWDESK_DEMO": "0", **overrides}


def manage(home: Path, *arguments: str, **overrides: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, and return what it printed."""
    return subprocess.run(
        [sys.executable, str(CHECKOUT / "manage.py"), *arguments],
        env=variables_of(home, **overrides),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@contextlib.contextmanager
def running_desk(
    home: Path, *, port: int = 0, seconds: float = 240, **overrides: str
) -> Iterator[Desk]:
    """Run `manage.py up` and wait until it is ready; the demo takes longer than `seconds`."""
    with starting_desk(home, port=port, **overrides) as desk:
        desk.wait_for("reviewdesk is ready at", seconds)
        yield desk


@contextlib.contextmanager
def starting_desk(home: Path, *, port: int = 0, **overrides: str) -> Iterator[Desk]:
    """Run `manage.py up`, and stop it at the end."""
    port = port or free_port()
    output = home.parent / f"{home.name}-{time.monotonic_ns()}.log"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, str(CHECKOUT / "manage.py"), "up"],
            env=variables_of(home, REVIEWDESK_PORT=str(port), **overrides),
            stdout=file,
            stderr=file,
        )
    desk = Desk(home, port, output, process)
    try:
        yield desk
    finally:
        if process.poll() is None:
            desk.stop()


def processes_of(home: Path) -> list[psutil.Process]:
    """Return the living processes that work for a home, its database's too."""
    words = (f"REVIEWDESK_HOME={home}", str(database_of(home)))
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            variables = [f"{key}={value}" for key, value in process.environ().items()]
            if any(word in text for word in words for text in (*variables, *process.cmdline())):
                found.append(process)
    return found


def database_of(home: Path) -> Path:
    return database_home(read_environment({"REVIEWDESK_HOME": str(home)}))


def remove_home(home: Path) -> None:
    """Remove a home and the database that root's home has elsewhere."""
    shutil.rmtree(database_of(home), ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)


def as_nobody(function: Callable[[], None]) -> str:
    """Call a function in a child that is an ordinary user; return what it raised, in words."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(BaseException):
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            try:
                function()
            except Exception as error:  # noqa: BLE001  # any of them is the answer
                os.write(writer, str(error).encode())
            code = 0
        os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        text = answer.read().decode()
    assert os.waitpid(child, 0)[1] == 0
    return text


@contextlib.contextmanager
def started(home: Path, *arguments: str) -> "Iterator[subprocess.Popen[bytes]]":
    """Start a command that runs until it is stopped."""
    command = [sys.executable, str(CHECKOUT / "manage.py"), *arguments]
    with subprocess.Popen(command, env=variables_of(home)) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def running_redis() -> Iterator[str]:
    """Run a Redis of its own, and give its URL; skips the test where none is installed."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("There is no redis-server (apt install redis-server).")
    port = free_port()
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL) as server:
        try:
            wait_until(lambda: not is_free(port))
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()


def is_free(port: int) -> bool:
    """Say whether nothing answers on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
