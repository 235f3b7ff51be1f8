"""Adding the adversarial suite to an agent's golden tests, after a look at what comes."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from agents.errors import GoldenError
from agents.golden.adversarial.build import add_suite, plan_suite
from agents.models import Agent, GoldenTest
from reviewdesk.people.access import DeskRequest, project_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.golden.views import agents_of, chosen_agent, permissions
from reviewdesk.screens.pages import go_to, render_page
from traces.models import Project


@require_http_methods(["GET", "HEAD", "POST"])
def adversarial(request: DeskRequest, slug: str) -> HttpResponse:
    """Show which attacks become tests of an agent, and on POST add them."""
    if request.method != "POST":
        project = project_for(request, slug)
        return _show(request, project, chosen_agent(agents_of(project), _asked(request)))
    project = project_for(request, slug, Permission.PROMOTE)
    agent = chosen_agent(agents_of(project), _asked(request))
    if agent is None:
        return _show(request, project, agent, status=409)
    try:
        plan = add_suite(agent=agent, by=request.user, with_changed="changed" in request.POST)
    except GoldenError as error:
        return _show(request, project, agent, problem=str(error), status=409)
    num = len(plan.new) + (len(plan.changed) if "changed" in request.POST else 0)
    messages.success(request, f"The adversarial suite was added: {num} tests written.")
    board = reverse("golden:index", args=[slug])
    return go_to(request, f"{board}?agent={agent.slug}&suite={GoldenTest.Suite.ADVERSARIAL}")


def _asked(request: DeskRequest) -> str:
    data = request.POST if request.method == "POST" else request.GET
    return data.get("agent", "")


def _show(
    request: DeskRequest,
    project: Project,
    agent: Agent | None,
    *,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {
        "agents": agents_of(project),
        "agent": agent,
        "problem": problem,
        **permissions(request),
    }
    if agent is not None:
        try:
            context["plan"] = plan_suite(agent=agent)
        except GoldenError as error:
            context["problem"] = problem or str(error)
    return render_page(
        request, "golden/adversarial.html", context, partial="adversarial", status=status
    )
