"""What the Golden screen does with tests and eval runs: one POST address each."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from agents.errors import GoldenError, RunError
from agents.golden import edit, runner
from agents.models import Version
from reviewdesk.people.access import DeskRequest, project_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.golden.forms import ReasonForm, RunForm
from reviewdesk.screens.golden.run_views import run_context
from reviewdesk.screens.golden.views import (
    agents_of,
    board_context,
    eval_run_for,
    golden_test_for,
    panel_context,
)
from reviewdesk.screens.pages import go_to, render_page
from traces.models import Project


@require_POST
def start_eval_run(request: DeskRequest, slug: str) -> HttpResponse:
    """Run the tests of a version's agent, of a suite or tag, or one, and show the eval run."""
    project = project_for(request, slug, Permission.RUN_GOLDEN)
    form = RunForm(request.POST)
    if not form.is_valid():
        problem = str(next(iter(form.errors.values()))[0])
        return _board_again(request, slug, None, problem, status=422)
    version = _version_for(project, form.cleaned_data["version"])
    test = form.cleaned_data["test"]
    tests = None if test is None else [golden_test_for(request, slug, test, Permission.RUN_GOLDEN)]
    try:
        eval_run = runner.start_eval_run(
            version=version,
            tests=tests,
            num_repeats=form.cleaned_data["repeats"],
            suites=form.suites,
            tags=form.tags,
            by=request.user,
        )
    except (GoldenError, RunError) as error:
        return _board_again(request, slug, version.agent.slug, str(error), status=409)
    return go_to(request, reverse("golden:run", args=[slug, eval_run.pk]))


@require_POST
def cancel_eval_run(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Stop an eval run; what has been judged stays."""
    eval_run = eval_run_for(request, slug, pk, Permission.RUN_GOLDEN)
    try:
        runner.cancel_eval_run(eval_run=eval_run, by=request.user)
    except GoldenError as error:
        context = run_context(request, eval_run) | {"problem": str(error)}
        return render_page(request, "golden/run.html", context, partial="run", status=409)
    return go_to(request, reverse("golden:run", args=[slug, pk]))


@require_POST
def archive_test(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Take a test out of later eval runs."""
    test = golden_test_for(request, slug, pk, Permission.PROMOTE)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        problem = form.errors["reason"][0]
        context = panel_context(request, test, archive_problem=problem)
        return render_page(request, "golden/index.html", context, partial="panel", status=422)
    try:
        edit.archive_test(test=test, reason=form.cleaned_data["reason"], by=request.user)
    except GoldenError as error:
        context = panel_context(request, test, archive_problem=str(error))
        return render_page(request, "golden/index.html", context, partial="panel", status=409)
    messages.success(request, f"Archived: {test.title}. Evidence taken with it is void.")
    return go_to(request, f"{reverse('golden:index', args=[slug])}?agent={test.agent.slug}")


def _version_for(project: Project, pk: int) -> Version:
    version = Version.objects.select_related("agent").filter(agent__project=project, pk=pk).first()
    if version is None:
        raise Http404("This project has no such version.")
    return version


def _board_again(
    request: DeskRequest, slug: str, agent: str | None, problem: str, *, status: int
) -> HttpResponse:
    agents = agents_of(request.membership.project)
    wanted = agent or request.GET.get("agent", "")
    shown = next((each for each in agents if each.slug == wanted), agents[0] if agents else None)
    context = board_context(request, agents, shown) | {"problem": problem}
    return render_page(request, "golden/index.html", context, partial="results", status=status)
