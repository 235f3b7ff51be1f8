"""The steps of a session as a tree with bars on one time axis."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from traces.models import Span

WIDTH = 240
MIN_BAR = 3
MAX_DEPTH = 6
# Plain text: comparing with the members of an enumeration takes 50 ms for 50,000 spans.
_WORK = frozenset({Span.Kind.MODEL.value, Span.Kind.TOOL.value})
_OTHER, _CUSTOMER = Span.Kind.OTHER.value, Span.Kind.CUSTOMER.value


class Outline(NamedTuple):
    """A span without its contents; a tuple, because a session may have 50,000 of them."""

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
        depth: 0 is the root; under a customer's message the steps are one deeper. At most
            `MAX_DEPTH`, so that deep lines keep their room.
        level: How deep it really is.
        bar_start: Where its bar begins, 0 to `WIDTH`.
        bar_width: 0 where it has no bar.
        index: Its place in the tree, from 0.
    """

    span: Outline
    depth: int
    level: int
    bar_start: float
    bar_width: float
    index: int


@dataclass(frozen=True)
class Tree:
    """A session's spans, parents before children.

    Attributes:
        order: Every span with its depth.
        begun: By span id, when work on it began where that is later than its start, ns.
        busy: The times in which something was done, waits left out.
    """

    order: list[tuple[Outline, int]]
    begun: Mapping[str, int]
    busy: "Axis"
    has_customer: bool = False
    parents: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def rows(self) -> list[TreeRow]:
        """Return all lines."""
        return self.window(0, len(self.order))

    @property
    def busy_ns(self) -> int:
        """Return how long something was done, nanoseconds."""
        return self.busy.length

    def window(self, first: int, last: int) -> list[TreeRow]:
        """Return the lines from index `first` to before `last`."""
        chosen = enumerate(self.order[first:last], first)
        return [self._row(index, span, level) for index, (span, level) in chosen]

    def is_work(self, span: Outline) -> bool:
        """Say whether the span is work by itself, and not only around the work of others."""
        return span.kind in _WORK or (span.kind == _OTHER and span.span_id not in self.parents)

    def begins(self, span: Outline) -> int:
        """Return when work on the span began, nanoseconds since 1970."""
        return max(span.start_ns, self.begun.get(span.span_id, 0))

    def _row(self, index: int, span: Outline, level: int) -> TreeRow:
        depth = level + (self.has_customer and level > 0 and span.kind != Span.Kind.CUSTOMER)
        start, width = _bar(self.busy, span, self.begins(span))
        return TreeRow(span, min(depth, MAX_DEPTH), depth, start, width, index)


class Axis:
    """The time axis of a session: only the time in which something was done has length."""

    def __init__(self, intervals: Iterable[tuple[int, int]]) -> None:
        self._edges: list[tuple[int, int, int]] = []
        length = 0
        for start, end in merged(intervals):
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
    tree = Tree(
        order=_in_order(spans),
        begun=waits or {},
        busy=Axis(()),
        has_customer=any(span.kind == _CUSTOMER for span in spans),
        parents=frozenset(span.parent_id for span in spans),
    )
    work = ((tree.begins(span), span.end_ns) for span in spans if tree.is_work(span))
    return replace(tree, busy=Axis(work))


def _bar(axis: Axis, span: Outline, begun: int) -> tuple[float, float]:
    if span.kind == Span.Kind.CUSTOMER or not axis.length:
        return 0.0, 0.0
    start = axis.place(begun) / axis.length * WIDTH
    width = max(axis.place(span.end_ns) / axis.length * WIDTH - start, MIN_BAR)
    return round(min(start, WIDTH - MIN_BAR), 1), round(min(width, WIDTH), 1)


def _in_order(spans: Sequence[Outline]) -> list[tuple[Outline, int]]:
    """Return spans with their depth: parents first, siblings by start; cycles are cut."""
    known = {span.span_id for span in spans}
    children: dict[str, list[Outline]] = {}
    for span in sorted(spans, key=_by_start, reverse=True):
        has_parent = span.parent_id in known and span.parent_id != span.span_id
        children.setdefault(span.parent_id if has_parent else "", []).append(span)
    seen: set[str] = set()
    order = _below(children.get("", []), children, seen)
    # What is left is in cycles or below them.
    for span in spans if len(seen) < len(known) else ():
        if span.span_id not in seen:
            order += _below([span], children, seen)
    return order


def _below(
    roots: Sequence[Outline], children: Mapping[str, list[Outline]], seen: set[str]
) -> list[tuple[Outline, int]]:
    order = []
    waiting, depths = list(roots), [0] * len(roots)
    while waiting:
        span, depth = waiting.pop(), depths.pop()
        if span.span_id in seen:
            continue
        seen.add(span.span_id)
        order.append((span, depth))
        if below := children.get(span.span_id):
            waiting += below
            depths += [depth + 1] * len(below)
    return order


def _by_start(span: Outline) -> tuple[int, str]:
    return span.start_ns, span.span_id


def merged(intervals: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the times that the intervals cover, in order; empty ones are left out."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if end <= start:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
