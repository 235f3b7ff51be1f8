"""The Judges pages' small parts: rates with their intervals, and what a verdict is worth."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from agents.judges.measures import Kappa, Rate
from agents.judges.trust import Trust
from agents.judges.verdicts import JudgeVerdict
from agents.models import Judgement
from reviewdesk.templatetags.desk import NOT_KNOWN, pill

register = template.Library()
_WIDTH = 200.0


@register.simple_tag
def trust_pill(trust: Trust) -> SafeString:
    """Return whether a judge is believed in a slice."""
    if trust.is_trusted:
        return pill("good", "shield-check", "trusted")
    return pill("warn", "message-question", "advisory")


@register.simple_tag
def verdict_pill(said: JudgeVerdict) -> SafeString:
    """Return a judge's verdict; what failed or is still to come has none."""
    if said.status == Judgement.Status.FAILED:
        return pill("none", "ban", "no verdict")
    if said.status != Judgement.Status.DONE:
        return pill("none", "hourglass", "not judged yet")
    if said.passes is None:
        return pill("none", "circle-dashed", said.title.lower())
    kind, icon_name = ("good", "circle-check") if said.passes else ("bad", "circle-x")
    return pill(kind, icon_name, said.title.lower())


@register.simple_tag
def rate_text(rate: Rate) -> SafeString | str:
    """Return a share with its interval and n: "0.93 (0.86 to 0.97), 88 of 95"."""
    if rate.value is None or rate.interval is None:
        return format_html(
            '<span class="faint">{} <span class="small">n 0</span></span>', NOT_KNOWN
        )
    return format_html(
        '<b class="num">{}</b> <span class="small muted nowrap">{} to {}</span>'
        ' <span class="small faint nowrap">{} of {}</span>',
        _two(rate.value),
        _two(rate.interval[0]),
        _two(rate.interval[1]),
        f"{rate.num:,}",
        f"{rate.n:,}",
    )


@register.simple_tag
def kappa_text(kappa: Kappa | None) -> SafeString | str:
    """Return kappa with its interval."""
    if kappa is None:
        return format_html('<span class="faint" title="{}">{}</span>', _NO_KAPPA, NOT_KNOWN)
    return format_html(
        '<b class="num">{}</b> <span class="small muted nowrap">{} to {}</span>',
        _two(kappa.value),
        _two(kappa.low),
        _two(kappa.high),
    )


@register.simple_tag
def rate_bar(rate: Rate, name: str, floor: float | None = None) -> SafeString | str:
    """Return a share's interval as a bar from 0 to 1, with the floor that its bound must pass."""
    if rate.value is None or rate.interval is None:
        return format_html('<span class="faint small">{}</span>', "nothing to measure it by yet")
    low, high = rate.interval
    label = f"{name} {_two(rate.value)}, interval {_two(low)} to {_two(high)}, n {rate.n}"
    tick = ""
    if floor is not None:
        label += f", the lower bound must be over {floor:g}"
        tick = format_html(
            '<line class="tick" x1="{}" x2="{}" y1="0" y2="14"/>', _x(floor), _x(floor)
        )
    return format_html(
        '<svg class="desk-svg fix" viewBox="0 0 200 14" width="200" height="14" role="img"'
        ' aria-label="{}"><rect class="track" y="5" width="200" height="4" rx="2"/>'
        '<rect class="f-accent-soft" x="{}" y="3" width="{}" height="8" rx="2"/>'
        '<rect class="f-accent" x="{}" y="1" width="3" height="12" rx="1"/>{}</svg>',
        label,
        _x(low),
        f"{max((high - low) * _WIDTH, 2):.1f}",
        f"{min(rate.value * _WIDTH, _WIDTH - 3):.1f}",
        tick,
    )


@register.filter
def percent_of(value: float | None) -> str:
    """Return a share as percent with one decimal: 68.3 %."""
    return NOT_KNOWN if value is None else f"{value * 100:.1f} %"


def _x(share: float) -> str:
    return f"{share * _WIDTH:.1f}"


def _two(value: float) -> str:
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


_NO_KAPPA = "Nothing to compare, or both say one and the same of every session."
