"""What is done with many sessions of the list at once: labels, queues, export."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from reviewdesk.people.access import DeskRequest, project_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.sessions.selection import MAX_SELECTED, Selection, read_selection
from traces.bulk_labels import label_sessions, undo_labels
from traces.errors import InvalidAnswersError
from traces.label_sets import Question, questions_of
from traces.labels import current_label_set
from traces.models import Project
from traces.queues import BadNameError, add_to_queue, queues_of, remove_from_queue

_ASKED = ("outcome", "severity", "fault_owner", "primary_cause")


@require_POST
def bulk_label(request: DeskRequest, slug: str) -> HttpResponse:
    """Ask for one label for all selected sessions; with answers, complete it."""
    project = project_for(request, slug, Permission.LABEL)
    chosen = read_selection(request.POST, project)
    if not chosen.ids or "outcome" not in request.POST:
        return _ask(request, project, chosen, "label")
    answers = {key: request.POST.get(key, "") for key in _ASKED}
    try:
        done = label_sessions(
            project=project, session_ids=chosen.ids, author=request.user, answers=answers
        )
    except InvalidAnswersError as error:
        return _ask(request, project, chosen, "label", problems=error.by_question, status=422)
    skipped = f" {done.num_skipped:,} had a label of yours and keep it." if done.num_skipped else ""
    text = f"Labelled {_sessions(done.num_labelled)}.{skipped}"
    messages.success(
        request, _with_undo(request, project, text, done.at) if done.num_labelled else text
    )
    return _back(project, chosen)


@require_POST
def undo_bulk_label(request: DeskRequest, slug: str) -> HttpResponse:
    """Take back the labels that this person gave together a moment ago."""
    project = project_for(request, slug, Permission.LABEL)
    at = _moment(request.POST.get("at", ""))
    num = undo_labels(project=project, author=request.user, at=at) if at else 0
    messages.success(request, f"Took back {num:,} label{'' if num == 1 else 's'}.")
    return _back(project, read_selection(request.POST, project))


@require_POST
def bulk_queue(request: DeskRequest, slug: str) -> HttpResponse:
    """Ask for a queue for all selected sessions; with a name, put them in."""
    project = project_for(request, slug, Permission.LABEL)
    chosen = read_selection(request.POST, project)
    if not chosen.ids or "queue_name" not in request.POST:
        return _ask(request, project, chosen, "queue")
    name = request.POST.get("new_name", "").strip() or request.POST["queue_name"]
    try:
        queue, num = add_to_queue(
            project=project, name=name, session_ids=chosen.ids, by=request.user
        )
    except BadNameError as error:
        problems = {"queue_name": str(error)}
        return _ask(request, project, chosen, "queue", problems=problems, status=422)
    waited = len(chosen.ids) - num
    already = f" {waited:,} waited in it already." if waited else ""
    messages.success(request, f"Added {_sessions(num)} to the queue {queue}.{already}")
    return _back(project, chosen)


@require_POST
def bulk_unqueue(request: DeskRequest, slug: str) -> HttpResponse:
    """Take all selected sessions out of the queue that the filter names."""
    project = project_for(request, slug, Permission.LABEL)
    chosen = read_selection(request.POST, project)
    queue = project.queues.filter(name__iexact=request.POST.get("from_queue", "")).first()
    if queue is None:
        messages.error(request, "There is no such queue any more; nothing was taken out.")
    else:
        num = remove_from_queue(queue=queue, session_ids=chosen.ids)
        messages.success(request, f"Took {_sessions(num)} out of the queue {queue}.")
    return _back(project, chosen)


def _ask(
    request: HttpRequest,
    project: Project,
    chosen: Selection,
    what: str,
    *,
    problems: dict[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {
        "project": project,
        "selection": chosen,
        "what": what,
        "problems": problems or {},
        "given": request.POST,
        "max_selected": MAX_SELECTED,
        "back": _url(project, chosen),
    }
    if what == "label":
        context["questions"] = _questions(project, request.POST, problems or {})
    else:
        context["queues"] = queues_of(project)
    return render(request, "sessions/bulk.html", context, status=status)


def _questions(
    project: Project, given: QueryDict, problems: dict[str, str]
) -> list[tuple[Question, str, str]]:
    questions = questions_of(current_label_set(project))
    return [
        (each, given.get(each.key, ""), problems.get(each.key, ""))
        for each in questions
        if each.key in _ASKED
    ]


def _with_undo(request: HttpRequest, project: Project, text: str, at: datetime) -> SafeString:
    return format_html(
        '{} <form method="post" action="{}"><input type="hidden" name="csrfmiddlewaretoken" '
        'value="{}"><input type="hidden" name="at" value="{}"><input type="hidden" name="q" '
        'value="{}"><button class="btn" type="submit" data-key="u" aria-keyshortcuts="u">'
        "Undo</button></form>",
        text,
        reverse("sessions:undo_bulk_label", args=[project.slug]),
        get_token(request),
        at.isoformat(),
        request.POST.get("q", ""),
    )


def _back(project: Project, chosen: Selection) -> HttpResponse:
    return HttpResponseRedirect(_url(project, chosen), status=303)


def _url(project: Project, chosen: Selection) -> str:
    query = chosen.chosen.query
    return reverse("sessions:index", args=[project.slug]) + (f"?{query}" if query else "")


def _sessions(num: int) -> str:
    return f"{num:,} session{'' if num == 1 else 's'}"


def _moment(text: str) -> datetime | None:
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
