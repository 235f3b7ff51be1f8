"""What was masked, as people read it: chips in the text, and a sentence of counts."""

import re
from collections.abc import Mapping

from django import template
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from traces.redaction import BY_KEY, MARKER

register = template.Library()
_SHOWN = 4


@register.filter(is_safe=True)
def mask_chips(text: object) -> SafeString:
    """Return a text, escaped, with each marker as a small chip.

    Escaping comes first and leaves the markers as they are: they hold letters and a hyphen alone.
    """
    escaped = str(conditional_escape(text if isinstance(text, str) else str(text)))
    if "⟦" not in escaped:
        return mark_safe(escaped)  # noqa: S308
    return mark_safe(MARKER.sub(_chip, escaped))  # noqa: S308


def without_marks(text: str) -> str:
    """Return a text with what each marker stands for in its place: it may be cut anywhere."""
    return MARKER.sub(lambda match: BY_KEY[match[1]].title, text)


@register.filter
def masked_text(counts: Mapping[str, int] | None) -> str:
    """Return how much was masked, e.g. "3 masked: 2 e-mail addresses, 1 card number"."""
    known = {BY_KEY[key]: num for key, num in (counts or {}).items() if key in BY_KEY and num}
    if not known:
        return ""
    parts = [
        f"{num:,} {kind.title if num == 1 else kind.plural}"
        for kind, num in sorted(known.items(), key=lambda item: -item[1])
    ]
    return f"{sum(known.values()):,} masked: {', '.join(parts)}"


def _chip(match: re.Match[str]) -> str:
    kind = BY_KEY[match[1]]
    return format_html(
        '<span class="desk-mask" title="{} was masked before it was stored. The same value has '
        'the same letters: {}">{} <b>{}</b></span>',
        f"{kind.title[:1].upper()}{kind.title[1:]}",
        match[2],
        kind.title,
        match[2][:_SHOWN],
    )
