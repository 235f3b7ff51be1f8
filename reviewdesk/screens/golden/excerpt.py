"""The part of a recording that a page can show: a session may have ten thousand steps."""

from collections.abc import Sequence
from dataclasses import dataclass

from agents.golden.outcome import Event

MAX_EVENTS = 200


@dataclass(frozen=True)
class Excerpt:
    """Events in a row, and how many there are before and after them."""

    events: tuple[Event, ...]
    num_before: int = 0
    num_after: int = 0


def excerpt_of(events: Sequence[Event], *, around: str = "") -> Excerpt:
    """Return the events around the one of span `around`, or the first ones where there is none."""
    at = next((place for place, event in enumerate(events) if event.span_id == around), 0)
    start = max(0, min(at - MAX_EVENTS // 2, len(events) - MAX_EVENTS))
    shown = tuple(events[start : start + MAX_EVENTS])
    return Excerpt(shown, start, len(events) - start - len(shown))
