"""The steps of a session as a tree with bars on one time axis."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from traces.models import Span

WIDTH = 240
MIN_BAR = 3
MAX_DEPTH = 6
_BUSY = (Span.Kind.MODEL, Span.Kind.TOOL, Span.Kind.OTHER)


@dataclass(frozen=True)
class Outline:
    """A span without its contents."""

    span_id: str
    parent_id: str
    kind: str
    name: str
    start_ns: int
    duration_ns: int
    status: str

    @property
    def end_ns(self) -> int:
        """Return the end, nanoseconds since 1970."""
        return self.start_ns + self.duration_ns


@dataclass(frozen=True)
class TreeRow:
    """A line of the tree.

    Attributes:
        depth: 0 is the root; under a customer's message the steps are one deeper.
        bar_start: Where its bar begins, 0 to `WIDTH`.
        bar_width: 0 where it has no bar.
        index: Its place in the tree, from 0.
    """

    span: Outline
    depth: int
    bar_start: float
    bar_width: float
    index: int


@dataclass(frozen=True)
class Tree:
    """All rows, parents before children, and how long something was done, waits left out."""

    rows: list[TreeRow]
    busy_ns: int


class Axis:
    """The time axis of a session: only the time in which something was done has length."""

    def __init__(self, intervals: Iterable[tuple[int, int]]) -> None:
        self._edges: list[tuple[int, int, int]] = []
        length = 0
        for start, end in _merged(intervals):
            self._edges.append((start, end, length))
            length += end - start
        self.length = length

    def place(self, moment: int) -> int:
        """Return how much was done before this moment, nanoseconds."""
        low, high = 0, len(self._edges)
        while low < high:
            middle = (low + high) // 2
            if self._edges[middle][0] <= moment:
                low = middle + 1
            else:
                high = middle
        if low == 0:
            return 0
        start, end, before = self._edges[low - 1]
        return before + min(moment, end) - start


def lay_out(spans: Sequence[Outline], waits: Mapping[str, int] | None = None) -> Tree:
    """Return the tree.

    Args:
        spans: In any order; a span whose parent is missing is a root.
        waits: By span id until when (ns since 1970) the span only waited for a person.
    """
    begun = {span.span_id: max(span.start_ns, (waits or {}).get(span.span_id, 0)) for span in spans}
    axis = Axis((begun[span.span_id], span.end_ns) for span in spans if span.kind in _BUSY)
    has_customer = any(span.kind == Span.Kind.CUSTOMER for span in spans)
    rows = []
    for index, (span, level) in enumerate(_in_order(spans)):
        depth = level + (has_customer and level > 0 and span.kind != Span.Kind.CUSTOMER)
        start, width = _bar(axis, span, begun[span.span_id])
        rows.append(TreeRow(span, min(depth, MAX_DEPTH), start, width, index))
    return Tree(rows, axis.length)


def _bar(axis: Axis, span: Outline, begun: int) -> tuple[float, float]:
    if span.kind == Span.Kind.CUSTOMER or not axis.length:
        return 0.0, 0.0
    start = axis.place(begun) / axis.length * WIDTH
    width = max(axis.place(span.end_ns) / axis.length * WIDTH - start, MIN_BAR)
    return round(min(start, WIDTH - MIN_BAR), 1), round(min(width, WIDTH), 1)


def _in_order(spans: Sequence[Outline]) -> Iterable[tuple[Outline, int]]:
    """Yield spans with their depth: parents first, siblings by start; cycles are cut."""
    known = {span.span_id for span in spans}
    children: dict[str, list[Outline]] = {}
    for span in sorted(spans, key=lambda each: (each.start_ns, each.span_id), reverse=True):
        has_parent = span.parent_id in known and span.parent_id != span.span_id
        children.setdefault(span.parent_id if has_parent else "", []).append(span)
    seen: set[str] = set()
    waiting = [(span, 0) for span in children.get("", [])]
    while waiting or len(seen) < len(known):
        if not waiting:
            waiting = [(next(span for span in spans if span.span_id not in seen), 0)]
        span, depth = waiting.pop()
        if span.span_id in seen:
            continue
        seen.add(span.span_id)
        yield span, depth
        waiting.extend((child, depth + 1) for child in children.get(span.span_id, []))


def _merged(intervals: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if end <= start:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
