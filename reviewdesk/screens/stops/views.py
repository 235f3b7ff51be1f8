"""The kill switch: every stop past and present, a new one, and what one of them holds."""

from typing import Any
from urllib.parse import urldefrag

from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from agents.models import Agent, KillSwitch, Run
from agents.tools.registry import contracts
from agents.tools.stops import parked_runs
from reviewdesk.people.access import DeskRequest, may, project_for
from reviewdesk.people.roles import Permission, roles_with
from reviewdesk.screens.pages import render_page
from reviewdesk.screens.stops.banner import EVERYTHING, Banner, stops_named, stops_on_page
from reviewdesk.screens.stops.forms import LiftForm, StopForm
from reviewdesk.screens.stops.past import stops_page, told
from traces.models import Project

NEW = "stops/new.html"
DETAIL = "stops/detail.html"
_SHOWN_RUNS = 8


@require_safe
def index(request: DeskRequest, slug: str) -> HttpResponse:
    """Show every stop of the project and of everything: those that are on, then the others."""
    project = project_for(request, slug)
    past, following = stops_page(project, request.GET.get("before", ""))
    context = {
        "past": past,
        "following": following,
        "is_first_page": not request.GET.get("before"),
        "may_stop": may(request, Permission.LOWER_AUTONOMY),
        "may_lift": may(request, Permission.RAISE_AUTONOMY),
        "lifters": " or ".join(roles_with(Permission.RAISE_AUTONOMY)),
    }
    return render_page(request, "stops/index.html", context, partial="results")


@require_safe
def new(request: DeskRequest, slug: str) -> HttpResponse:
    """Ask what is to be stopped; `?tool=`, `?agent=` and `?scope=` choose beforehand."""
    project = project_for(request, slug, Permission.LOWER_AUTONOMY)
    agent = request.GET.get("agent", "")
    tool = request.GET.get("tool", "")
    guess = "tool" if tool else "agent" if agent else "project"
    initial = {
        "scope": request.GET.get("scope", guess),
        "tool": tool,
        "tool_agent": agent,
        "agent": agent,
    }
    return new_page(request, project, stop_form(project, initial=initial))


@require_safe
def detail(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Show one stop: who, when, why, what waits; and the form that lifts it."""
    switch = switch_for(request, slug, pk)
    return detail_page(request, switch, LiftForm())


@require_safe
def banner(request: DeskRequest, slug: str) -> HttpResponse:
    """Answer what stands above a page, or 204 while that names the stops that are `seen` there.

    `?of=everything` asks for a page of no project. Asked every few seconds by every open page.
    """
    project = project_for(request, slug)
    is_everywhere = request.GET.get("of") == EVERYTHING
    wanted = None if is_everywhere else project.pk
    if request.GET.get("seen", "") == stops_named(wanted):
        return HttpResponse(status=204)
    found = Banner(project.slug, stops_on_page(wanted), is_everywhere)
    return render(request, "stops/banner.html", {"banner": found})


def stop_form(project: Project, data: Any = None, initial: Any = None) -> StopForm:
    """Return the form with the project's tools and agents. Two queries."""
    tools = [contract.name for contract in contracts(project.pk)]
    agents = Agent.objects.filter(project=project).order_by("name", "pk")
    return StopForm(data, tools=tools, agents=list(agents), initial=initial)


def new_page(
    request: DeskRequest, project: Project, form: StopForm, *, status: int = 200, problem: str = ""
) -> HttpResponse:
    """Return the form as a page, or for the dialog."""
    context = {
        "form": form,
        "project": project,
        "problem": problem,
        "back": came_from(request),
        "may_stop_everything": may(request, Permission.STOP_EVERYTHING),
        "everything_stoppers": " or ".join(roles_with(Permission.STOP_EVERYTHING)),
    }
    partial = "dialog" if status == 200 else "form"
    return render_page(request, NEW, context, partial=partial, status=status)


def detail_page(
    request: DeskRequest,
    switch: KillSwitch,
    form: LiftForm,
    *,
    status: int = 200,
    problem: str = "",
) -> HttpResponse:
    """Return a stop as a page, or for the dialog."""
    on = stops_on_page(request.membership.project_id)
    on_now = next((stop for stop in on if stop.pk == switch.pk), None)
    context = {
        "stop": told(switch),
        "on": on_now,
        "parked": _parked(switch, request.membership.project) if on_now else [],
        "form": form,
        "problem": problem,
        "back": came_from(request),
        "may_lift": may(request, lift_permission(switch)),
        "lifters": " or ".join(roles_with(lift_permission(switch))),
    }
    partial = "dialog" if status == 200 else "form"
    return render_page(request, DETAIL, context, partial=partial, status=status)


def _parked(switch: KillSwitch, project: Project) -> list[Run]:
    """Return the first of a project's runs that wait for a stop, the oldest first. One query."""
    runs = parked_runs(switch).filter(project=project).select_related("session")
    heavy = ("input", "session__said", "session__said_vector", "session__metadata")
    return list(runs.defer(*heavy).order_by("created_at")[:_SHOWN_RUNS])


def switch_for(
    request: DeskRequest, slug: str, pk: int, permission: Permission = Permission.VIEW
) -> KillSwitch:
    """Return a stop of the project or of everything. Two queries; raises like `project_for`."""
    project = project_for(request, slug, permission)
    switches = KillSwitch.objects.select_related("project", "agent", "stopped_by", "lifted_by")
    everything = Q(scope=KillSwitch.Scope.EVERYTHING)
    found = switches.filter(Q(project=project) | everything, pk=pk).first()
    if found is None:
        raise Http404(f"This project has no stop {pk}.")
    return found


def lift_permission(switch: KillSwitch) -> Permission:
    """Return what it takes to lift a stop."""
    is_everything = switch.scope == KillSwitch.Scope.EVERYTHING
    return Permission.STOP_EVERYTHING if is_everything else Permission.RAISE_AUTONOMY


def came_from(request: DeskRequest) -> str:
    """Return the path of the page that the dialog stands on, or nothing."""
    sent = request.POST.get("back")
    if sent is not None:
        return sent
    # Without the fragment: going to the same page with it would load nothing anew.
    return urldefrag(request.htmx.current_url_abs_path or "").url
