"""Small parts of what shows intents: the way to their sessions, shares, their heaviest words."""

from collections.abc import Mapping
from urllib.parse import urlencode

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from agents.models import Intent
from agents.tools.evidence import wilson
from reviewdesk.templatetags.desk import NOT_KNOWN

register = template.Library()
_MOST_TERMS = 6


@register.simple_tag
def intent_sessions(slug: str, intent: Intent) -> str:
    """Return the address of the session list with an intent's example sessions."""
    query = urlencode({"q": f"id:{','.join(intent.examples)}"}) if intent.examples else ""
    return f"{reverse('sessions:index', args=[slug])}?{query}"


@register.simple_tag
def share_of(num: int, n: int) -> SafeString | str:
    """Return a share with its interval and n: "12 % (9 to 16), 60 of 500"."""
    interval = wilson(num, n)
    if interval is None:
        return NOT_KNOWN
    return format_html(
        '<b class="num">{} %</b> <span class="small muted">{} to {}</span> '
        '<span class="small faint">{} of {}</span>',
        round(100 * num / n),
        round(100 * interval[0]),
        round(100 * interval[1]),
        f"{num:,}",
        f"{n:,}",
    )


@register.filter
def first_terms(terms: Mapping[str, float]) -> list[str]:
    """Return the heaviest words of an intent."""
    return sorted(terms, key=lambda word: (-terms[word], word))[:_MOST_TERMS]
