"""The Overview's small parts: numbers in their unit, change pills, sparklines, interval bars."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from reviewdesk.kpis.definitions import Unit
from reviewdesk.kpis.estimates import Change, Estimate
from reviewdesk.kpis.tiles import Tile
from reviewdesk.templatetags.desk import NOT_KNOWN, duration, money, pill

register = template.Library()

_WIDTH, _HEIGHT, _EDGE = 196.0, 56.0, 2.0
_SHARE_DIGITS = 1


@register.simple_tag
def amount(value: float | None, unit: Unit) -> str:
    """Return a value in its unit: 86.1 %, $0.0151, 3 min 14 s; unknown is a dash."""
    if value is None:
        return NOT_KNOWN
    if unit == "share":
        return f"{100 * value:.{_SHARE_DIGITS}f} %"
    return money(value) if unit == "usd" else duration(round(value * 1e9))


@register.simple_tag
def between(estimate: Estimate, unit: Unit) -> str:
    """Return the interval: 83.0 to 88.7; where there is none, why."""
    if estimate.interval is None:
        return "all equal: no interval"
    low, high = amount(estimate.interval.low, unit), amount(estimate.interval.high, unit)
    return f"{low.removesuffix(' %')} to {high.removesuffix(' %')}"


@register.simple_tag
def target(tile: Tile) -> str:
    """Return what is aimed at: target 85 %, target under $0.02."""
    kpi = tile.kpi
    text = f"{100 * kpi.target:g} %" if kpi.unit == "share" else amount(kpi.target, kpi.unit)
    if kpi.unit == "usd":
        text = f"${kpi.target:g}"
    if kpi.unit == "seconds":
        text = f"{kpi.target / 60:g} min"
    return f"target {text}" if kpi.is_higher_better else f"target under {text}"


@register.simple_tag
def change_pill(change: Change, *, is_rising: bool) -> SafeString:
    """Return the word for a change with the way the number went."""
    arrow = "trending-up" if is_rising else "trending-down"
    if change is Change.BETTER:
        return pill("good", arrow, "better")
    if change is Change.WORSE:
        return pill("bad", arrow, "worse")
    if change is Change.NONE:
        return pill("none", "equal", "no change")
    return pill("none", "hourglass-empty", "nothing before")


@register.simple_tag
def sparkline(tile: Tile) -> SafeString:
    """Return twelve weeks as a line with its band; a week with too little data is a gap."""
    scale = _Scale(tile)
    shapes = []
    for run in _runs(tile.weeks):
        shapes += scale.shapes(run, tile.weeks)
    tick = scale.y(tile.kpi.target)
    last = tile.weeks[-1].value
    end = ""
    if last is not None:
        end = (
            f'<line class="line-accent dotend" x1="{scale.x(len(tile.weeks) - 1)}" '
            f'x2="{scale.x(len(tile.weeks) - 1)}" y1="{scale.y(last)}" y2="{scale.y(last)}" '
            'vector-effect="non-scaling-stroke"/>'
        )
    return mark_safe(  # noqa: S308  # numbers made here, no text from outside
        f'<svg class="desk-svg" viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" width="100%" '
        f'height="{_HEIGHT:.0f}" preserveAspectRatio="none" aria-hidden="true">'
        f'<line class="tick" x1="0" x2="{_WIDTH:.0f}" y1="{tick}" y2="{tick}"/>'
        f"{''.join(shapes)}{end}</svg>"
    )


@register.simple_tag
def gathered(estimate: Estimate) -> SafeString:
    """Return how much of the needed data there is, as a bar."""
    share = min(estimate.n / estimate.min_n, 1.0) if estimate.min_n else 0.0
    return format_html(
        '<svg class="desk-svg" viewBox="0 0 196 56" width="100%" height="56"'
        ' preserveAspectRatio="none" aria-hidden="true"><rect class="track" y="26" width="196"'
        ' height="4"/><rect class="f-control" y="26" width="{}" height="4"/></svg>',
        f"{196 * share:.0f}",
    )


@register.simple_tag
def interval_bar(now: Estimate, before: Estimate, change: Change, top: float) -> SafeString | str:
    """Return a share with its interval on a scale from 0 to `top`, and a tick for before."""
    if now.value is None or now.interval is None:
        return ""
    kind = {Change.BETTER: "good", Change.WORSE: "bad"}.get(change, "ink")
    low, high = (108 * min(each / top, 1) for each in (now.interval.low, now.interval.high))
    middle = 108 * min(now.value / top, 1)
    tick, said = "", ""
    if before.value is not None:
        at = f"{108 * min(before.value / top, 1):.1f}"
        tick = format_html('<line class="tick" x1="{}" x2="{}" y1="0" y2="14"/>', at, at)
        said = f", before {100 * before.value:.1f} %"
    return format_html(
        '<svg class="desk-svg fix" viewBox="0 0 108 14" width="108" height="14" role="img"'
        ' aria-label="{}"><rect class="track" y="5" width="108" height="4" rx="2"/>'
        '<rect class="f-{}" opacity=".35" x="{}" y="3" width="{}" height="8" rx="2"/>'
        '<rect class="f-{}" x="{}" y="1" width="3" height="12" rx="1"/>{}</svg>',
        f"{100 * now.value:.1f} %, 95 % interval {between(now, 'share')}{said}",
        kind,
        f"{low:.1f}",
        f"{high - low:.1f}",
        kind,
        f"{max(middle - 1.5, 0):.1f}",
        tick,
    )


class _Scale:
    """Places weeks and values of a tile on the sparkline."""

    def __init__(self, tile: Tile) -> None:
        values = [tile.kpi.target]
        for each in tile.weeks:
            if each.value is not None:
                values.append(each.value)
            if each.interval is not None:
                values += [each.interval.low, each.interval.high]
        self._low, self._high = min(values), max(values)
        self._num = len(tile.weeks)

    def x(self, index: int) -> str:
        step = (_WIDTH - 2 * _EDGE) / (self._num - 1)
        return f"{_EDGE + index * step:.1f}"

    def y(self, value: float) -> str:
        span = self._high - self._low
        share = (value - self._low) / span if span else 0.5
        return f"{_HEIGHT - _EDGE - share * (_HEIGHT - 2 * _EDGE):.1f}"

    def shapes(self, run: range, weeks: tuple[Estimate, ...]) -> list[str]:
        """Return band and line of one unbroken run of weeks."""
        known = [(index, each) for index in run if (each := weeks[index].interval)]
        highs = [f"{self.x(index)},{self.y(each.high)}" for index, each in known]
        lows = [f"{self.x(index)},{self.y(each.low)}" for index, each in known]
        line = [f"{self.x(index)},{self.y(weeks[index].value or 0)}" for index in run]
        if len(line) == 1:
            x, y = line[0].split(",")
            return [
                f'<line class="line dotend" x1="{x}" x2="{x}" y1="{y}" y2="{y}" '
                'vector-effect="non-scaling-stroke"/>'
            ]
        band = f'<polygon class="band" points="{" ".join(highs + lows[::-1])}"/>'
        path = " ".join(line)
        return [
            band,
            f'<polyline class="line" points="{path}" vector-effect="non-scaling-stroke"/>',
        ]


def _runs(weeks: tuple[Estimate, ...]) -> list[range]:
    runs: list[range] = []
    for index, each in enumerate(weeks):
        if each.value is None:
            continue
        if runs and runs[-1].stop == index:
            runs[-1] = range(runs[-1].start, index + 1)
        else:
            runs.append(range(index, index + 1))
    return runs
