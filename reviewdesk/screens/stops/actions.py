"""What the kill switch does: one POST address each, named like its function."""

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from agents.errors import StopError
from agents.models import KillSwitch
from agents.tools import stops
from reviewdesk.people.access import DeskRequest, project_for, require
from reviewdesk.people.roles import Permission
from reviewdesk.screens.pages import go_to
from reviewdesk.screens.stops.forms import LiftForm
from reviewdesk.screens.stops.past import told
from reviewdesk.screens.stops.views import (
    detail_page,
    lift_permission,
    new_page,
    stop_form,
    switch_for,
)


@require_POST
def stop(request: DeskRequest, slug: str) -> HttpResponse:
    """Stop a tool, an agent, the project or everything, at once."""
    project = project_for(request, slug, Permission.LOWER_AUTONOMY)
    form = stop_form(project, request.POST)
    if not form.is_valid():
        return new_page(request, project, form, status=422)
    target = form.target()
    is_everything = target["scope"] is KillSwitch.Scope.EVERYTHING
    if is_everything:
        require(request, Permission.STOP_EVERYTHING)
    try:
        switch = stops.stop(
            **target,
            project=None if is_everything else project,
            reason=form.cleaned_data["reason"],
            by=request.user,
        )
    except StopError as error:
        return new_page(request, project, form, status=409, problem=str(error))
    messages.success(request, f"{told(switch).sentence}.")
    return _back(request, slug)


@require_POST
def lift(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Lift a stop; the runs that waited for it go on."""
    switch = switch_for(request, slug, pk)
    require(request, lift_permission(switch))
    form = LiftForm(request.POST)
    if not form.is_valid():
        return detail_page(request, switch, form, status=422)
    try:
        stops.lift(switch=switch, reason=form.cleaned_data["reason"], by=request.user)
    except StopError as error:
        switch.refresh_from_db()
        return detail_page(request, switch, form, status=409, problem=str(error))
    messages.success(request, "The stop is lifted; the runs that waited for it go on.")
    return _back(request, slug)


def _back(request: DeskRequest, slug: str) -> HttpResponse:
    """Go back to the page that the dialog stood on; without one to the list."""
    sent = request.POST.get("back", "")
    is_ours = sent.startswith("/") and url_has_allowed_host_and_scheme(
        sent, {request.get_host()}, require_https=request.is_secure()
    )
    return go_to(request, sent if is_ours else reverse("stops:index", args=[slug]))
