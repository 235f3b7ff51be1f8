"""The gate's intervals as a picture: all tests and each part, against zero and the margin. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from agents.gate.decision import Decision
from agents.gate.sentence import points

WIDTH, LEFT, RIGHT = 430, 110, 300
ROW, TOP = 26, 14
MAX_SLICES = 8
_STEPS = (1, 2, 5, 10, 20, 25, 50)
_MAX_TICKS = 7
# Name, difference, both ends of its interval, whether it is of all tests, whether it is worse.
_Line = tuple[str, float, float, float, bool, bool]


@dataclass(frozen=True)
class Bar:
    """One interval: where it stands, and its numbers in words."""

    title: str
    value: str
    x: float
    low_x: float
    high_x: float
    y: float
    is_all: bool
    is_worse: bool


@dataclass(frozen=True)
class Forest:
    """Intervals one below the other.

    Attributes:
        ticks: Place and words of each mark of the axis.
        zone: Place and width of what is worse than the margin allows.
    """

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    zero_x: float
    margin_x: float
    margin: str
    zone: tuple[float, float]
    bottom: float
    height: float
    finding: str
    num_left_out: int


def forest(decision: Decision) -> Forest | None:
    """Return the picture of a decision; None where nothing could be compared."""
    if decision.diff is None or decision.low is None or decision.high is None:
        return None
    shown = sorted(decision.slices, key=lambda each: (not each.is_worse, each.diff))[:MAX_SLICES]
    lines = [(f"All {decision.num_tests}", decision.diff, decision.low, decision.high, True, False)]
    lines += [
        (
            _slice_name(each.name, each.num_tests),
            each.diff,
            each.low,
            each.high,
            False,
            each.is_worse,
        )
        for each in shown
    ]
    least = min(-decision.margin, *(low for _, _, low, *_ in lines))
    most = max(decision.margin, *(high for _, _, _, high, *_ in lines))
    step = next((each for each in _STEPS if 100 * (most - least) / each <= _MAX_TICKS), _STEPS[-1])
    first, last = _down(100 * least, step), -_down(-100 * most, step)
    scale = _Scale(first / 100, last / 100)
    bottom = TOP + ROW * len(lines)
    return Forest(
        bars=tuple(_bar(scale, at, line) for at, line in enumerate(lines)),
        ticks=tuple((scale.x(tick / 100), _tick(tick)) for tick in range(first, last + 1, step)),
        zero_x=scale.x(0),
        margin_x=scale.x(-decision.margin),
        margin=_tick(-100 * decision.margin),
        zone=(LEFT, round(scale.x(-decision.margin) - LEFT, 1)),
        bottom=bottom,
        height=bottom + 20,
        finding="Difference in points, with intervals. " + _words(lines),
        num_left_out=len(decision.slices) - len(shown),
    )


def _words(lines: Sequence[_Line]) -> str:
    return "; ".join(
        f"{name}: {interval_text(value, low, high)}" for name, value, low, high, _, _ in lines
    )


def interval_text(value: float, low: float, high: float) -> str:
    """Return a difference with its interval, in points."""
    return f"{points(value)} ({points(low)} to {points(high)})"


@dataclass(frozen=True)
class _Scale:
    first: float
    last: float

    def x(self, share: float) -> float:
        part = (share - self.first) / (self.last - self.first)
        return round(LEFT + part * (RIGHT - LEFT), 1)


def _bar(scale: _Scale, at: int, line: _Line) -> Bar:
    title, value, low, high, is_all, is_worse = line
    return Bar(
        title=title,
        value=interval_text(value, low, high),
        x=scale.x(value),
        low_x=scale.x(low),
        high_x=scale.x(high),
        y=TOP + ROW * at + ROW / 2,
        is_all=is_all,
        is_worse=is_worse,
    )


def _slice_name(name: str, num_tests: int) -> str:
    short = name if len(name) <= 13 else f"{name[:12]}…"
    return f"{short} {num_tests}"


def _down(value: float, step: int) -> int:
    return int(value // step) * step


def _tick(value: float) -> str:
    return "0" if not value else f"{value:+g}".replace("-", "\N{MINUS SIGN}")
