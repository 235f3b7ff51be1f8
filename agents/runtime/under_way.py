"""Calls outside that this process has under way, so that a clean stop does not cut them short."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_change = threading.Condition()
_num_calls = 0
_is_ending = False


@contextmanager
def call_under_way(*, is_read: bool) -> Iterator[bool]:
    """Hold the process for as long as a call and the writing of its end take.

    Yields False, and holds nothing, where the process is ending: the call may not begin. A call
    that only reads holds nothing either; whoever resumes its run repeats it.
    """
    global _num_calls
    with _change:
        may_begin = not _is_ending
        num = int(may_begin and not is_read)
        _num_calls += num
    try:
        yield may_begin
    finally:
        with _change:
            _num_calls -= num
            _change.notify_all()


def is_ending() -> bool:
    """Say whether this process begins no step any more."""
    return _is_ending


def let_begin(may_begin: bool) -> None:
    """Let calls begin in this process, or no more."""
    global _is_ending
    with _change:
        _is_ending = not may_begin


def wait_for_calls(seconds: float) -> bool:
    """Wait so long until no call is under way; say whether none is."""
    deadline = time.monotonic() + seconds
    with _change:
        while _num_calls and (left := deadline - time.monotonic()) > 0:
            _change.wait(left)
        return _num_calls == 0
