"""Template parts that tell of a session's run: its calls, and how it stands."""

from django import template
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from agents.config import canonical_json
from agents.models import Step
from reviewdesk.screens.sessions.standing import Standing
from reviewdesk.templatetags.desk import pill, status_pill
from traces.models import Project
from traces.redaction import masker_for

register = template.Library()
_MAX_ARGUMENTS = 300


@register.filter
def step_arguments(step: Step, project: Project) -> str:
    """Return the arguments that the model asked for as short JSON, masked as the project asks.

    The journal holds what was really said; the session's page never shows more than its trace.
    """
    arguments, _ = masker_for(project).json((step.request or {}).get("arguments") or {})
    return Truncator(canonical_json(arguments)).chars(_MAX_ARGUMENTS)


@register.simple_tag
def standing_pill(status: str, standing: Standing | None) -> SafeString:
    """Return the pill of how a run stands, or of its session's status."""
    return pill(*standing.pill) if standing and standing.pill else status_pill(status)
