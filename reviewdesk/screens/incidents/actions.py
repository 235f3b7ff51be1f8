"""What the Incidents screen does: one POST address each, named like its function."""

from collections.abc import Callable

from django.contrib import messages
from django.forms import Form
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from agents import incidents
from agents.errors import IncidentError
from agents.models import Incident, Level
from reviewdesk.people.access import DeskRequest, project_for, require
from reviewdesk.people.roles import Permission
from reviewdesk.screens.incidents import forms
from reviewdesk.screens.incidents.pages import incident_for, new_context, page_context
from reviewdesk.screens.incidents.views import INCIDENT, NEW
from reviewdesk.screens.pages import go_to, render_page


@require_POST
def open_incident(request: DeskRequest, slug: str) -> HttpResponse:
    """Open an incident."""
    project = project_for(request, slug, Permission.OPEN_INCIDENTS)
    form = forms.OpenForm(request.POST, project=project)
    if not form.is_valid():
        session = form.cleaned_data.get("session")
        context = new_context(request, project, form, session)
        return render_page(request, NEW, context, partial="form", status=422)
    data = form.cleaned_data
    incident = incidents.open_incident(
        project=project,
        title=data["title"],
        severity=Incident.Severity(data["severity"]),
        source=Incident.Source.PERSON,
        agent=data["agent"],
        tool=data["tool"],
        ceiling=Level(data["ceiling"]) if data["ceiling"] else "",
        session=data["session"],
        summary=data["summary"],
        by=request.user,
    )
    messages.success(request, f"Incident {incident.number} is open.")
    return go_to(request, reverse("incidents:incident", args=[slug, incident.number]))


@require_POST
def add_note(request: DeskRequest, slug: str, number: int) -> HttpResponse:
    """Write into the log."""
    incident = incident_for(request, slug, number, Permission.OPEN_INCIDENTS)
    form = forms.NoteForm(request.POST)
    return _answer(
        request,
        incident,
        ("note_form", form),
        lambda: incidents.add_note(
            incident=incident, text=form.cleaned_data["text"], by=request.user
        ),
        "The note stands in the log.",
    )


@require_POST
def assign_incident(request: DeskRequest, slug: str, number: int) -> HttpResponse:
    """Give the incident an owner, or none."""
    incident = incident_for(request, slug, number, Permission.OPEN_INCIDENTS)
    form = forms.OwnerForm(request.POST, project=incident.project)
    return _answer(
        request,
        incident,
        ("owner_form", form),
        lambda: incidents.assign_incident(
            incident=incident, owner=form.cleaned_data["owner"], by=request.user
        ),
        "The owner is set.",
    )


@require_POST
def change_hold(request: DeskRequest, slug: str, number: int) -> HttpResponse:
    """Let the incident hold tools back more, or, by those who may close it, less."""
    incident = incident_for(request, slug, number, Permission.OPEN_INCIDENTS)
    form = forms.HoldForm(request.POST)
    if form.is_valid() and incidents.is_loosened(incident.ceiling, form.cleaned_data["ceiling"]):
        require(request, Permission.CLOSE_INCIDENTS)
    return _answer(
        request,
        incident,
        ("hold_form", form),
        lambda: incidents.change_hold(
            incident=incident,
            ceiling=form.cleaned_data["ceiling"],
            reason=form.cleaned_data["reason"],
            by=request.user,
        ),
        "It holds for runs under way too.",
    )


@require_POST
def change_severity(request: DeskRequest, slug: str, number: int) -> HttpResponse:
    """Say how bad it is."""
    incident = incident_for(request, slug, number, Permission.OPEN_INCIDENTS)
    form = forms.SeverityForm(request.POST)
    return _answer(
        request,
        incident,
        ("severity_form", form),
        lambda: incidents.change_severity(
            incident=incident,
            severity=Incident.Severity(form.cleaned_data["severity"]),
            reason=form.cleaned_data["reason"],
            by=request.user,
        ),
        "The severity is set.",
    )


@require_POST
def mitigate_incident(request: DeskRequest, slug: str, number: int) -> HttpResponse:
    """Say that the incident does no more harm."""
    incident = incident_for(request, slug, number, Permission.CLOSE_INCIDENTS)
    form = forms.ReasonForm(request.POST)
    return _answer(
        request,
        incident,
        ("reason_form", form),
        lambda: incidents.mitigate_incident(
            incident=incident, note=form.cleaned_data["reason"], by=request.user
        ),
        f"Incident {number} is mitigated: what it held back is free again.",
    )


@require_POST
def close_incident(request: DeskRequest, slug: str, number: int) -> HttpResponse:
    """Close the incident."""
    incident = incident_for(request, slug, number, Permission.CLOSE_INCIDENTS)
    form = forms.ReasonForm(request.POST)
    return _answer(
        request,
        incident,
        ("reason_form", form),
        lambda: incidents.close_incident(
            incident=incident, note=form.cleaned_data["reason"], by=request.user
        ),
        f"Incident {number} is closed.",
    )


@require_POST
def reopen_incident(request: DeskRequest, slug: str, number: int) -> HttpResponse:
    """Open the incident again."""
    incident = incident_for(request, slug, number, Permission.OPEN_INCIDENTS)
    form = forms.ReasonForm(request.POST)
    return _answer(
        request,
        incident,
        ("reason_form", form),
        lambda: incidents.reopen_incident(
            incident=incident, reason=form.cleaned_data["reason"], by=request.user
        ),
        f"Incident {number} is open again.",
    )


def _answer(
    request: DeskRequest,
    incident: Incident,
    named_form: tuple[str, Form],
    act: Callable[[], object],
    done: str,
) -> HttpResponse:
    """Act on a valid form and go back to the page; else show the page with what is wrong."""
    name, form = named_form
    problem, status = "", 422
    if form.is_valid():
        try:
            act()
        except IncidentError as error:
            fresh = incident_for(request, incident.project.slug, incident.number)
            incident, problem, status = fresh, str(error), 409
        else:
            messages.success(request, done)
            url = reverse("incidents:incident", args=[incident.project.slug, incident.number])
            return go_to(request, url)
    shown = page_context(request, incident) | {name: form, "problem": problem}
    return render_page(request, INCIDENT, shown, partial="incident", status=status)
