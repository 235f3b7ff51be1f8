"""What the pages of the Incidents screen show."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Count, IntegerField, Q, QuerySet, Value, When
from django.http import Http404, HttpRequest

from agents.incidents import similar_to, stops_over
from agents.models import Agent, Incident, Level
from reviewdesk.people.access import may, project_for
from reviewdesk.people.roles import Permission, roles_with
from reviewdesk.screens.incidents.forms import (
    HoldForm,
    NoteForm,
    OpenForm,
    OwnerForm,
    ReasonForm,
    SeverityForm,
)
from traces.models import Project, Session

PAGE_SIZE = 50
STATUS_PILLS = {
    Incident.Status.OPEN: ("bad", "urgent", "open"),
    Incident.Status.MITIGATED: ("warn", "bandage", "mitigated"),
    Incident.Status.CLOSED: ("good", "circle-check", "closed"),
}
SEVERITY_PILLS = {
    Incident.Severity.CRITICAL: ("bad", "alert-octagon", "critical"),
    Incident.Severity.MAJOR: ("warn", "alert-triangle", "major"),
    Incident.Severity.MINOR: ("none", "circle-dot", "minor"),
}
_OPEN_FIRST = Case(
    When(status=Incident.Status.OPEN, then=Value(0)),
    When(status=Incident.Status.MITIGATED, then=Value(1)),
    default=Value(2),
    output_field=IntegerField(),
)


@dataclass(frozen=True)
class Row:
    """An incident as lists and its page show it."""

    incident: Incident

    @property
    def status_pill(self) -> tuple[str, str, str]:
        """Return kind, icon and word of its state."""
        return STATUS_PILLS[Incident.Status(self.incident.status)]

    @property
    def severity_pill(self) -> tuple[str, str, str]:
        """Return kind, icon and word of its severity."""
        return SEVERITY_PILLS[Incident.Severity(self.incident.severity)]

    @property
    def is_open(self) -> bool:
        """Say whether it does harm still, as far as is known."""
        return self.incident.status == Incident.Status.OPEN

    @property
    def is_closed(self) -> bool:
        """Say whether it is over."""
        return self.incident.status == Incident.Status.CLOSED

    @property
    def held_at(self) -> str:
        """Return the level that it holds tools at now, or an empty string."""
        return Level(self.incident.ceiling).label if self.is_open and self.incident.ceiling else ""


@dataclass(frozen=True)
class Chosen:
    """What of the list is asked for; anything unknown in the address is left out."""

    status: str
    severity: str
    source: str
    agent: str
    page: int

    @property
    def is_filtered(self) -> bool:
        """Say whether less than everything is asked for."""
        return bool(self.status or self.severity or self.source or self.agent)


def incident_for(
    request: HttpRequest, slug: str, number: int, permission: Permission = Permission.VIEW
) -> Incident:
    """Return the project's incident. Two queries; raises like `project_for`."""
    project = project_for(request, slug, permission)
    found = Incident.objects.select_related("project", "agent", "owner", "opened_by", "closed_by")
    incident = found.filter(project=project, number=min(number, 2**31 - 1)).first()
    if incident is None:
        raise Http404(f"This project has no incident {number}.")
    return incident


def read_chosen(request: HttpRequest) -> Chosen:
    """Return what the address asks for."""
    status, severity = request.GET.get("status", ""), request.GET.get("severity", "")
    page, source = request.GET.get("page", ""), request.GET.get("source", "")
    return Chosen(
        status=status if status in Incident.Status.values else "",
        severity=severity if severity in Incident.Severity.values else "",
        source=source if source in Incident.Source.values else "",
        agent=request.GET.get("agent", "")[:60],
        page=min(int(page), 10_000) if page.isascii() and page.isdecimal() and int(page) else 1,
    )


def list_context(request: HttpRequest, project: Project) -> dict[str, Any]:
    """Return what the list shows. Three queries."""
    chosen = read_chosen(request)
    found = Incident.objects.filter(project=project)
    counted = found.values_list("status").annotate(Count("pk")).order_by()
    nums = dict.fromkeys(Incident.Status.values, 0) | dict(counted)
    start = (chosen.page - 1) * PAGE_SIZE
    rows = list(_filtered(found, chosen)[start : start + PAGE_SIZE + 1])
    return {
        "project": project,
        "chosen": chosen,
        "nums": nums,
        "num_all": sum(nums.values()),
        "rows": [Row(incident) for incident in rows[:PAGE_SIZE]],
        "older": chosen.page + 1 if len(rows) > PAGE_SIZE else None,
        "newer": chosen.page - 1 if chosen.page > 1 else None,
        "agents": Agent.objects.filter(project=project).order_by("name"),
        "sources": Incident.Source,
        "severities": Incident.Severity,
        **permissions(request),
    }


def page_context(request: HttpRequest, incident: Incident) -> dict[str, Any]:
    """Return what an incident's page shows."""
    project = incident.project
    return {
        "project": project,
        "row": Row(incident),
        "incident": incident,
        "log": incident.notes.select_related("by").order_by("-pk")[:500],
        "similar": [Row(each) for each in similar_to(incident)],
        "stops": list(stops_over(incident)[:5]),
        "note_form": NoteForm(),
        "reason_form": ReasonForm(),
        "hold_form": HoldForm(initial={"ceiling": incident.ceiling}),
        "severity_form": SeverityForm(initial={"severity": incident.severity}),
        "owner_form": OwnerForm(project=project, initial={"owner": incident.owner_id}),
        **permissions(request),
    }


def new_context(
    request: HttpRequest, project: Project, form: OpenForm, session: Session | None
) -> dict[str, Any]:
    """Return what the form of a new incident shows."""
    return {"project": project, "form": form, "session": session, **permissions(request)}


def session_named(project: Project, pk: str) -> Session | None:
    """Return the project's session that an address names, or None."""
    form = OpenForm({"session": pk}, project=project)
    form.is_valid()
    found: Session | None = form.cleaned_data.get("session")
    return found


def start_of(project: Project, session: Session | None) -> dict[str, Any]:
    """Return what the form of a new incident begins with."""
    if session is None:
        return {}
    agent = Agent.objects.filter(project=project, slug=session.agent_name).first()
    return {"session": session.pk, "agent": agent.pk if agent else None}


def permissions(request: HttpRequest) -> dict[str, Any]:
    """Return what this person may do, and who may do the rest."""
    return {
        "may_open": may(request, Permission.OPEN_INCIDENTS),
        "may_close": may(request, Permission.CLOSE_INCIDENTS),
        "closers": " or ".join(roles_with(Permission.CLOSE_INCIDENTS)),
    }


def _filtered(found: QuerySet[Incident], chosen: Chosen) -> QuerySet[Incident]:
    wanted = Q()
    if chosen.status:
        wanted &= Q(status=chosen.status)
    if chosen.severity:
        wanted &= Q(severity=chosen.severity)
    if chosen.source:
        wanted &= Q(source=chosen.source)
    if chosen.agent:
        wanted &= Q(agent__slug=chosen.agent)
    return found.filter(wanted).select_related("agent", "owner").order_by(_OPEN_FIRST, "-number")
