"""The brokers that the crash benchmark runs with: each a child process in a folder of its own."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from reviewdesk.embedded.ports import free_port

BROKERS = ("pgmq", "redis", "amqp")
_START_SECONDS = 60.0


@contextlib.contextmanager
def running_broker(kind: str, folder: Path) -> Iterator[str]:
    """Run a broker until the end of the block, and give its URL; empty for PostgreSQL's own."""
    if kind == "pgmq":
        yield ""
        return
    port, names_port = free_port(), free_port()
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((folder / "broker.log").open("wb"))
        if kind == "redis":
            command, variables = _redis(port, folder)
        else:
            # The daemon of names that Erlang would start by itself would outlive the benchmark.
            names = [_program("epmd"), "-port", str(names_port), "-address", "127.0.0.1"]
            stack.callback(_end, subprocess.Popen(names, stdout=log, stderr=log))
            command, variables = _rabbitmq(port, names_port, folder)
        process = subprocess.Popen(
            command, env=variables, stdout=log, stderr=log, start_new_session=True
        )
        stack.callback(_end_group, process)
        _wait_for(port, process, folder / "broker.log")
        yield f"redis://127.0.0.1:{port}/0" if kind == "redis" else f"amqp://127.0.0.1:{port}//"


def _redis(port: int, folder: Path) -> tuple[Sequence[str], Mapping[str, str]]:
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    return [_program("redis-server"), *arguments, "--dir", str(folder)], dict(os.environ)


def _rabbitmq(port: int, names_port: int, folder: Path) -> tuple[Sequence[str], Mapping[str, str]]:
    """Return how RabbitMQ is started alone: no other node, no plugin, all files in the folder.

    Debian's `rabbitmq-server` would change to an account of its own; the script behind it does not.
    """
    configuration = folder / "rabbitmq.conf"
    configuration.write_text(
        f"listeners.tcp.default = 127.0.0.1:{port}\n"
        f"distribution.listener.interface = 127.0.0.1\n"
        "log.console = true\nlog.file = false\n"
    )
    plugins = folder / "enabled_plugins"
    plugins.write_text("[].\n")
    variables = {
        **os.environ,
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"crash-{port}@localhost",
        "RABBITMQ_BASE": str(folder),
        "RABBITMQ_CONFIG_FILE": str(configuration.with_suffix("")),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "ERL_EPMD_PORT": str(names_port),
    }
    script = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    return [str(script) if script.exists() else _program("rabbitmq-server")], variables


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        sys.exit(f"There is no {name}; install it (apt install {name}).")
    return found


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    """End it with its children: RabbitMQ's script runs Erlang."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"The broker did not start:\n{log.read_text()}")
        time.sleep(0.1)
