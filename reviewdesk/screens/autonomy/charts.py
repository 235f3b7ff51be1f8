"""Geometry of the panel's pictures; the templates draw them as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from reviewdesk.kpis.estimates import Estimate
from reviewdesk.screens.autonomy.days import Day, Fate

WIDTH = 428
_LEFT = 24
_HEIGHT = 60
_TOP = 16
_GAP = 1.0
# A mark's words stand left of its line from here on, so that they do not run out of the picture.
_TURN = 0.45


@dataclass(frozen=True)
class Segment:
    """What became of some calls of a day: a rectangle, in pixels."""

    fate: Fate
    y: float
    height: float


@dataclass(frozen=True)
class Bar:
    """One day: stacked rectangles from the bottom up."""

    x: float
    width: float
    segments: tuple[Segment, ...]
    day: Day

    @property
    def middle(self) -> float:
        """Return the x of its middle."""
        return round(self.x + self.width / 2, 1)


@dataclass(frozen=True)
class Mark:
    """A day on which authority changed: a vertical line with its word.

    Attributes:
        anchor: `start` or `end`: on which side of the line the word stands.
        text: Empty where another mark's word is too near.
    """

    x: float
    text_x: float
    anchor: str
    text: str
    title: str


@dataclass(frozen=True)
class DayChart:
    """Bars per day with a scale of three lines.

    Attributes:
        lines: (y, number of calls) of the horizontal lines.
    """

    bars: tuple[Bar, ...]
    lines: tuple[tuple[float, int], ...]
    marks: tuple[Mark, ...]
    base: float
    left: int = _LEFT
    width: int = WIDTH
    height: int = _TOP + _HEIGHT + 18


@dataclass(frozen=True)
class IntervalBar:
    """A share and its interval on a scale from `low_end` to 100 %, in pixels and percent.

    Attributes:
        target: In percent, None where there is none.
    """

    low_x: float
    high_x: float
    value_x: float
    low: float
    high: float
    value: float
    low_end: int
    target: float | None = None
    target_x: float = 0.0
    width: int = WIDTH

    @property
    def band(self) -> float:
        """Return the interval's width in pixels."""
        return round(self.high_x - self.low_x, 1)

    @property
    def value_text(self) -> tuple[float, str]:
        """Return where the value's words stand, and their anchor."""
        if self._is_crowded and self.value_x <= self.width - 50:
            is_right = self.value_x >= self.target_x
            return (self.value_x - 4, "start") if is_right else (self.value_x + 8, "end")
        return _place_text(self.value_x + 2, self.width)

    @property
    def target_text(self) -> tuple[float, str]:
        """Return where the target's words stand, and their anchor."""
        if self._is_crowded:
            is_left = self.target_x <= self.value_x and self.target_x >= 76
            return (self.target_x + 4, "end") if is_left else (self.target_x - 4, "start")
        return _place_text(self.target_x, self.width)

    @property
    def low_text(self) -> tuple[float, str]:
        """Return where the lower end's number stands, and its anchor."""
        if self.low_x < 20:
            return 0, "start"
        return (self.low_x, "end" if self.band < 60 and self.low_x >= 30 else "middle")

    @property
    def high_text(self) -> tuple[float, str]:
        """Return where the upper end's number stands, and its anchor."""
        if self.high_x > self.width - 20:
            return self.width, "end"
        return (self.high_x, "start" if self.band < 60 else "middle")

    @property
    def _is_crowded(self) -> bool:
        return self.target is not None and abs(self.value_x - self.target_x) < 76


def _place_text(x: float, width: int) -> tuple[float, str]:
    if x < 36:
        return 0, "start"
    return (width, "end") if x > width - 36 else (round(x, 1), "middle")


def day_chart(
    days: Sequence[Day], changes: Sequence[tuple[date, str, str]] = ()
) -> DayChart | None:
    """Return the bars, or None where nothing was called.

    Args:
        days: Oldest first.
        changes: (day, word, sentence) of what was changed, oldest first.
    """
    most = max((day.num_calls for day in days), default=0)
    if most == 0:
        return None
    top = _round_up(most)
    step = (WIDTH - _LEFT) / len(days)
    base = _TOP + _HEIGHT
    bars = tuple(_bar(day, number, step, _HEIGHT / top) for number, day in enumerate(days))
    lines = [(round(base - value * _HEIGHT / top, 1), value) for value in _scale(top)]
    return DayChart(bars, tuple(lines), _marks(bars, changes), base)


def interval_bar(
    estimate: Estimate, *, width: int = WIDTH, target: float | None = None
) -> IntervalBar | None:
    """Return the bar, or None where there is too little data for a number.

    Args:
        estimate: A share, 0-1.
        width: In pixels.
        target: A share, 0-1.
    """
    if estimate.value is None or estimate.interval is None:
        return None
    lowest = min(estimate.interval.low, target if target is not None else 1.0)
    low_end = 80 if lowest >= 0.8 else 0 if lowest < 0.5 else 50

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
        target=None if target is None else target * 100,
        target_x=0.0 if target is None else place(target),
        width=width,
    )


def _bar(day: Day, number: int, step: float, per_call: float) -> Bar:
    segments: list[Segment] = []
    bottom = float(_TOP + _HEIGHT)
    for fate in Fate:
        height = day.counts.get(fate, 0) * per_call
        if height:
            # A hair between two of them, so that the stack can be counted.
            shown = max(height - (_GAP if segments else 0.0), 1.0)
            segments.append(Segment(fate, round(bottom - height, 1), round(shown, 1)))
            bottom -= height
    x, width = _LEFT + number * step + step * 0.15, step * 0.7
    return Bar(round(x, 1), round(width, 1), tuple(segments), day)


def _marks(bars: Sequence[Bar], changes: Sequence[tuple[date, str, str]]) -> tuple[Mark, ...]:
    """Return one mark per day; a word is left out where the next one would run into it."""
    by_day = {bar.day.day: bar for bar in bars}
    words: dict[date, tuple[str, str]] = {}
    for day, word, sentence in changes:
        _, said = words.get(day, ("", ""))
        words[day] = (word, f"{said}; {sentence}" if said else sentence)
    marks: list[Mark] = []
    taken = float(WIDTH)
    for day in sorted(words.keys() & by_day.keys(), reverse=True):
        x = by_day[day].middle
        word, sentence = words[day]
        is_left = x > WIDTH * _TURN
        near, far = (x - 6, x - 6 - 6 * len(word)) if is_left else (x + 6, x + 6 + 6 * len(word))
        fits = max(near, far, x) <= taken
        if fits:
            taken = min(near, far, x) - 6
        anchor = "end" if is_left else "start"
        marks.append(Mark(x, round(near, 1), anchor, word if fits else "", sentence))
    return tuple(reversed(marks))


def _scale(top: int) -> list[int]:
    return sorted({0, top // 2, top})


def _round_up(value: int) -> int:
    """Return the next even number of the kind that scales show: 2, 4, 6, 10, 20, 40, 50, 100."""
    size = 1
    while True:
        for factor in (2, 4, 6, 10):
            if value <= factor * size:
                return factor * size
        size *= 10
