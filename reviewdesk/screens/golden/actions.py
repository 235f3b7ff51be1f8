"""What the Golden screen does with tests and eval runs: one POST address each."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from agents.errors import GoldenError, RunError
from agents.golden import edit, runner
from agents.golden.ask_again import AskedAgain, ask_again
from agents.models import EvalResult, Version
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
def ask_judges_again(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Ask judges once more about what of an eval run they failed to judge."""
    eval_run = eval_run_for(request, slug, pk, Permission.RUN_GOLDEN)
    try:
        asked = ask_again(eval_run=eval_run, by=request.user)
    except GoldenError as error:
        context = run_context(request, eval_run) | {"problem": str(error)}
        return render_page(request, "golden/run.html", context, partial="run", status=409)
    messages.success(request, _asked_words(asked))
    return go_to(request, reverse("golden:run", args=[slug, pk]))


@require_POST
def ask_judges_about(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Ask judges once more about one result; `back` leads to its session, else to the run."""
    project = project_for(request, slug, Permission.RUN_GOLDEN)
    found = EvalResult.objects.select_related("eval_run__agent", "eval_run__version", "run")
    result = found.filter(eval_run__agent__project=project, pk=pk).first()
    if result is None:
        raise Http404("This project has no such result of a golden test.")
    try:
        asked = ask_again(eval_run=result.eval_run, result=result, by=request.user)
    except GoldenError as error:
        context = run_context(request, result.eval_run) | {"problem": str(error)}
        return render_page(request, "golden/run.html", context, partial="run", status=409)
    messages.success(request, _asked_words(asked))
    if request.POST.get("back") == "session" and result.run:
        return go_to(request, reverse("sessions:detail", args=[slug, result.run.session_id]))
    return go_to(request, reverse("golden:run", args=[slug, result.eval_run_id]))


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


def _asked_words(asked: AskedAgain) -> str:
    answers = "1 answer is" if asked.num == 1 else f"{asked.num:,} answers are"
    if asked.decided_by is None:
        return f"Judges asked again: {answers} to come. The eval run waits for them."
    return (
        f"Judges asked again: {answers} to come. Gate {asked.decided_by.pk} has decided and stays "
        "as it is; the answers are shown here."
    )


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
