"""The Sessions screen."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from reviewdesk.people.access import DeskRequest, project_for


@require_safe
def index(request: DeskRequest, slug: str) -> HttpResponse:
    """List the project's sessions."""
    project = project_for(request, slug)
    return render(request, "sessions/index.html", {"project": project})
