"""The way from `/` to the person's first project."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from reviewdesk.people.access import DeskRequest
from reviewdesk.people.models import Membership


@require_safe
def home(request: DeskRequest) -> HttpResponse:
    """Go to the overview of the first project, or say that there is none yet."""
    first = (
        Membership.objects.filter(user=request.user)
        .select_related("project")
        .order_by("project__name", "project_id")
        .first()
    )
    if first is None:
        return render(request, "no_project.html")
    return redirect("overview:index", first.project.slug)
