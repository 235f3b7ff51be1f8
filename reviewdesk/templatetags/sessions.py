"""Template parts of the Sessions screen."""

import re

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()


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
