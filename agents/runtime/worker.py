"""What a worker process does with a hint: claim due runs and advance many of them at a time."""

import logging
import threading
import time

from django.db import InterfaceError, OperationalError, close_old_connections, connection

from agents.models import Run
from agents.runtime.claim import Claim, claim_due_run, claim_due_runs
from agents.runtime.hints import send_hint
from agents.runtime.loop import advance_claimed
from agents.runtime.under_way import let_begin, wait_for_calls
from agents.tools.autonomy import database_now

# So many are claimed at once that a burst spreads over several worker processes; fewer at first:
# each run needs a connection of its own, and a process that is lost at once takes few with it.
CLAIMED_AT_FIRST = 2
CLAIMED_AT_ONCE = 16
_logger = logging.getLogger(__name__)


class Crew:
    """The threads of a process that advance runs, one run each, up to `num_places` of them.

    A run waits for models and tools nearly all of its time, so a thread for each is what it takes.
    They are daemons: a process that ends leaves its runs to others, which go on from the journal.
    """

    def __init__(self, num_places: int) -> None:
        self._num_places = num_places
        self._num_busy = 0
        self._num_at_once = CLAIMED_AT_FIRST
        self._is_ending = False
        self._change = threading.Condition()

    def engage(self) -> None:
        """Claim due runs for free places; where more are due, send one further hint.

        So a burst that was announced by a single message spreads over processes and places.
        """
        with self._change:
            num = min(self._num_places - self._num_busy, self._num_at_once)
            if num <= 0 or self._is_ending:
                return
            self._num_busy += num
            self._num_at_once = min(2 * self._num_at_once, CLAIMED_AT_ONCE)
        claims: list[Claim] = []
        try:
            claims = claim_due_runs(limit=num)
        finally:
            self._leave_places(num - len(claims))
            for claim in claims:
                name = f"run {claim.run_id}"
                threading.Thread(target=self._work, args=(claim,), name=name, daemon=True).start()
        if len(claims) == num and _is_more_due():
            send_hint()

    def end(self, seconds: float, *, call_seconds: float = 0.0) -> None:
        """Claim and begin nothing more, and wait for what is in progress.

        Args:
            seconds: How long for steps of any kind.
            call_seconds: How much longer for calls outside that may change something: cut short,
                one that cannot be repeated would need a person to say what became of it.
        """
        let_begin(False)
        deadline = time.monotonic() + seconds
        with self._change:
            self._is_ending = True
            while self._num_busy and (left := deadline - time.monotonic()) > 0:
                self._change.wait(left)
        wait_for_calls(call_seconds)

    def _work(self, claim: Claim | None) -> None:
        try:
            while claim:
                advance_claimed(claim)
                close_old_connections()
                claim = None if self._is_ending else claim_due_run()
        except (InterfaceError, OperationalError) as error:
            _logger.warning("The database is away (%s); due runs wait for it.", error)
        finally:
            connection.close()
            self._leave_places(1)

    def _leave_places(self, num: int) -> None:
        with self._change:
            self._num_busy -= num
            self._change.notify_all()


_crews: list[Crew] = []


def hire(num_places: int) -> Crew:
    """Give this process a crew; from now on hints are its work."""
    crew = Crew(num_places)
    let_begin(True)
    _crews[:] = [crew]
    return crew


def advance_due_runs() -> None:
    """Let the crew claim due runs; in a process without one, advance them here until none is left.

    A database that is away ends this; the sweeper hints again when it is back.
    """
    try:
        if _crews:
            _crews[0].engage()
            return
        while claim := claim_due_run():
            advance_claimed(claim)
            close_old_connections()
    except (InterfaceError, OperationalError) as error:
        _logger.warning("The database is away (%s); due runs wait for it.", error)


def _is_more_due() -> bool:
    return Run.objects.filter(status=Run.Status.QUEUED, next_at__lte=database_now()).exists()
