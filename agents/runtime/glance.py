"""What plays in memory know of authority: read once for all of a process, `SECONDS` old at most.

A play changes nothing outside, so whether it may go on, and what its tools stand at, need no query
at each of its steps. What may not go on leaves memory, and what holds it is then read exactly.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from agents.models import Run
from agents.runtime.claim import Claim
from agents.tools.autonomy import EffectiveLevel, levels_for_run
from agents.tools.contract import ToolContract
from traces.prepared import prepared_cursor

SECONDS = 0.5
_MOST_KNOWN = 200
_Value = TypeVar("_Value")
# Held with this token, not cancelled, and no stop of models on that covers their agent.
_FREE = """
SELECT run.id FROM agents_run run JOIN unnest(%s::uuid[], %s::bigint[]) AS play (run_id, token)
    ON run.id = play.run_id AND run.claim_token = play.token
WHERE run.status = 'running' AND run.cancel_requested_at IS NULL AND NOT EXISTS (
    SELECT FROM agents_killswitch stop
    WHERE stop.lifted_at IS NULL AND stop.stops = 'all' AND stop.tool = '' AND (
        stop.scope = 'everything' OR (stop.project_id = run.project_id
            AND (stop.agent_id IS NULL OR stop.agent_id = run.agent_id))))
"""
Levels = list[tuple[ToolContract, EffectiveLevel]]


class _Glances(Generic[_Value]):
    """Values by key; one that is older than `SECONDS` is read again, by one thread for all."""

    def __init__(self) -> None:
        self._known: dict[object, tuple[float, _Value]] = {}
        self._lock = threading.Lock()

    def get(self, key: object, read: Callable[[], _Value]) -> _Value:
        """Return what `read` returned for this key, now or a moment ago."""
        with self._lock:
            known = self._known.get(key)
            if known is not None and time.monotonic() - known[0] <= SECONDS:
                return known[1]
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            began = time.monotonic()
            value = read()
            self._known[key] = began, value
            return value

    def forget(self) -> None:
        """Read everything anew."""
        with self._lock:
            self._known.clear()


_plays: dict[uuid.UUID, int] = {}
_plays_lock = threading.Lock()
_held_up = _Glances[frozenset[uuid.UUID]]()
_levels = _Glances[Levels]()


@contextmanager
def looked_after(claim: Claim) -> Iterator[None]:
    """Look after a play: whether it is cancelled, stopped or lost."""
    with _plays_lock:
        _plays[claim.run_id] = claim.token
    try:
        yield
    finally:
        with _plays_lock:
            _plays.pop(claim.run_id, None)


def may_go_on(claim: Claim) -> bool:
    """Say whether a play was neither cancelled, stopped nor lost at the last glance."""
    return claim.run_id not in _held_up.get("plays", _read_held_up)


def levels_at_a_glance(run: Run, tools: Iterable[str]) -> Levels:
    """Return what `levels_for_run` said of a golden run of this version that is not tainted."""
    return _levels.get(
        run.version_id, lambda: levels_for_run(run=run, tools=tools, now=run.read_at)
    )


def forget() -> None:
    """Look anew when asked next."""
    _held_up.forget()
    _levels.forget()


def _read_held_up() -> frozenset[uuid.UUID]:
    with _plays_lock:
        plays = dict(_plays)
    with prepared_cursor() as cursor:
        cursor.execute(_FREE, [[*plays], [*plays.values()]])
        free = {row[0] for row in cursor.fetchall()}
    return frozenset(plays.keys() - free)
