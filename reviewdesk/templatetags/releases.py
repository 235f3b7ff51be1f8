"""Small parts of the Releases screen: measures, their change, and what a release is."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from agents.models import Release
from reviewdesk.kpis.estimates import Interval
from reviewdesk.screens.releases.forms import LIMIT_TITLES
from reviewdesk.screens.releases.reading import EvalSummary
from reviewdesk.templatetags.desk import NOT_KNOWN, duration, money, pill

register = template.Library()

RELEASE_PILLS = {
    Release.Status.WAITING: ("info", "hourglass", "waiting for approval"),
    Release.Status.LIVE: ("good", "circle-check", "live"),
    Release.Status.SUPERSEDED: ("none", "history", "was live"),
    Release.Status.ROLLED_BACK: ("warn", "arrow-back-up", "rolled back"),
    Release.Status.REFUSED: ("bad", "circle-x", "refused"),
    Release.Status.WITHDRAWN: ("none", "ban", "withdrawn"),
    Release.Status.VOID: ("warn", "alert-triangle", "void"),
}


@register.filter
def about_field(path: str) -> str:
    """Return what a changed field of a version means where its name does not say, or nothing."""
    if path == "fallback_model":
        return "Asked where the model fails or takes too long."
    _, hint = LIMIT_TITLES.get(path.removeprefix("limits."), ("", ""))
    return hint


@register.simple_tag
def release_pill(release: Release) -> SafeString:
    """Return the pill of a release's status."""
    return pill(*RELEASE_PILLS[Release.Status(release.status)])


@register.simple_tag
def measure(value: float | None, unit: str) -> str:
    """Return a mean in its unit (`money` or `duration`, the latter in ns); unknown is a dash."""
    if value is None:
        return NOT_KNOWN
    return money(value) if unit == "money" else duration(round(value))


@register.simple_tag
def change_share(change: float | None, interval: Interval | None) -> str:
    """Return a relative change with its interval: +6 % (+2 to +9); unknown is a dash."""
    if change is None:
        return NOT_KNOWN
    text = f"{_percent(change)} %"
    if interval is None:
        return text
    return f"{text} ({_percent(interval.low)} to {_percent(interval.high)})"


@register.simple_tag
def bar(evaluated: EvalSummary | None) -> SafeString | str:
    """Return an eval run as a bar: passed, failed, and what says nothing or has not run."""
    if evaluated is None or not evaluated.num_repeats:
        return ""
    width = 300.0
    passed = width * evaluated.num_passed / evaluated.num_repeats
    failed = width * evaluated.num_failed / evaluated.num_repeats
    parts = [f"{evaluated.num_passed} of {evaluated.num_repeats} repeats passed"]
    if evaluated.num_failed:
        parts.append(f"{evaluated.num_failed} failed")
    if evaluated.num_errors:
        parts.append(f"{evaluated.num_errors} ended by the infrastructure")
    if evaluated.num_not_judged:
        parts.append(f"{evaluated.num_not_judged} not judged")
    left = evaluated.num_repeats - evaluated.num_done
    if left:
        parts.append(f"{left} not run yet")
    return format_html(
        '<div class="stack tight">'
        '<svg class="desk-svg" viewBox="0 0 300 8" width="100%" height="8"'
        ' preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="300" height="8"/>'
        '<rect class="f-ink" width="{}" height="8"/><rect class="f-bad" x="{}" width="{}"'
        ' height="8"/></svg><span class="small">{} <span class="faint">of {} test{}</span></span>'
        "</div>",
        f"{passed:.1f}",
        f"{passed:.1f}",
        f"{failed:.1f}",
        ", ".join(parts),
        evaluated.num_tests,
        "" if evaluated.num_tests == 1 else "s",
    )


def _percent(share: float) -> str:
    number = round(share * 100)
    return f"+{number}" if number > 0 else f"\N{MINUS SIGN}{-number}" if number < 0 else "0"
