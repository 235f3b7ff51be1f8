"""Geometry of spend against budget; the templates draw it as SVG. Pure functions.

Across, places are percent of the plot's width; down, they are pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from agents.runtime.spending import Use, amount_words
from reviewdesk.kpis.spending import DaySpend

TOP, BASE = 14, 140
_BAR = 0.7
# A use over this many times its limit does not make its bar longer.
_MOST_SHARE = 1.25


@dataclass(frozen=True)
class UseBar:
    """A limit's bar: 100 % stands at `limit_x`, so that what is over shows.

    Attributes:
        kind: `bad` at 100 % and over, `warn` at 80, else `ok`.
        words: The same as text.
        name: Whose limit it is, where the page shows several's.
    """

    use: Use
    width: float
    limit_x: float
    kind: str
    words: str
    name: str = ""


@dataclass(frozen=True)
class DayBar:
    """What was used on one day."""

    x: float
    width: float
    y: float
    height: float
    is_over: bool
    about: str


@dataclass(frozen=True)
class SpendChart:
    """30 days of one measure.

    Attributes:
        limit_y: Of the line of the limit, None where none is set.
        scale: (y, text) of the horizontal lines.
        labels: (x, text) below.
        finding: What it shows, in a sentence.
    """

    bars: tuple[DayBar, ...]
    limit_y: float | None
    limit_text: str
    scale: tuple[tuple[float, str], ...]
    labels: tuple[tuple[float, str], ...]
    finding: str


def use_bar(use: Use, name: str = "") -> UseBar:
    """Return the bar of one limit."""
    kind = "bad" if use.percent >= 100 else "warn" if use.percent >= 80 else "ok"
    return UseBar(
        use=use,
        width=round(min(use.share, _MOST_SHARE) / _MOST_SHARE * 100, 2),
        limit_x=round(100 / _MOST_SHARE, 2),
        kind=kind,
        words=f"{_bare(use)} of {use.limit_words}, {use.percent} %",
        name=name,
    )


def spend_chart(
    days: Sequence[DaySpend], *, measure: str, limit: Decimal | None
) -> SpendChart | None:
    """Return the bars, or None where nothing was used on any of the days."""
    amounts = [day.amount(measure) for day in days]
    if not any(amounts):
        return None
    top = _round_up(max([*amounts, limit or Decimal(0)]))
    room = 100 / len(days)

    def down(amount: Decimal) -> float:
        return round(BASE - float(amount / top) * (BASE - TOP), 1)

    bars = tuple(
        DayBar(
            x=round(number * room + room * (1 - _BAR) / 2, 2),
            width=round(room * _BAR, 2),
            y=down(amount),
            height=round(BASE - down(amount), 1),
            is_over=limit is not None and amount >= limit,
            about=f"{_day(day.day)}: {amount_of(day, measure)}",
        )
        for number, (day, amount) in enumerate(zip(days, amounts, strict=True))
    )
    num_over = sum(bar.is_over for bar in bars)
    finding = f"{amount_of(days[-1], measure)} used today"
    if limit is not None:
        finding += f" of {amount_words(measure, limit)}; the limit was reached on {num_over} days"
    return SpendChart(
        bars=bars,
        limit_y=None if limit is None else down(limit),
        limit_text="" if limit is None else f"limit now {amount_words(measure, limit)}",
        scale=tuple((down(part), _short(measure, part)) for part in (Decimal(0), top / 2, top)),
        labels=tuple(
            (round(number * room + room / 2, 2), _day(days[number].day))
            for number in range(1, len(days), 7)
        ),
        finding=finding,
    )


def amount_of(day: DaySpend, measure: str) -> str:
    """Return what was used, with its unit; “at least” where a cost is not all known."""
    words = amount_words(measure, day.amount(measure), exact=True)
    return f"at least {words}" if measure == "cost_usd" and day.num_unpriced else words


def _bare(use: Use) -> str:
    """Return what was used; the unit stands once, at the limit."""
    return use.used_words if use.measure == "cost_usd" else f"{use.used:,.0f}"


def _day(day: date) -> str:
    return f"{day.day} {day:%b}"


def _short(measure: str, amount: Decimal) -> str:
    if measure == "cost_usd":
        return f"${amount.normalize():f}"
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if amount >= size:
            return f"{(amount / size).normalize():f}{unit}"
    return f"{amount.normalize():f}"


def _round_up(amount: Decimal) -> Decimal:
    """Return the next number of the kind that scales show: 1, 2, 4, 6, 10 times a power of ten."""
    size = Decimal(10) ** amount.adjusted()
    return next(factor * size for factor in (1, 2, 4, 6, 10) if amount <= factor * size)
