"""The processes that `manage.py up` looks after: started, watched, restarted, stopped."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from reviewdesk.embedded.death import die_with_parent
from reviewdesk.environment import CHECKOUT

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_STEADY_SECONDS = 60.0
_LOOK_SECONDS = 0.02


@dataclass
class Child:
    """One kind of process, and the one that runs.

    Attributes:
        name: What people read.
        arguments: Its command line.
        environment: Its environment.
        death_signal: What the kernel sends it when the supervisor is killed. The worker, the
            scheduler and the model server may be killed at any time; the web server has children
            of its own to stop.
        stop_seconds: How long it may take to stop before it is killed.
        is_needed_to_stop: Whether the others need it until they have stopped.
    """

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    death_signal: signal.Signals = signal.SIGKILL
    stop_seconds: float = 3.0
    is_needed_to_stop: bool = False
    num_deaths: int = 0
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    _started_at: float = field(default=0.0, init=False)
    _pause: float = field(default=_FIRST_PAUSE_SECONDS, init=False)

    def start(self) -> None:
        """Start it in a session of its own: a Ctrl-C reaches the supervisor alone."""
        parent = os.getpid()
        number = self.death_signal
        self._process = subprocess.Popen(  # noqa: S603
            self.arguments,
            env=self.environment,
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(number, parent=parent),
        )
        self._started_at = time.monotonic()

    @property
    def pid(self) -> int:
        """Return the process id, 0 where nothing runs."""
        return self._process.pid if self._process else 0

    def look_after(self) -> str:
        """Start it again, after a pause that doubles, if it is dead; return what to tell."""
        if self._process is None:
            if time.monotonic() >= self._started_at + self._pause:
                self.start()
                return f"{self.name} is started again (process {self.pid})"
            return ""
        code = self._process.poll()
        if code is None:
            return ""
        self._end_group()
        self.num_deaths += 1
        is_steady = time.monotonic() - self._started_at > _STEADY_SECONDS
        self._pause = _FIRST_PAUSE_SECONDS if is_steady else self._next_pause()
        self._started_at = time.monotonic()
        self._process = None
        return f"{self.name} {describe_end(code)}; it is started again in {self._pause:g} s"

    def exit_code(self) -> int | None:
        """Return how the process that `start` started ended, None while it runs."""
        return self._process.poll() if self._process else None

    def ask_to_stop(self) -> None:
        """Ask it to stop, and do not wait."""
        if self._process:
            self._process.terminate()

    def end(self, *, is_hurried: Callable[[], bool]) -> None:
        """Wait for it to stop, and kill it and what it started when that takes too long.

        Args:
            is_hurried: Says whether to wait no longer.
        """
        if self._process is None:
            return
        deadline = time.monotonic() + self.stop_seconds
        while self._process.poll() is None and time.monotonic() < deadline and not is_hurried():
            time.sleep(_LOOK_SECONDS)
        self._end_group()
        self._process.wait()
        self._process = None

    def _next_pause(self) -> float:
        grown = self._pause * 2 if self.num_deaths > 1 else _FIRST_PAUSE_SECONDS
        return min(grown, _LONGEST_PAUSE_SECONDS)

    def _end_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def describe_end(code: int) -> str:
    """Return how a process ended, in words, from its return code."""
    if code >= 0:
        return f"ended by itself (exit code {code})"
    return f"was ended by {signal.Signals(-code).name}"
