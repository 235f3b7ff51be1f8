"""Golden tests as files: exporting a selection, and importing after a look at what it does."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from agents.errors import GoldenError
from agents.golden.exchange import BY_PAGE, export_tests, import_tests, plan_import
from agents.golden.files import BadFileError, Format
from agents.models import Agent, GoldenTest
from reviewdesk.people.access import DeskRequest, project_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.golden.forms import LARGEST_FILE, ImportForm
from reviewdesk.screens.golden.views import agents_of, chosen_agent, permissions
from reviewdesk.screens.pages import go_to, render_page
from traces.models import Project

_TYPES = {Format.JSONL: "application/jsonl", Format.YAML: "application/yaml"}
_MOST_SHOWN = 50


@require_safe
def export(request: DeskRequest, slug: str) -> HttpResponse:
    """Send the chosen tests of an agent as a file; without a choice all active ones.

    They hold what customers and tools really said (docs/decisions/014), so not everybody who
    reads the pages may take them away.
    """
    project = project_for(request, slug, Permission.PROMOTE)
    agent = _agent(project, request.GET.get("agent", ""))
    tests = GoldenTest.objects.filter(agent=agent).order_by("slug")
    # No id has more digits, and Python reads no number of thousands of them.
    pks = [int(pk) for pk in request.GET.getlist("test") if pk.isdecimal() and len(pk) < 19]
    suites = [suite for suite in request.GET.getlist("suite") if suite in GoldenTest.Suite.values]
    tests = tests.filter(pk__in=pks) if pks else tests.filter(archived_at=None)
    if suites:
        tests = tests.filter(suite__in=suites)
    asked = request.GET.get("format", "")
    form = Format(asked) if asked in set(Format) else Format.JSONL
    response = HttpResponse(
        export_tests(tests, form), content_type=f"{_TYPES[form]}; charset=utf-8"
    )
    name = f"golden-tests-{agent.slug}.{form.value}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
def exchange(request: DeskRequest, slug: str) -> HttpResponse:
    """Show export and import; on POST say what a file would do, and with `confirm` do it."""
    if request.method != "POST":
        project = project_for(request, slug)
        return _show(request, project, _agent(project, request.GET.get("agent", "")), ImportForm())
    project = project_for(request, slug, Permission.PROMOTE)
    agent = _agent(project, request.POST.get("agent", ""))
    form = ImportForm(request.POST, request.FILES)
    if not form.is_valid():
        return _show(request, project, agent, form, status=422)
    given = {
        "agent": agent,
        "text": form.cleaned_data["text"],
        "with_unknown_tools": form.cleaned_data["with_unknown_tools"],
        "bounds": BY_PAGE,
    }
    try:
        if "confirm" in request.POST:
            plan = import_tests(by=request.user, **given)
            return _done(request, agent, len(plan.new), len(plan.changed))
        plan = plan_import(**given)
    except BadFileError as error:
        problems = error.problems
        return _show(request, project, agent, form, status=422, problems=problems)
    except GoldenError as error:
        form.add_error(None, str(error))
        return _show(request, project, agent, form, status=409)
    return _show(request, project, agent, form, plan=plan)


def _done(request: DeskRequest, agent: Agent, num_new: int, num_changed: int) -> HttpResponse:
    messages.success(request, f"Imported: {num_new} new, {num_changed} changed.")
    slug = request.membership.project.slug
    return go_to(request, f"{reverse('golden:index', args=[slug])}?agent={agent.slug}")


def _show(
    request: DeskRequest,
    project: Project,
    agent: Agent,
    form: ImportForm,
    *,
    status: int = 200,
    problems: Sequence[Any] = (),
    plan: Any = None,
) -> HttpResponse:
    tests = GoldenTest.objects.filter(agent=agent, archived_at=None).order_by("suite", "title")
    context = {
        "agents": agents_of(project),
        "agent": agent,
        "tests": tests.only("pk", "title", "suite", "slug"),
        "suites": GoldenTest.Suite.choices,
        "form": form,
        "text": form.text,
        "problems": problems[:_MOST_SHOWN],
        "num_more": max(0, len(problems) - _MOST_SHOWN),
        "plan": plan,
        "largest": LARGEST_FILE // 1_000_000,
        "most": BY_PAGE.tests,
        **permissions(request),
    }
    return render_page(request, "golden/exchange.html", context, partial="exchange", status=status)


def _agent(project: Project, wanted: str) -> Agent:
    agent = chosen_agent(agents_of(project), wanted)
    if agent is None:
        raise Http404("This project has no agent yet.")
    return agent
