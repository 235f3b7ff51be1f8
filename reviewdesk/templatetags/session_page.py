"""Template parts of a session's page: the timeline's cells, and what a search found."""

import re

from django import template
from django.utils.html import conditional_escape, format_html, format_html_join, linebreaks
from django.utils.safestring import SafeString, mark_safe

from reviewdesk.screens.sessions.timeline import WIDTH, Bar, Bucket, Timeline
from reviewdesk.screens.sessions.tree import Outline
from reviewdesk.templatetags.desk import NOT_KNOWN, duration, money, thousands
from traces.models import Session, Span

register = template.Library()

# Shapes, so that a kind reads without colour: (top, height, class).
_SHAPES = {
    Span.Kind.MODEL: (3, 10, "f-control"),
    Span.Kind.TOOL: (6, 4, "f-accent"),
    Span.Kind.CUSTOMER: (1, 14, "f-ink"),
    Span.Kind.AGENT: (7, 2, "f-line"),
    Span.Kind.OTHER: (7, 2, "f-info"),
}


@register.simple_tag
def step_took(span: Outline, session: Session) -> str:
    """Return how long a step took, or how it stands; a dash where the source has no times."""
    if span.status == Span.Status.RUNNING:
        return "…"
    if span.status == Span.Status.WAITING:
        return "waits"
    if span.kind == Span.Kind.CUSTOMER:
        return ""
    is_known = session.is_timed or (span.duration_ns and session.is_length_known)
    return duration(span.duration_ns) if is_known else NOT_KNOWN


@register.simple_tag
def time_cells(timeline: Timeline, span: Outline, session: Session) -> SafeString:
    """Return a step's bar on the time axis, how long it took, its tokens and its cost."""
    row = timeline.rows[span.span_id]
    has_tokens = row.input_tokens is not None or row.output_tokens is not None
    tokens = f"{thousands(row.input_tokens)} → {thousands(row.output_tokens)}"
    return format_html(
        '<svg class="desk-svg time" viewBox="0 0 {} 16" preserveAspectRatio="none" '
        'aria-hidden="true">{}</svg><span class="dur">{}</span><span class="tok">{}</span>'
        '<span class="cost">{}</span>',
        WIDTH,
        _bar(row.bar, span),
        step_took(span, session),
        tokens if has_tokens else "",
        "" if row.cost_usd is None else money(row.cost_usd),
    )


@register.simple_tag
def time_waited(timeline: Timeline, span: Outline) -> SafeString | str:
    """Return how long nothing was done before the step, where the axis leaves that out."""
    waited_ns = timeline.rows[span.span_id].waited_ns
    if not waited_ns:
        return ""
    words = '<span class="session-waited faint small nowrap">after {}</span>'
    return format_html(words, duration(waited_ns))


@register.simple_tag
def time_rev(timeline: Timeline, span: Outline) -> str:
    """Return what changes when a step's place on the time axis does."""
    bar = timeline.rows[span.span_id].bar
    return f"{bar.x:g}-{bar.width:g}"


@register.filter
def percent(place: float) -> str:
    """Return a place on the time axis as a share of its width."""
    return f"{place * 100 / WIDTH:.2f}%"


@register.filter
def bucket_height(bucket: Bucket) -> str:
    """Return the height of a bucket's bar in the overview, 0 to 16."""
    return f"{bucket.height * 16:.1f}"


@register.filter
def bucket_top(bucket: Bucket) -> str:
    """Return where a bucket's bar begins, from the top."""
    return f"{16 - bucket.height * 16:.1f}"


@register.filter
def marked(text: str, words: str) -> SafeString:
    """Mark every place in `text` where the searched words stand as they were typed."""
    text = "" if text is None else str(text)
    if not words:
        return conditional_escape(text)
    pieces = re.split(f"({re.escape(words)})", text, flags=re.IGNORECASE)
    parts = (
        (format_html("<mark>{}</mark>", piece) if number % 2 else piece,)
        for number, piece in enumerate(pieces)
    )
    return format_html_join("", "{}", parts)


@register.filter
def marked_lines(text: str, words: str) -> SafeString:
    """Return text as paragraphs, with what was searched marked."""
    return mark_safe(linebreaks(marked(text, words)))  # noqa: S308  # `marked` has escaped it


@register.filter
def or_dash(text: str) -> str:
    """Return the text, or a dash where there is none."""
    return text or NOT_KNOWN


def _bar(bar: Bar, span: Outline) -> SafeString:
    top, height, name = _SHAPES.get(Span.Kind(span.kind), _SHAPES[Span.Kind.OTHER])
    if span.status == Span.Status.ERROR:
        name = "f-bad"
    elif span.status == Span.Status.WAITING:
        name = "f-warn"
    plain = format_html(
        '<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="1"/>',
        name,
        bar.x,
        top,
        4 if span.kind == Span.Kind.CUSTOMER else bar.width,
        height,
    )
    if span.status not in (Span.Status.ERROR, Span.Status.WAITING):
        return plain
    hatch = '<rect class="t-hatch" x="{}" y="{}" width="{}" height="{}"/>'
    return plain + format_html(hatch, bar.x, top, bar.width, height)
