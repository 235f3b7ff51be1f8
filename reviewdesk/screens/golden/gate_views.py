"""Gates: a version against another one, decided by the project's rules."""

from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from agents.errors import GateError, GoldenError, RunError
from agents.gate.run import cancel_gate, start_gate
from agents.models import Agent, Gate
from reviewdesk.people.access import DeskRequest, project_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.golden.gate_form import GateForm, plan_of, usual_choice
from reviewdesk.screens.golden.gate_pages import PAGE_SIZE, gate_rows, gates_of, read_gate
from reviewdesk.screens.golden.views import agents_of, chosen_agent, permissions
from reviewdesk.screens.pages import go_to, render_fragment, render_page, wants_fragment

NEW = "golden/gate_new.html"
PAGE = "golden/gate.html"


@require_safe
def gates_page(request: DeskRequest, slug: str) -> HttpResponse:
    """List an agent's gates, newest first."""
    project = project_for(request, slug)
    agents = agents_of(project)
    agent = chosen_agent(agents, request.GET.get("agent", ""))
    context: dict[str, Any] = {"agents": agents, "agent": agent, **permissions(request)}
    if agent is not None:
        page = Paginator(gates_of(agent), PAGE_SIZE).get_page(request.GET.get("page"))
        context |= {"page": page, "rows": gate_rows(page.object_list)}
    return render_page(request, "golden/gates.html", context, partial="results")


@require_safe
def new_gate(request: DeskRequest, slug: str) -> HttpResponse:
    """Ask which version is to be tested against which, with what it would take."""
    project = project_for(request, slug, Permission.RUN_GOLDEN)
    agents = agents_of(project)
    agent = chosen_agent(agents, request.GET.get("agent", ""))
    if agent is None:
        raise Http404("This project has no agent.")
    form = GateForm(usual_choice(agent, request.GET), agent=agent)
    context = _new_context(agent, form)
    if wants_fragment(request):
        partial = "form" if request.headers.get("HX-Target") == "gate-form" else "dialog"
        return render_fragment(request, NEW, context, partial=partial)
    return render_page(request, NEW, context, partial="form")


@require_POST
def start(request: DeskRequest, slug: str) -> HttpResponse:
    """Run a gate and show it."""
    project = project_for(request, slug, Permission.RUN_GOLDEN)
    agent = chosen_agent(agents_of(project), request.GET.get("agent", ""))
    if agent is None:
        raise Http404("This project has no agent.")
    form = GateForm(request.POST, agent=agent)
    if not form.is_valid():
        return _ask_again(request, agent, form, status=422)
    try:
        gate = start_gate(
            candidate=form.cleaned_data["version"],
            baseline=form.cleaned_data["baseline"] or agent.live_version,
            by=request.user,
        )
    except (GateError, GoldenError, RunError) as error:
        form.add_error(None, str(error))
        return _ask_again(request, agent, form, status=409)
    return go_to(request, reverse("golden:gate", args=[slug, gate.pk]))


@require_safe
def gate_page(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Show a gate: how far it is, or what it decided and why."""
    gate = gate_for(request, slug, pk)
    return render_page(request, PAGE, _context(request, gate), partial="gate")


@require_POST
def cancel(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Stop a gate and its runs; nothing is decided."""
    gate = gate_for(request, slug, pk, Permission.RUN_GOLDEN)
    try:
        cancel_gate(gate=gate, by=request.user)
    except GateError as error:
        context = _context(request, gate) | {"problem": str(error)}
        return render_page(request, PAGE, context, partial="gate", status=409)
    return go_to(request, reverse("golden:gate", args=[slug, pk]))


def gate_for(
    request: HttpRequest, slug: str, pk: int, permission: Permission = Permission.VIEW
) -> Gate:
    """Return the project's gate. Two queries; raises like `project_for`."""
    project = project_for(request, slug, permission)
    found = Gate.objects.filter(agent__project=project, pk=pk)
    gate = found.select_related(
        "agent__live_version", "candidate", "baseline", "policy", "requested_by"
    ).first()
    if gate is None:
        raise Http404(f"This project has no gate {pk}.")
    return gate


def _context(request: HttpRequest, gate: Gate) -> dict[str, Any]:
    return {"gate": gate, "agent": gate.agent, "page": read_gate(gate), **permissions(request)}


def _new_context(agent: Agent, form: GateForm) -> dict[str, Any]:
    return {"agent": agent, "form": form, "plan": plan_of(agent, form)}


def _ask_again(request: DeskRequest, agent: Agent, form: GateForm, *, status: int) -> HttpResponse:
    return render_page(request, NEW, _new_context(agent, form), partial="form", status=status)
