"""Template parts of the Sessions screen."""

import re

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from reviewdesk.screens.sessions.reading import Reading
from reviewdesk.screens.sessions.tree import Outline
from reviewdesk.templatetags.desk import icon
from traces.models import Span

register = template.Library()

_KINDS = {
    Span.Kind.AGENT: "robot",
    Span.Kind.CUSTOMER: "message",
    Span.Kind.MODEL: "sparkles",
    Span.Kind.TOOL: "tool",
    Span.Kind.OTHER: "circle-dot",
}
_CHIPS = {
    "failed": ("alert-triangle", "failed"),
    "waiting": ("clock-pause", "waits for approval"),
    "running": ("player-play", "running"),
    "suggested": ("bulb", "proposed, not executed"),
    "rejected": ("ban", "rejected"),
    "expired": ("hourglass-empty", "expired"),
}


@register.simple_tag
def step_icon(span: Outline) -> SafeString:
    """Return the icon of a step's kind, or of what is wrong with it."""
    if span.status == Span.Status.ERROR:
        return icon("alert-triangle", label="failed")
    if span.status == Span.Status.WAITING:
        return icon("clock-pause", label="waiting")
    return icon(_KINDS.get(Span.Kind(span.kind), "circle-dot"))


@register.simple_tag
def chip_icon(state: str) -> SafeString:
    """Return the icon of a call's state; an ordinary call has the tool's."""
    name, label = _CHIPS.get(state, ("tool", ""))
    return icon(name, label=label)


@register.simple_tag
def wrong_options(reading: Reading, chosen: str) -> list[tuple[str, str]]:
    """Return the steps that may be marked as the first wrong one: (span id, title)."""
    options = [
        (step.span.span_id, f"{step.row.index} {step.title}")
        for step in reading.steps
        if step.span.kind in (Span.Kind.MODEL, Span.Kind.TOOL, Span.Kind.OTHER)
    ]
    if chosen and all(chosen != span_id for span_id, _ in options):
        options.append((chosen, "a step outside of these"))
    return options


@register.filter
def highlight(text: str, words: str) -> SafeString:
    """Mark the places in `text` where one of the searched words begins a word."""
    terms = [re.escape(word.strip("#\"'()")) for word in words.split()]
    terms = [term for term in terms if term]
    if not terms:
        return format_html("{}", text)
    pieces = re.split(rf"(?<!\w)((?:{'|'.join(terms)})\w*)", text, flags=re.IGNORECASE)
    marked = (
        (format_html("<mark>{}</mark>", piece) if number % 2 else piece,)
        for number, piece in enumerate(pieces)
    )
    return format_html_join("", "{}", marked)
