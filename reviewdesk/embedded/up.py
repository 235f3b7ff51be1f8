"""The supervisor behind `manage.py up`: database, web, worker, scheduler in one terminal.

It does without Django: what needs that runs in its children. So it is up in a third of a second,
and its memory stays small.
"""

import contextlib
import json
import signal
import sys
import time
import urllib.error
import urllib.request
from types import FrameType

from reviewdesk.embedded.children import Child
from reviewdesk.embedded.death import is_make_interrupted
from reviewdesk.embedded.errors import EmbeddedError, PreparationError
from reviewdesk.embedded.home import hold_home, place_of, prepare_home
from reviewdesk.embedded.lease import Lease
from reviewdesk.embedded.paths import welcome_file
from reviewdesk.embedded.ports import check_port
from reviewdesk.embedded.processes import children_for, preparation
from reviewdesk.environment import BadEnvironmentError, Environment, read_environment

_READY_SECONDS = 120.0
_LOOK_SECONDS = 0.1
_MOST_EARLY_DEATHS = 3
_SAME_WISH_SECONDS = 0.5


def run_up() -> None:
    """Run the desk until it is stopped, or end the process with what keeps it from starting."""
    try:
        environment = read_environment()
        prepare_home(environment)
        Supervisor(environment).run()
    except (BadEnvironmentError, EmbeddedError) as error:
        sys.exit(f"reviewdesk cannot start: {error}")


class Supervisor:
    """One run of the desk: its children, its share in the database, the wish to stop."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._children: list[Child] = []
        self._lease: Lease | None = None
        self._num_asked = 0
        self._asked_at = 0.0
        self._asked_by = ""

    def run(self) -> None:
        """Start everything, keep it running until Ctrl-C or SIGTERM, and stop it in order.

        Raises:
            EmbeddedError: Something keeps it from starting; the message says what.
        """
        began = time.monotonic()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        with contextlib.ExitStack() as stack:
            stack.enter_context(hold_home(self._environment))
            check_port(self._environment.port)
            if self._environment.is_embedded:
                self._start_database(stack)
            stack.callback(self._stop_children)
            if self._prepare() and self._start_children():
                self._greet(time.monotonic() - began)
                self._look_after()
        _say("reviewdesk is stopped.")

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        """Note the wish; the same one that comes twice (to the process, to its group) is one."""
        now = time.monotonic()
        if now - self._asked_at > _SAME_WISH_SECONDS:
            self._num_asked += 1
            self._asked_at = now
            self._asked_by = self._asked_by or signal.Signals(number).name

    def _is_asked(self) -> bool:
        if not self._num_asked and is_make_interrupted():
            self._num_asked = 1
            self._asked_by = signal.SIGINT.name
        return bool(self._num_asked)

    def _start_database(self, stack: contextlib.ExitStack) -> None:
        place = place_of(self._environment)
        _say("Starting the database" if place.data.exists() else "Making the database")
        self._lease = stack.enter_context(Lease(place))
        stack.callback(_say, "Stopping the database")

    def _prepare(self) -> bool:
        """Migrate and load the demo in a child; say whether to go on.

        Raises:
            PreparationError: It failed, and has said why.
        """
        child = preparation()
        self._children = [child]
        child.start()
        code = child.exit_code()
        while code is None and not self._is_asked():
            time.sleep(_LOOK_SECONDS / 5)
            code = child.exit_code()
        if code:
            raise PreparationError
        return code == 0 and not self._is_asked()

    def _start_children(self) -> bool:
        """Start them all and wait until the desk is ready; say whether to go on.

        Raises:
            EmbeddedError: It does not become ready.
        """
        self._children = children_for(self._environment)
        _say("Starting " + ", ".join(child.name for child in self._children))
        for child in self._children:
            child.start()
        deadline = time.monotonic() + _READY_SECONDS
        missing = "everything"
        while missing and not self._is_asked():
            for child in self._children:
                _say(child.look_after())
                if child.num_deaths >= _MOST_EARLY_DEATHS:
                    raise EmbeddedError(f"the {child.name} ends at once; its reason stands above.")
            if time.monotonic() > deadline:
                raise EmbeddedError(f"it is not ready after {_READY_SECONDS:g} s: {missing}.")
            time.sleep(_LOOK_SECONDS)
            missing = what_is_missing(self._environment.port)
        return not self._is_asked()

    def _greet(self, seconds: float) -> None:
        _say(f"reviewdesk is ready at http://127.0.0.1:{self._environment.port}")
        _say(welcome_file(self._environment).read_text().strip())
        _say(f"Started in {seconds:.1f} s. The data is in {self._environment.home}. Ctrl-C stops.")

    def _look_after(self) -> None:
        while not self._is_asked():
            for child in self._children:
                _say(child.look_after())
            if self._lease and not self._lease.is_kept:
                _say("The database has ended; it is started again")
                self._lease.ensure_running()
                _say("The database runs again")
            time.sleep(_LOOK_SECONDS)

    def _stop_children(self) -> None:
        """Stop the children, what they need last; a second Ctrl-C ends the waiting."""
        running = [child for child in self._children if child.pid]
        names = ", ".join(child.name for child in running)
        why = f"({self._asked_by})" if self._asked_by else ""
        if names or why:
            _say(" ".join(filter(None, ("Stopping", names, why))))
        for is_needed in (False, True):
            stopping = [child for child in running if child.is_needed_to_stop is is_needed]
            for child in stopping:
                child.ask_to_stop()
            for child in stopping:
                child.end(is_hurried=lambda: self._num_asked > 1)


def what_is_missing(port: int) -> str:
    """Return what `/readyz` says is missing; empty when the desk is ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
            return ""
    except urllib.error.HTTPError as error:
        with error, contextlib.suppress(ValueError):
            return "; ".join(json.load(error)["missing"])
        return f"/readyz answers {error.code}"
    except OSError:
        return "the web server does not answer"


def _say(message: str) -> None:
    """Print a line, if there is one; a terminal that is gone is no reason to fail."""
    with contextlib.suppress(OSError):
        if message:
            sys.stdout.write(f"{message}\n")
            sys.stdout.flush()
