"""Pages of the Incidents screen."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from reviewdesk.people.access import DeskRequest, project_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.incidents.forms import OpenForm
from reviewdesk.screens.incidents.pages import (
    incident_for,
    list_context,
    new_context,
    page_context,
    session_named,
    start_of,
)
from reviewdesk.screens.pages import render_page

INDEX, NEW, INCIDENT = (f"incidents/{name}.html" for name in ("index", "new", "incident"))


@require_safe
def index(request: DeskRequest, slug: str) -> HttpResponse:
    """List the incidents, open ones first."""
    project = project_for(request, slug)
    return render_page(request, INDEX, list_context(request, project), partial="results")


@require_safe
def new_incident(request: DeskRequest, slug: str) -> HttpResponse:
    """Show the form of a new incident, filled from a session where one is named."""
    project = project_for(request, slug, Permission.OPEN_INCIDENTS)
    session = session_named(project, request.GET.get("session", ""))
    form = OpenForm(project=project, initial=start_of(project, session))
    return render_page(request, NEW, new_context(request, project, form, session), partial="form")


@require_safe
def incident_page(request: DeskRequest, slug: str, number: int) -> HttpResponse:
    """Show an incident: what it is about, what it holds back, its log, and others like it."""
    incident = incident_for(request, slug, number)
    return render_page(request, INCIDENT, page_context(request, incident), partial="incident")
