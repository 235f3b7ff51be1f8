"""Small parts of the eval runs' pages: squares of a side, points with a sign, working time."""

from django import template
from django.utils.safestring import SafeString

from agents.gate.sentence import points
from agents.golden.compare import Side
from reviewdesk.screens.golden.board import Cell
from reviewdesk.templatetags.desk import duration
from reviewdesk.templatetags.golden import reps

register = template.Library()


@register.simple_tag
def side_reps(side: Side) -> SafeString:
    """Return the repeats of a test in one eval run as squares."""
    return reps(Cell(letters=side.letters, test_hash=side.test_hash))


@register.filter
def signed_points(share: float | None) -> str:
    """Return a difference of shares in points; unknown is a dash."""
    return "–" if share is None else points(share)


@register.filter
def worked(ms: float | None) -> str:
    """Return milliseconds that were worked, as people say it."""
    return duration(None if ms is None else round(ms) * 1_000_000)
