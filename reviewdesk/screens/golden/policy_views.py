"""The gate's rules of a project: read, proposed by one person, decided by another."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from agents.errors import GateError
from agents.gate.policy import approve_policy, propose_policy, refuse_policy, withdraw_policy
from agents.models import GatePolicy
from reviewdesk.people.access import DeskRequest, may, project_for
from reviewdesk.people.roles import Permission, roles_with
from reviewdesk.screens.golden.policy import read_policies
from reviewdesk.screens.golden.policy_form import DecideForm, PolicyForm
from reviewdesk.screens.pages import go_to, render_page
from traces.models import Project

PAGE = "golden/policy.html"


@require_safe
def policy_page(request: DeskRequest, slug: str) -> HttpResponse:
    """Show the rules that hold, a proposal with what it changes, and those before."""
    project = project_for(request, slug)
    return render_page(request, PAGE, _context(request, project), partial="policy")


@require_POST
def propose_rules(request: DeskRequest, slug: str) -> HttpResponse:
    """Ask for other rules; another person decides."""
    project = project_for(request, slug, Permission.PROPOSE_GATE)
    form = PolicyForm(request.POST, config=read_policies(project).config)
    if not form.is_valid():
        return _again(request, project, form, status=422)
    try:
        row = propose_policy(
            project=project,
            config=form.config(),
            reason=form.cleaned_data["reason"],
            by=request.user,
        )
    except GateError as error:
        form.add_error(None, str(error))
        return _again(request, project, form, status=409)
    messages.success(request, f"Rules {row.number} are proposed. Another person approves them.")
    return go_to(request, reverse("golden:policy", args=[slug]))


@require_POST
def approve_rules(request: DeskRequest, slug: str, number: int) -> HttpResponse:
    """Make proposed rules hold from now on."""
    row = _policy_for(request, slug, number, Permission.DECIDE_GATE)
    return _decide(request, row, approve_policy, f"Rules {number} hold from now on.")


@require_POST
def refuse_rules(request: DeskRequest, slug: str, number: int) -> HttpResponse:
    """Refuse proposed rules; those that hold stay."""
    row = _policy_for(request, slug, number, Permission.DECIDE_GATE)
    return _decide(request, row, refuse_policy, f"Rules {number} are refused.")


@require_POST
def withdraw_rules(request: DeskRequest, slug: str, number: int) -> HttpResponse:
    """Take one's own proposal back."""
    row = _policy_for(request, slug, number, Permission.PROPOSE_GATE)
    return _decide(request, row, withdraw_policy, f"Rules {number} are withdrawn.")


def _policy_for(request: HttpRequest, slug: str, number: int, permission: Permission) -> GatePolicy:
    project = project_for(request, slug, permission)
    found = GatePolicy.objects.filter(project=project, number=number)
    row = found.select_related("project", "proposed_by").first()
    if row is None:
        raise Http404(f"This project has no gate rules {number}.")
    return row


def _decide(
    request: DeskRequest, row: GatePolicy, act: Callable[..., GatePolicy], said: str
) -> HttpResponse:
    form = DecideForm(request.POST)
    problem = "" if form.is_valid() else str(form.errors["reason"][0])
    status = 422
    if not problem:
        try:
            act(policy=row, by=request.user, reason=form.cleaned_data["reason"])
        except GateError as error:
            problem, status = str(error), 409
    if problem:
        context = _context(request, row.project) | {"problem": problem}
        context["reason"] = request.POST.get("reason", "")
        return render_page(request, PAGE, context, partial="policy", status=status)
    messages.success(request, said)
    return go_to(request, reverse("golden:policy", args=[row.project.slug]))


def _again(
    request: DeskRequest, project: Project, form: PolicyForm, *, status: int
) -> HttpResponse:
    context = _context(request, project, form)
    return render_page(request, PAGE, context, partial="policy", status=status)


def _context(
    request: HttpRequest, project: Project, form: PolicyForm | None = None
) -> dict[str, Any]:
    policies = read_policies(project)
    waiting = policies.waiting
    return {
        "policies": policies,
        "form": form or PolicyForm(config=policies.config),
        "is_proposing": form is not None,
        "may_propose": may(request, Permission.PROPOSE_GATE),
        "may_decide": may(request, Permission.DECIDE_GATE),
        "is_own": waiting is not None and waiting.proposed_by_id == request.user.pk,
        "proposers": " or ".join(roles_with(Permission.PROPOSE_GATE)),
        "deciders": " or ".join(roles_with(Permission.DECIDE_GATE)),
    }
