"""Geometry of the panel's two pictures; the templates draw them as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

from reviewdesk.kpis.estimates import Estimate
from reviewdesk.screens.autonomy.evidence import Day

WIDTH = 428
_LEFT = 24
_HEIGHT = 56
_TOP = 8


@dataclass(frozen=True)
class Bar:
    """One day: two stacked rectangles, in pixels."""

    x: float
    width: float
    done_y: float
    done_height: float
    failed_y: float
    failed_height: float
    day: Day


@dataclass(frozen=True)
class DayChart:
    """Bars per day with a scale of three lines.

    Attributes:
        lines: (y, number of calls) of the horizontal lines.
    """

    bars: tuple[Bar, ...]
    lines: tuple[tuple[float, int], ...]
    base: float
    width: int = WIDTH
    height: int = _TOP + _HEIGHT + 18


@dataclass(frozen=True)
class IntervalBar:
    """A share and its interval on a scale from `low_end` to 100 %, in pixels and percent."""

    low_x: float
    high_x: float
    value_x: float
    low: float
    high: float
    value: float
    low_end: int
    width: int = WIDTH

    @property
    def band(self) -> float:
        """Return the interval's width in pixels."""
        return round(self.high_x - self.low_x, 1)


def day_chart(days: Sequence[Day]) -> DayChart | None:
    """Return the bars, or None where nothing was called."""
    most = max((day.num_calls for day in days), default=0)
    if most == 0:
        return None
    top = _round_up(most)
    step = (WIDTH - _LEFT) / len(days)
    per_call = _HEIGHT / top
    base = _TOP + _HEIGHT
    bars = []
    for number, day in enumerate(days):
        done, failed = day.num_done * per_call, day.num_failed * per_call
        bars.append(
            Bar(
                x=round(_LEFT + number * step + step * 0.15, 1),
                width=round(step * 0.7, 1),
                done_y=round(base - done, 1),
                done_height=round(done, 1),
                failed_y=round(base - done - failed, 1),
                failed_height=round(failed, 1),
                day=day,
            )
        )
    lines = [(round(base - value * per_call, 1), value) for value in sorted({0, top // 2, top})]
    return DayChart(tuple(bars), tuple(lines), base)


def interval_bar(estimate: Estimate, *, width: int = WIDTH) -> IntervalBar | None:
    """Return the bar, or None where there is too little data for a number."""
    if estimate.value is None or estimate.interval is None:
        return None
    low_end = 80 if estimate.interval.low >= 0.8 else 0 if estimate.interval.low < 0.5 else 50

    def place(share: float) -> float:
        return round((share * 100 - low_end) / (100 - low_end) * width, 1)

    return IntervalBar(
        low_x=place(estimate.interval.low),
        high_x=place(estimate.interval.high),
        value_x=place(estimate.value),
        low=estimate.interval.low * 100,
        high=estimate.interval.high * 100,
        value=estimate.value * 100,
        low_end=low_end,
        width=width,
    )


def _round_up(value: int) -> int:
    """Return the next even number of the kind that scales show: 2, 4, 6, 10, 20, 40, 50, 100."""
    size = 1
    while True:
        for factor in (2, 4, 6, 10):
            if value <= factor * size:
                return factor * size
        size *= 10
