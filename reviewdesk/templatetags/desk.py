"""The desk's small parts for templates: numbers as people read them, pills, levels, icons."""

import math
from datetime import datetime, timedelta
from decimal import Decimal

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from agents.models import Level
from traces.models import Session
from traces.records import to_ns

register = template.Library()

NOT_KNOWN = "\N{EN DASH}"
OUTCOMES = {
    "resolved": ("good", "circle-check", "resolved"),
    "partly": ("warn", "circle-half-2", "partly"),
    "not_resolved": ("bad", "circle-x", "not resolved"),
    "wrongly_refused": ("bad", "ban", "wrongly refused"),
    "harmful": ("bad solid", "alert-octagon", "harmful"),
}
STATUSES = {
    Session.Status.RUNNING: ("accent", "player-play", "running"),
    Session.Status.WAITING: ("warn", "clock-pause", "waiting for approval"),
    Session.Status.COMPLETED: ("none", "check", "ended"),
    Session.Status.HANDED_OVER: ("info", "arrow-forward-up", "ended: handed over"),
    Session.Status.FAILED: ("bad", "alert-triangle", "failed"),
    Session.Status.CANCELLED: ("none", "ban", "cancelled"),
}


@register.simple_tag
def icon(name: str, size: str = "", label: str = "") -> SafeString:
    """Return the sprite's icon. `size` "s" is 14 px; `label` makes it an image with a name."""
    url = static("vendor/tabler/icons.svg")
    classes = "desk-i desk-i-s" if size == "s" else "desk-i"
    if label:
        return format_html(
            '<svg class="{}" role="img" aria-label="{}"><title>{}</title><use href="{}#{}"/></svg>',
            classes,
            label,
            label,
            url,
            name,
        )
    return format_html(
        '<svg class="{}" aria-hidden="true"><use href="{}#{}"/></svg>', classes, url, name
    )


@register.simple_tag
def key(caps: str) -> SafeString:
    """Return a key cap; it is decoration, `aria-keyshortcuts` on the control says it aloud."""
    return format_html('<kbd class="desk-key" aria-hidden="true">{}</kbd>', caps)


@register.simple_tag
def pill(kind: str, icon_name: str, text: str) -> SafeString:
    """Return a status pill: `kind` is good, warn, bad, info, none or accent."""
    return format_html('<span class="desk-pill {}">{}{}</span>', kind, icon(icon_name), text)


@register.simple_tag
def status_pill(status: str) -> SafeString:
    """Return the pill of a session's status."""
    return pill(*STATUSES[Session.Status(status)])


@register.simple_tag
def outcome_pill(outcome: str | None) -> SafeString:
    """Return the pill of a label's outcome; none is "unlabelled"."""
    if not outcome:
        return pill("none", "circle-dashed", "unlabelled")
    return pill(*OUTCOMES.get(outcome, ("none", "circle-dot", outcome)))


@register.simple_tag
def level(value: str, held: str = "") -> SafeString:
    """Return the level meter: `value` is in effect; `held` was set but something binds lower."""
    now, wanted = Level(value), Level(held or value)
    steps = format_html_join(
        "",
        '<i class="{}"></i>',
        (("on" if n < now.rank else "held" if n < wanted.rank else "",) for n in range(4)),
    )
    return format_html(
        '<span class="desk-level {}"><span class="meter" aria-hidden="true">{}</span>{}</span>',
        now.value,
        steps,
        now.label,
    )


@register.simple_tag
def ago(when: datetime | None) -> SafeString | str:
    """Return how long ago, with the absolute time (UTC) in its title."""
    if when is None:
        return NOT_KNOWN
    return _time(when, ago_text(timezone.now() - when))


@register.simple_tag
def until(when: datetime | None) -> SafeString | str:
    """Return how long until `when`, with the absolute time (UTC) in its title."""
    if when is None:
        return NOT_KNOWN
    left = when - timezone.now()
    text = "now" if left <= timedelta(0) else f"in {_span_text(left)}"
    return _time(when, text)


@register.simple_tag
def clock(when: datetime | None, style: str = "H:i") -> SafeString | str:
    """Return the time of day ("H:i" or "H:i:s"), with the whole in its title."""
    if when is None:
        return NOT_KNOWN
    return _time(when, when.strftime("%H:%M:%S" if style == "H:i:s" else "%H:%M"))


@register.simple_tag
def when(value: datetime | None) -> SafeString | str:
    """Return the time for a list: 10:41 today, Tue 10:41 this week, 14 Nov 10:41 before."""
    if value is None:
        return NOT_KNOWN
    days = (timezone.now().date() - value.date()).days
    if days <= 0:
        return _time(value, f"{value:%H:%M}")
    if days < 7:
        return _time(value, f"{value:%a %H:%M}")
    year = "" if value.year == timezone.now().year else f" {value:%Y}"
    return _time(value, f"{value.day} {value:%b}{year} {value:%H:%M}")


@register.simple_tag
def took(session: Session) -> str:
    """Return how long the session lasted, waits included: until now while it goes on."""
    if not session.is_length_known:
        return NOT_KNOWN
    end_ns = to_ns(timezone.now()) if session.ended_at is None else session.last_ns
    if session.ended_at is not None:
        end_ns = max(end_ns, to_ns(session.ended_at))
    return duration(max(end_ns - session.first_ns, 0))


@register.filter
def duration(ns: int | None) -> str:
    """Return nanoseconds as 210 ms, 18.4 s, 3 min 14 s or 2 h 05 min."""
    if ns is None:
        return NOT_KNOWN
    if ns < 999_500_000:
        return f"{ns / 1e6:.0f} ms" if ns >= 999_500 or ns == 0 else "< 1 ms"
    if ns < 59_950_000_000:
        return f"{ns / 1e9:.1f} s"
    seconds = round(ns / 1e9)
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    minutes = seconds // 60
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


@register.filter
def wait(value: timedelta | None) -> str:
    """Return how long somebody waited: 40 s, 4 min, 2 h; unknown is a dash."""
    return NOT_KNOWN if value is None else _span_text(value)


@register.filter
def money(value: Decimal | float | None) -> str:
    """Return US dollars: $1,204.50; below a dollar with four decimals; unknown is a dash."""
    if value is None:
        return NOT_KNOWN
    if value == 0:
        return "$0"
    size = abs(Decimal(value))
    if size < 1:
        return f"${value:.4f}" if size >= Decimal("0.00005") else "< $0.0001"
    return f"${value:,.2f}"


@register.filter
def thousands(value: int | None) -> str:
    """Return a whole number with separators: 9,842; unknown is a dash."""
    return NOT_KNOWN if value is None else f"{value:,}"


tokens = register.filter("tokens", thousands)


@register.filter
def short_count(value: int) -> str:
    """Return a count for a narrow place: 312, 1,204, 48k, 1.2M."""
    if value < 10_000:
        return f"{value:,}"
    if value < 1_000_000:
        return f"{value // 1000}k"
    return f"{math.floor(value / 100_000) / 10:g}M"


def ago_text(elapsed: timedelta) -> str:
    """Return "just now", "40 s ago", "5 min ago", "3 h ago" or "12 days ago"."""
    if elapsed < timedelta(seconds=5):
        return "just now"
    return f"{_span_text(elapsed)} ago"


def _span_text(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h"
    return f"{seconds // 86400} days"


def _time(when: datetime, text: str) -> SafeString:
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        when.isoformat(),
        f"{when:%Y-%m-%d %H:%M:%S} UTC",
        text,
    )
