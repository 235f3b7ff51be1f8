"""Template parts that tell of a session's run: its calls, and how it stands."""

from django import template
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from agents.config import canonical_json
from agents.models import Step
from reviewdesk.screens.sessions.standing import Standing
from reviewdesk.templatetags.desk import pill, status_pill

register = template.Library()
_MAX_ARGUMENTS = 300


@register.filter
def step_arguments(step: Step) -> str:
    """Return the arguments that the model asked for as short JSON."""
    arguments = (step.request or {}).get("arguments")
    return Truncator(canonical_json(arguments or {})).chars(_MAX_ARGUMENTS)


@register.simple_tag
def standing_pill(status: str, standing: Standing | None) -> SafeString:
    """Return the pill of how a run stands, or of its session's status."""
    return pill(*standing.pill) if standing and standing.pill else status_pill(status)
