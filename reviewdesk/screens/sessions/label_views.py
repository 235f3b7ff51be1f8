"""Labelling: each answer saves a draft; completing goes on to the next session."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from reviewdesk.people.access import DeskRequest, session_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.pages import go_to, render_fragment, render_page, wants_fragment
from reviewdesk.screens.sessions.detail import page_context
from reviewdesk.screens.sessions.filters import read_filter
from reviewdesk.screens.sessions.label_form import label_panel, save_label
from reviewdesk.screens.sessions.neighbours import next_to_label
from traces import labels
from traces.errors import InvalidAnswersError, LabelCompletedError
from traces.models import Session


@require_POST
def save_draft(request: DeskRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """Save the answers as a draft: quietly as they are given, or as a form that was sent."""
    session = session_for(request, slug, pk, Permission.LABEL)
    if wants_fragment(request):
        return _autosave(request, session)
    try:
        save_label(request, session, is_complete=False)
    except InvalidAnswersError as error:
        return show_again(request, session, error)
    except LabelCompletedError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Your draft is saved.")
    return redirect("sessions:detail", slug, pk)


@require_POST
def complete(request: DeskRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """Complete the label and go on to the next session of the list that needs one."""
    session = session_for(request, slug, pk, Permission.LABEL)
    chosen = read_filter(request.GET)
    following = next_to_label(session, chosen, request.user)
    try:
        save_label(request, session, is_complete=True)
    except InvalidAnswersError as error:
        return show_again(request, session, error)
    done = f"done={session.pk}"
    query = "&".join(part for part in (chosen.query, done) if part)
    if following is None:
        messages.success(request, "Labelled. Nothing in this list is left for you to label.")
    else:
        messages.success(request, f"Labelled “{session.title or session.pk}”.")
    url = reverse("sessions:detail", args=[slug, following or session.pk])
    return go_to(request, f"{url}?{query}")


@require_POST
def reopen(request: DeskRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """Take the completion back: the label is a draft again."""
    session = session_for(request, slug, pk, Permission.LABEL)
    labels.reopen_label(session=session, author=request.user)
    url = reverse("sessions:detail", args=[slug, session.pk])
    query = read_filter(request.GET).query
    return go_to(request, f"{url}?{query}" if query else url)


def _autosave(request: DeskRequest, session: Session) -> HttpResponse:
    context: dict[str, object] = {"project": session.project, "session": session}
    try:
        context["saved"] = save_label(request, session, is_complete=False)
        status = 200
    except InvalidAnswersError as error:
        context["problem"], status = str(error), 422
    except LabelCompletedError as error:
        context["problem"], status = str(error), 409
    return render_fragment(request, "sessions/detail.html", context, partial="saved", status=status)


def show_again(request: HttpRequest, session: Session, error: InvalidAnswersError) -> HttpResponse:
    """Show the form again with what was sent and what is wrong with it."""
    panel = label_panel(request, session, given=request.POST, problems=error.by_question)
    context = {**page_context(request, session), "panel": panel}
    return render_page(request, "sessions/detail.html", context, partial="label", status=422)
