"""Geometry of the Overview's two charts as the templates draw them, in SVG. Pure functions.

They are there at once, print, and need no script; plotly, which weighs more than the rest of the
desk together, draws the same figure when somebody opens it. Across, places are percent of the
plot's width; down, they are pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from reviewdesk.kpis.estimates import Estimate
from reviewdesk.kpis.measure import SUCCESS, Week
from reviewdesk.kpis.period import Period
from reviewdesk.kpis.tiles import Tile

FAILED = ("not_resolved", "wrongly_refused", "harmful")
TOP, BASE = 8, 168
_LOWEST_SHARE = 0.5
# Of a week's room, how much its bar takes.
_BAR = 0.65


@dataclass(frozen=True)
class Chart:
    """A chart of the page.

    Attributes:
        key: Names it in its address.
        finding: What it shows, in a sentence; its label.
    """

    key: str
    title: str
    finding: str


@dataclass(frozen=True)
class Line:
    """A horizontal line with its label."""

    y: float
    text: str


@dataclass(frozen=True)
class Label:
    """A week's day below the plot."""

    x: float
    text: str


@dataclass(frozen=True)
class Dot:
    """A week's rate; `about` says it with interval and n."""

    x: float
    y: float
    about: str
    is_newest: bool


@dataclass(frozen=True)
class RatePlot:
    """The weekly rate.

    Attributes:
        bands: Points of a polygon per unbroken run of weeks.
        lines: Points of a line through each such run.
    """

    dots: tuple[Dot, ...]
    bands: tuple[str, ...]
    lines: tuple[str, ...]
    target: Line
    scale: tuple[Line, ...]
    labels: tuple[Label, ...]


@dataclass(frozen=True)
class Bar:
    """The sessions of a week with one outcome: a rectangle."""

    x: float
    width: float
    y: float
    height: float
    kind: str
    about: str


@dataclass(frozen=True)
class OutcomePlot:
    """The sessions of each week, stacked by outcome."""

    bars: tuple[Bar, ...]
    scale: tuple[Line, ...]
    labels: tuple[Label, ...]


def charts_of(success: Tile, weeks: Sequence[Week]) -> list[Chart]:
    """Return the page's charts."""
    known = [each for each in success.weeks if each.value is not None]
    rate = "no week has enough labels yet"
    if known:
        rate = f"{about_rate(known[-1])} in the last week with enough labels"
    newest = weeks[-1]
    outcomes = f"{newest.num_sessions} in the newest, {newest.num_labelled} of them labelled"
    return [
        Chart("success", "Task success by week", f"Task success by week: {rate}"),
        Chart("outcomes", "Sessions by outcome", f"Sessions by outcome and week: {outcomes}"),
    ]


def rate_plot(success: Tile, period: Period) -> RatePlot:
    """Return the weekly rate with its 95 % band and the target, from a round share to 100 %."""
    weeks, target = success.weeks, success.kpi.target
    lows = [each.interval.low for each in weeks if each.interval]
    low = min(*lows, target, 1) if lows else _LOWEST_SHARE
    low = max(int(low * 10 - 0.2) / 10, 0)
    step = 0.1 if low >= _LOWEST_SHARE else 0.2

    def y(share: float) -> float:
        return round(BASE - (share - low) / (1 - low) * (BASE - TOP), 1)

    dots = {
        at: Dot(_x(at, len(weeks)), y(each.value), about_rate(each), at == len(weeks) - 1)
        for at, each in enumerate(weeks)
        if each.value is not None
    }
    bands, lines = [], []
    for run in unbroken_runs(weeks):
        highs = [f"{_x(at, len(weeks))},{y(i.high)}" for at in run if (i := weeks[at].interval)]
        under = [f"{_x(at, len(weeks))},{y(i.low)}" for at in run if (i := weeks[at].interval)]
        bands.append(" ".join(highs + under[::-1]))
        lines.append(" ".join(f"{dots[at].x},{dots[at].y}" for at in run))
    shares = [low + step * at for at in range(round((1 - low) / step) + 1)]
    return RatePlot(
        dots=tuple(dots.values()),
        bands=tuple(bands),
        lines=tuple(lines),
        target=Line(y(target), f"target {100 * target:.0f} %"),
        scale=tuple(Line(y(share), f"{100 * share:.0f} %") for share in shares if share <= 1),
        labels=_labels(period),
    )


def outcome_plot(weeks: Sequence[Week], period: Period) -> OutcomePlot:
    """Return the bars with a scale of three lines."""
    top = _round_up(max(week.num_sessions for week in weeks) or 1)
    per_session = (BASE - TOP) / top
    room = 100 / len(weeks)
    bars = []
    for at, (week, (_, last)) in enumerate(zip(weeks, period.weeks, strict=True)):
        y = float(BASE)
        for kind, number in _numbers(week):
            height = number * per_session
            y -= height
            about = f"{number:,} {kind}, week to {_day(last)}"
            if number:
                x = round(at * room + room * (1 - _BAR) / 2, 2)
                bars.append(
                    Bar(x, round(room * _BAR, 2), round(y, 1), round(height, 1), kind, about)
                )
    scale = [Line(round(BASE - n * per_session, 1), f"{n:,}") for n in sorted({0, top // 2, top})]
    return OutcomePlot(tuple(bars), tuple(scale), _labels(period))


def _numbers(week: Week) -> tuple[tuple[str, int], ...]:
    return (
        ("resolved", week.outcomes[SUCCESS]),
        ("partly", week.outcomes["partly"]),
        ("failed", sum(week.outcomes[key] for key in FAILED)),
        ("not labelled", week.num_sessions - week.num_labelled),
    )


def _x(at: int, number: int) -> float:
    return round((at + 0.5) / number * 100, 2)


def _labels(period: Period) -> tuple[Label, ...]:
    weeks = period.weeks
    return tuple(
        Label(_x(at, len(weeks)), _day(last)) for at, (_, last) in enumerate(weeks) if at % 2
    )


def _day(day: date) -> str:
    return f"{day.day} {day:%b}"


def unbroken_runs(weeks: Sequence[Estimate]) -> list[range]:
    """Return each unbroken run of weeks that have an interval: a band never bridges a gap."""
    runs: list[range] = []
    for at, each in enumerate(weeks):
        if each.interval is None or each.value is None:
            continue
        if runs and runs[-1].stop == at:
            runs[-1] = range(runs[-1].start, at + 1)
        else:
            runs.append(range(at, at + 1))
    return runs


def about_rate(each: Estimate) -> str:
    """Return a rate with its interval and n, or what is missing."""
    if each.value is None or each.interval is None:
        return f"not enough labels: {each.n}"
    low, high = 100 * each.interval.low, 100 * each.interval.high
    return f"{100 * each.value:.0f} % ({low:.0f} to {high:.0f}), n {each.n}"


def _round_up(value: int) -> int:
    """Return the next number of the kind that scales show: 2, 4, 6, 10, 20, 40, 60, 100."""
    size = 1
    while True:
        for factor in (2, 4, 6, 10):
            if value <= factor * size:
                return factor * size
        size *= 10
