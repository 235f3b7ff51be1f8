"""What the Judges pages do: one address each, named like its function."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST

from agents.errors import JudgeError
from agents.judges import ask as asking
from agents.judges import rubrics
from agents.judges.choose import labelled_sessions, random_sessions
from agents.models import Judge, JudgeVersion
from reviewdesk.people.access import DeskRequest, project_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.judges.forms import (
    ArchiveForm,
    AskForm,
    NewJudgeForm,
    RubricForm,
    initial_of,
)
from reviewdesk.screens.judges.views import JUDGE, judge_for, page_context, page_for
from reviewdesk.screens.pages import go_to, render_page
from traces.models import Project
from traces.queues import MAX_NAME, add_to_queue

FORM = "judges/form.html"


@require_http_methods(["GET", "HEAD", "POST"])
def new_judge(request: DeskRequest, slug: str) -> HttpResponse:
    """Show the form of a new judge, and make it."""
    project = project_for(request, slug, Permission.EDIT_JUDGES)
    form = NewJudgeForm(request.POST if request.method == "POST" else None, project=project)
    if form.is_bound and form.is_valid() and (made := _create(request, project, form)):
        messages.success(request, f"{made} is written. Ask it about labelled sessions to measure.")
        return go_to(request, reverse("judges:judge", args=[slug, made.judge.slug]))
    return _form(request, project, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
def write_version(request: DeskRequest, slug: str, judge: str) -> HttpResponse:
    """Show the form of a judge's next version, and write it."""
    found = judge_for(request, slug, judge, Permission.EDIT_JUDGES)
    newest = found.versions.order_by("-number").first()
    initial = initial_of(newest) if newest else {}
    data = request.POST if request.method == "POST" else None
    form = RubricForm(data, project=found.project, initial=initial)
    if form.is_bound and form.is_valid() and (made := _write(request, found, form)):
        is_new = newest is None or made.pk != newest.pk
        told = f"{made} is written." if is_new else f"Nothing was changed: it is {made}."
        messages.success(request, told)
        return go_to(request, reverse("judges:version", args=[slug, found.slug, made.number]))
    return _form(request, found.project, form, found)


@require_POST
def ask(request: DeskRequest, slug: str, judge: str, number: int) -> HttpResponse:
    """Ask a version about labelled sessions, or about a random part of the others."""
    found = judge_for(request, slug, judge, Permission.EDIT_JUDGES)
    version, form = page_for(request, found, number).version, AskForm(request.POST)
    if not form.is_valid():
        problems = [str(error) for errors in form.errors.values() for error in errors]
        return _problem(request, version, " ".join(problems))
    choose = labelled_sessions if form.cleaned_data["which"] == "labelled" else random_sessions
    sessions = choose(version)[: form.cleaned_data["number"]]
    try:
        num = asking.request_judgements(version=version, sessions=sessions, by=request.user)
    except JudgeError as error:
        return _problem(request, version, str(error))
    messages.success(request, f"{num} judgement{'s' if num != 1 else ''} asked for.")
    return _back(request, version)


@require_POST
def stop_asking(request: DeskRequest, slug: str, judge: str, number: int) -> HttpResponse:
    """Take back what a version has not judged yet."""
    found = judge_for(request, slug, judge, Permission.EDIT_JUDGES)
    version = page_for(request, found, number).version
    num = asking.stop_asking(version=version, by=request.user)
    messages.success(request, f"{num} judgement{'s' if num != 1 else ''} taken back.")
    return _back(request, version)


@require_POST
def relabel(request: DeskRequest, slug: str, judge: str, number: int) -> HttpResponse:
    """Put the disagreements into a queue, and open its first session to be labelled again."""
    found = judge_for(request, slug, judge, Permission.LABEL)
    page = page_for(request, found, number)
    ids = [each.case.session_id for each in page.differing]
    if not ids:
        return _problem(request, page.version, "The judge and people agree on every session.")
    name = f"{found.slug[: MAX_NAME - 20]} v{number} differs"
    add_to_queue(project=found.project, name=name, session_ids=ids, by=request.user)
    query = urlencode({"q": f'queue:"{name}"'})
    url = reverse("sessions:detail", args=[slug, ids[0]])
    return go_to(request, f"{url}?{query}")


@require_POST
def archive(request: DeskRequest, slug: str, judge: str) -> HttpResponse:
    """Put a judge away."""
    found = judge_for(request, slug, judge, Permission.EDIT_JUDGES)
    form = ArchiveForm(request.POST)
    try:
        reason = form.data.get("reason", "")
        rubrics.archive_judge(judge=found, reason=reason, by=request.user)
    except JudgeError as error:
        context = page_context(request, found, None, archive_problem=str(error))
        return render_page(request, JUDGE, context, partial="judge", status=422)
    messages.success(request, f"{found} is archived: it is not asked any more and gates nothing.")
    return go_to(request, reverse("judges:index", args=[slug]))


def _create(request: DeskRequest, project: Project, form: NewJudgeForm) -> JudgeVersion | None:
    try:
        return rubrics.create_judge(
            project=project,
            name=form.cleaned_data["name"],
            question=form.cleaned_data["question"],
            passes=form.passing(),
            rubric=form.rubric_of(),
            note=form.cleaned_data["note"],
            by=request.user,
        )
    except JudgeError as error:
        form.add_error(None, str(error))
        return None


def _write(request: DeskRequest, judge: Judge, form: RubricForm) -> JudgeVersion | None:
    try:
        return rubrics.write_judge_version(
            judge=judge,
            rubric=form.rubric_of(),
            note=form.cleaned_data["note"],
            by=request.user,
        )
    except JudgeError as error:
        form.add_error(None, str(error))
        return None


def _form(
    request: HttpRequest, project: Project, form: RubricForm, judge: Judge | None
) -> HttpResponse:
    models = JudgeVersion.objects.filter(judge__project=project).order_by("model")
    context = {
        "project": project,
        "form": form,
        "judge": judge,
        "models": models.values_list("model", flat=True).distinct(),
    }
    status = 422 if form.errors else 200
    return render_page(request, FORM, context, partial="form", status=status)


def _problem(request: HttpRequest, version: JudgeVersion, problem: str) -> HttpResponse:
    context = page_context(request, version.judge, version.number, ask_problem=problem)
    return render_page(request, JUDGE, context, partial="judge", status=422)


def _back(request: HttpRequest, version: JudgeVersion) -> HttpResponse:
    arguments = [version.judge.project.slug, version.judge.slug, version.number]
    return go_to(request, reverse("judges:version", args=arguments))
