"""Worker processes that are killed and stopped at random, and replaced at once.

A worker takes seconds to import what it needs. To be killed every 100 ms and still do something,
workers are forked from a process that has imported it all (the nursery) and touched neither
database nor broker. What the fork runs is exactly what `manage.py worker` runs.
"""

import contextlib
import gc
import importlib
import os
import random
import signal
import subprocess
import sys
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HEAVY = (
    "celery.apps.worker",
    "celery.concurrency.thread",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.request",
    "celery.worker.strategy",
    "kombu.transport.pgmq",
    "openai.resources.chat.completions",
)
PAST_LEASE_SECONDS = 12.0


def run_nursery() -> None:
    """Fork a worker per line of standard input, and print its process id."""
    import_worker()
    # Else the first collection of every fork copies all of this process's memory.
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    own = os.getpid()
    while sys.stdin.buffer.raw.read(1):
        child = os.fork()
        if child == 0:
            _be_worker(own)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


def import_worker() -> None:
    """Import all that a worker uses."""
    importlib.import_module("django").setup()
    for name in (*HEAVY, "agents.tasks", "reviewdesk.embedded.death", "reviewdesk.embedded.worker"):
        importlib.import_module(name)
    # What its first model call would load, at a port that refuses.
    client = importlib.import_module("agents.llm.client")
    routing = importlib.import_module("agents.llm.routing")
    errors = importlib.import_module("agents.errors")
    endpoint = routing.Endpoint("http://127.0.0.1:9/v1", "none")
    with contextlib.suppress(errors.ModelError):
        client.complete(endpoint=endpoint, model="none", messages=[], tools=[], parameters={})


def _be_worker(nursery: int) -> None:
    """Be a worker until the end of the process, under an identity of its own."""
    death = importlib.import_module("reviewdesk.embedded.death")
    death.die_with_parent(signal.SIGKILL, parent=nursery)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.close(0)
    random.seed()
    claim = importlib.import_module("agents.runtime.claim")
    claim.WORKER_ID = uuid.uuid4().hex
    claim.beat.__defaults__ = claim.leave.__defaults__ = (claim.WORKER_ID,)
    code = 1
    try:
        code = importlib.import_module("reviewdesk.embedded.worker").run_worker()
    except Exception:  # noqa: BLE001  # the worker's end, in words
        traceback.print_exc()
    sys.stderr.write(f"worker {os.getpid()} ended by itself, code {code}\n")
    sys.stderr.flush()
    os._exit(code)


@dataclass
class Workers:
    """Some worker processes, and what was done to them.

    Attributes:
        counts: `kills`, `stops`, and `deaths` that nobody caused.
        stopped: When each stopped one goes on, by process id.
    """

    nursery: "subprocess.Popen[bytes]"
    number: int
    random: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    living: list[int] = field(default_factory=list)
    stopped: dict[int, float] = field(default_factory=dict)

    def fill(self) -> None:
        """Start as many as are missing."""
        for process in [each for each in self.living if not _is_alive(each)]:
            self.living.remove(process)
            self.stopped.pop(process, None)
            self.counts["deaths"] += 1
        while len(self.living) < self.number:
            self.living.append(self._start())

    def strike(self, stop_share: float) -> None:
        """Kill or stop one at random; at most one is stopped at a time."""
        self.go_on()
        awake = [each for each in self.living if each not in self.stopped]
        victim = self.random.choice(awake)
        if not self.stopped and self.random.random() < stop_share:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGSTOP)
                self.stopped[victim] = time.monotonic() + PAST_LEASE_SECONDS
                self.counts["stops"] += 1
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
            self.living.remove(victim)
            self.counts["kills"] += 1

    def go_on(self, *, all_of_them: bool = False) -> None:
        """Let those go on that were stopped long enough."""
        for process, until in list(self.stopped.items()):
            if all_of_them or time.monotonic() >= until:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)
                del self.stopped[process]

    def _start(self) -> int:
        if self.nursery.stdin is None or self.nursery.stdout is None:
            raise RuntimeError("the nursery has no pipes")
        self.nursery.stdin.write(b"\n")
        self.nursery.stdin.flush()
        return int(self.nursery.stdout.readline())


@contextlib.contextmanager
def running_workers(
    number: int, variables: Mapping[str, str], log: Path, seed: int | None
) -> Iterator[Workers]:
    """Have a nursery, without a worker yet; at the end kill what lives."""
    environment = {**variables, "DJANGO_SETTINGS_MODULE": "reviewdesk.settings"}
    with log.open("ab") as errors:
        nursery = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve())],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    workers = Workers(nursery, number, random.Random(seed))
    try:
        yield workers
    finally:
        for process in workers.living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        nursery.kill()
        nursery.wait()


@contextlib.contextmanager
def running_scheduler(variables: Mapping[str, str], log: Path) -> Iterator[None]:
    """Run the scheduler, which is left in peace."""
    environment = {**variables, "DJANGO_SETTINGS_MODULE": "reviewdesk.settings"}
    with (
        log.open("ab") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "django", "scheduler"],
            env=environment,
            stdout=errors,
            stderr=errors,
        ) as process,
    ):
        try:
            yield
        finally:
            process.kill()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    run_nursery()
