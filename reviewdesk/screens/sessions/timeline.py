"""A window of a session's steps against time: a bar per span, ticks, and waits as gaps."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from reviewdesk.screens.sessions.chips import Detail
from reviewdesk.screens.sessions.tree import Outline, Tree, TreeRow, merged
from traces.models import Span

WIDTH = 1000
MIN_BAR = 4
MAX_TICKS = 6
NUM_BUCKETS = 120
# A pause longer than this share of the work is no length on the axis, but a gap of one width.
_SHORT_PAUSE = 0.04
_GAP = 14.0
_ALL_GAPS = 300.0


@dataclass(frozen=True)
class Bar:
    """A span on the time axis; `x` and `width` are 0 to `WIDTH`."""

    x: float
    width: float


@dataclass(frozen=True)
class Gap:
    """A wait: nothing was done for `ns` nanoseconds."""

    x: float
    width: float
    start_ns: int
    ns: int


@dataclass(frozen=True)
class Tick:
    """A mark on the axis: `ns` nanoseconds of work lie before it."""

    x: float
    ns: int


@dataclass(frozen=True)
class TimeRow:
    """What the timeline says of a step beside its name.

    Attributes:
        waited_ns: How long nothing was done before it, where the axis leaves that out, else 0.
    """

    bar: Bar
    waited_ns: int
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None


@dataclass(frozen=True)
class Bucket:
    """A part of a long session in its overview.

    Attributes:
        first: Index of its first line.
        height: Share of the busiest bucket's work, 0-1.
        num_errors: Failed spans in it.
        is_shown: Whether the window shows some of it.
    """

    first: int
    height: float
    num_errors: int
    is_shown: bool


@dataclass(frozen=True)
class Timeline:
    """The window against time.

    Attributes:
        rows: By span id.
        length_ns: Time on the axis, waits left out.
        start_ns: Where the axis begins, nanoseconds since 1970.
    """

    rows: dict[str, TimeRow]
    ticks: list[Tick]
    gaps: list[Gap]
    length_ns: int
    start_ns: int


class Scale:
    """Places moments on 0 to `WIDTH`: work has its length, long waits have one small width."""

    def __init__(self, intervals: Iterable[tuple[int, int]]) -> None:
        joined = merged(intervals)
        worked = sum(end - start for start, end in joined)
        self._parts = list(_without_pauses(joined, int(worked * _SHORT_PAUSE)))
        self.length_ns = sum(end - start for start, end in self._parts)
        num_gaps = max(len(self._parts) - 1, 0)
        self._gap = min(_GAP, _ALL_GAPS / num_gaps) if num_gaps else 0.0
        self._unit = (WIDTH - num_gaps * self._gap) / max(self.length_ns, 1)
        self._starts = [start for start, _ in self._parts]
        self._places: list[float] = []
        x = 0.0
        for start, end in self._parts:
            self._places.append(x)
            x += (end - start) * self._unit + self._gap

    def place(self, moment: int) -> float:
        """Return where a moment (ns since 1970) stands; within a wait, at its beginning."""
        part = bisect_right(self._starts, moment) - 1
        if part < 0:
            return 0.0
        start, end = self._parts[part]
        return self._places[part] + (min(moment, end) - start) * self._unit

    def gaps(self) -> list[Gap]:
        """Return the waits that are left out of the axis."""
        pairs = zip(self._parts, self._parts[1:], self._places[1:], strict=False)
        return [
            Gap(round(after - self._gap, 1), round(self._gap, 1), end, start - end)
            for (_, end), (start, _), after in pairs
        ]

    def ticks(self) -> list[Tick]:
        """Return at most `MAX_TICKS` + 1 marks at round lengths of work."""
        step = _round_step(self.length_ns)
        ticks, before = [], 0
        for (start, end), x in zip(self._parts, self._places, strict=True):
            first = -(-before // step) * step
            ticks += [
                Tick(round(x + (at - before) * self._unit, 1), at)
                for at in range(first, before + end - start, step)
            ]
            before += end - start
        return ticks


def lay_time(tree: Tree, rows: Sequence[TreeRow], details: Iterable[Detail]) -> Timeline:
    """Return the timeline of a window of the tree; its axis is the window's own.

    Spans around it, such as the session's root, are cut to it. A window without any work has the
    time of all its spans.
    """
    spans = [row.span for row in rows]
    work = [(tree.begins(span), span.end_ns) for span in spans if tree.is_work(span)]
    scale = Scale(work if any(start < end for start, end in work) else _times(spans))
    known = {detail.span_id: detail for detail in details}
    gaps = scale.gaps()
    waited = _waited(gaps, spans)
    return Timeline(
        rows={
            span.span_id: _row(
                tree, scale, span, known.get(span.span_id), waited.get(span.span_id, 0)
            )
            for span in spans
        },
        ticks=scale.ticks(),
        gaps=gaps,
        length_ns=scale.length_ns,
        start_ns=min((span.start_ns for span in spans), default=0),
    )


def overview_of(tree: Tree, first: int, last: int) -> list[Bucket]:
    """Return the whole session in at most `NUM_BUCKETS` parts of as many lines each."""
    size = -(-len(tree.order) // NUM_BUCKETS) or 1
    parts = []
    for begin in range(0, len(tree.order), size):
        spans = [span for span, _ in tree.order[begin : begin + size]]
        work = sum(span.duration_ns for span in spans if tree.is_work(span))
        errors = sum(span.status == Span.Status.ERROR for span in spans)
        parts.append((begin, work, errors))
    most = max((work for _, work, _ in parts), default=0) or 1
    return [
        Bucket(begin, round(work / most, 3), errors, begin < last and begin + size > first)
        for begin, work, errors in parts
    ]


def _row(tree: Tree, scale: Scale, span: Outline, detail: Detail | None, waited_ns: int) -> TimeRow:
    x = min(scale.place(tree.begins(span)), WIDTH - MIN_BAR)
    width = max(scale.place(span.end_ns) - x, MIN_BAR)
    return TimeRow(
        bar=Bar(round(x, 1), round(min(width, WIDTH - x), 1)),
        waited_ns=waited_ns,
        input_tokens=detail.input_tokens if detail else None,
        output_tokens=detail.output_tokens if detail else None,
        cost_usd=detail.cost_usd if detail else None,
    )


def _waited(gaps: Sequence[Gap], spans: Sequence[Outline]) -> dict[str, int]:
    """Return the waits by the step that ended each: the first that began in it or at its end."""
    by_start = sorted(spans, key=lambda span: span.start_ns)
    starts = [span.start_ns for span in by_start]
    ended: dict[str, int] = {}
    for gap in gaps:
        place = bisect_right(starts, gap.start_ns)
        if place < len(by_start):
            ended[by_start[place].span_id] = gap.ns
    return ended


def _times(spans: Sequence[Outline]) -> list[tuple[int, int]]:
    return [(span.start_ns, span.end_ns) for span in spans]


def _without_pauses(parts: Sequence[tuple[int, int]], pause: int) -> Iterator[tuple[int, int]]:
    """Join neighbours whose pause is short enough to be shown at its length."""
    now: tuple[int, int] | None = None
    for start, end in parts:
        if now and start - now[1] <= pause:
            now = (now[0], end)
            continue
        if now:
            yield now
        now = (start, end)
    if now:
        yield now


def _round_step(length_ns: int) -> int:
    """Return the smallest of 1, 2, 5, 10 … nanoseconds that cuts the length into few parts."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if length_ns <= step * factor * MAX_TICKS:
                return step * factor
        step *= 10
