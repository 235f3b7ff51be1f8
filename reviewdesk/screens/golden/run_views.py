"""Eval runs: the list of them, one of them, and any two side by side."""

from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from agents.golden.compare import compare_runs
from agents.golden.coverage import coverage_of_run
from agents.golden.runner import MOST_REPEATS
from agents.models import EvalRun
from reviewdesk.people.access import DeskRequest, project_for
from reviewdesk.screens.golden.beside import TABS, compared_sentence, shown_tests
from reviewdesk.screens.golden.progress import read_progress
from reviewdesk.screens.golden.run_list import PAGE_SIZE, run_rows, runs_of
from reviewdesk.screens.golden.views import agents_of, chosen_agent, eval_run_for, permissions
from reviewdesk.screens.pages import go_to, render_page

TESTS_PER_PAGE = 100
LIST = "golden/runs.html"


@require_safe
def runs_page(request: DeskRequest, slug: str) -> HttpResponse:
    """List an agent's eval runs, newest first; any two can be chosen and compared."""
    project_for(request, slug)
    context = _list_context(request)
    return render_page(request, LIST, context, partial="results")


@require_safe
def run_page(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Show an eval run: how far it is, and its results test by test."""
    eval_run = eval_run_for(request, slug, pk)
    context = run_context(request, eval_run)
    return render_page(request, "golden/run.html", context, partial="run")


@require_safe
def compare_chosen(request: DeskRequest, slug: str) -> HttpResponse:
    """Go to the comparison of the two eval runs that were chosen, the older one first."""
    project = project_for(request, slug)
    found = EvalRun.objects.filter(agent__project=project, pk__in=_chosen(request)).order_by("pk")
    runs = list(found.values_list("pk", "agent_id"))
    if len(runs) != 2:
        return _choose_again(request, f"Choose two eval runs to compare; {len(runs)} are chosen.")
    if runs[0][1] != runs[1][1]:
        return _choose_again(request, "These eval runs are of different agents.")
    return go_to(request, reverse("golden:compare", args=[slug, runs[0][0], runs[1][0]]))


@require_safe
def compare_page(request: DeskRequest, slug: str, before: int, now: int) -> HttpResponse:
    """Show two eval runs of an agent side by side: what moved, and how sure it is."""
    first, second = eval_run_for(request, slug, before), eval_run_for(request, slug, now)
    if first.agent_id != second.agent_id or first == second:
        raise Http404("These are not two eval runs of one agent.")
    comparison = compare_runs(before=first, now=second)
    show = request.GET.get("show", "moved")
    part = request.GET.get("part", "")[:60]
    tests = shown_tests(comparison, show, part)
    context = {
        "agent": first.agent,
        "comparison": comparison,
        "sentence": compared_sentence(comparison),
        "tabs": [(name, title, len(shown_tests(comparison, name, part))) for name, title in TABS],
        "show": show if show in dict(TABS) else "moved",
        "part": part,
        "page": Paginator(tests, TESTS_PER_PAGE).get_page(request.GET.get("page")),
    }
    return render_page(request, "golden/compare.html", context, partial="comparison")


def run_context(request: HttpRequest, eval_run: EvalRun) -> dict[str, Any]:
    """Return what an eval run's page shows."""
    progress = read_progress(eval_run)
    return {
        "eval_run": eval_run,
        "agent": eval_run.agent,
        "progress": progress,
        "coverage": coverage_of_run(eval_run),
        "page": Paginator(progress.tests, TESTS_PER_PAGE).get_page(request.GET.get("page")),
        "repeats_again": min(eval_run.num_repeats, MOST_REPEATS),
        **permissions(request),
    }


def _list_context(request: DeskRequest) -> dict[str, Any]:
    agents = agents_of(request.membership.project)
    agent = chosen_agent(agents, request.GET.get("agent", ""))
    context: dict[str, Any] = {"agents": agents, "agent": agent, **permissions(request)}
    if agent is not None:
        page = Paginator(runs_of(agent), PAGE_SIZE).get_page(request.GET.get("page"))
        rows = run_rows(page.object_list)
        chosen = _chosen(request)
        context |= {
            "page": page,
            "rows": rows,
            "chosen": chosen,
            "elsewhere": sorted(chosen - {row.eval_run.pk for row in rows}),
        }
    return context


def _chosen(request: HttpRequest) -> set[int]:
    """Return the eval runs that the address names; numbers that none can have are passed over."""
    named = request.GET.getlist("run")[:PAGE_SIZE]
    return {int(each) for each in named if each.isdecimal() and len(each) < 10}


def _choose_again(request: DeskRequest, problem: str) -> HttpResponse:
    context = _list_context(request) | {"problem": problem}
    return render_page(request, LIST, context, partial="results", status=422)
