"""Promoting with one key while reviewing, and taking it back."""

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_POST

from agents.errors import GoldenError
from agents.golden.at_once import promote_at_once
from agents.golden.edit import take_back_promotion
from agents.golden.promote import promoted_test
from agents.models import GoldenTest
from reviewdesk.people.access import DeskRequest, require, session_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.golden.editor import label_of
from reviewdesk.screens.golden.views import golden_test_for
from reviewdesk.screens.pages import go_to, wants_fragment
from reviewdesk.screens.sessions.detail import page_context
from reviewdesk.screens.sessions.filters import read_filter
from reviewdesk.screens.sessions.label_form import save_label
from reviewdesk.screens.sessions.label_views import show_again
from reviewdesk.screens.sessions.neighbours import next_to_label
from traces.errors import InvalidAnswersError, LabelCompletedError
from traces.labels import reopen_label
from traces.models import Session


@require_POST
def promote_now(request: DeskRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """Save the answers as a draft, and promote the session as it is proposed."""
    session = session_for(request, slug, pk, Permission.PROMOTE)
    try:
        _save_label(request, session, is_complete=False)
    except InvalidAnswersError as error:
        return show_again(request, session, error)
    except LabelCompletedError as error:
        messages.info(request, str(error))
    if known := promoted_test(session=session):
        messages.info(request, f"A golden test already: {known.title}")
        return go_to(request, _page_of(request, session.pk))
    try:
        test = _promote(request, session)
    except GoldenError as error:
        return _to_editor(request, session, error)
    if wants_fragment(request):
        context = {**page_context(request, session), **_told(test)}
        return render(request, "sessions/promoted.html", context)
    messages.success(request, _toast(request, test))
    return go_to(request, _page_of(request, session.pk))


@require_POST
def promote_next(request: DeskRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """Complete the label, promote the session, and go on to the next one of the list."""
    session = session_for(request, slug, pk, Permission.PROMOTE)
    following = next_to_label(session, read_filter(request.GET), request.user)
    try:
        _save_label(request, session, is_complete=True)
    except InvalidAnswersError as error:
        return show_again(request, session, error)
    try:
        known = promoted_test(session=session)
        test = known or _promote(request, session)
    except GoldenError as error:
        return _to_editor(request, session, error, following=following)
    told = f"A golden test already: {test.title}" if known else _toast(request, test, reopens=True)
    messages.success(request, told)
    if following is None:
        messages.info(request, "Nothing in this list is left for you to label.")
    return go_to(request, _page_of(request, following or session.pk, done=session.pk))


@require_POST
def take_back(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Take a promotion back, with `reopen` the label too, and show its session."""
    test = golden_test_for(request, slug, pk, Permission.PROMOTE)
    try:
        take_back_promotion(test=test, by=request.user)
    except GoldenError as error:
        messages.error(request, str(error))
        return go_to(request, reverse("golden:test", args=[slug, pk]))
    messages.success(request, f"Taken back: {test.title} is no golden test any more.")
    session = test.source_session
    if session is None:
        return go_to(request, reverse("golden:index", args=[slug]))
    if "reopen" in request.POST:
        reopen_label(session=session, author=request.user)
    return go_to(request, _page_of(request, session.pk))


def _save_label(request: DeskRequest, session: Session, *, is_complete: bool) -> None:
    """Save the label's form where it was sent along: beside a completed label there is none."""
    if "comment" in request.POST:
        require(request, Permission.LABEL)
        save_label(request, session, is_complete=is_complete)


def _promote(request: DeskRequest, session: Session) -> GoldenTest:
    """Promote by what this person answered, a draft too, else by what others completed."""
    own = session.labels.select_related("label_set").filter(author=request.user).first()
    is_judged = own is not None and bool(own.answers.get("outcome"))
    label = own if is_judged else label_of(session, request.user.pk)
    return promote_at_once(session=session, label=label, by=request.user)


def _to_editor(
    request: DeskRequest,
    session: Session,
    error: GoldenError,
    *,
    following: uuid.UUID | None = None,
) -> HttpResponse:
    """Show the form with what a person has to decide; saving it goes on to `following`."""
    messages.warning(request, f"Not promoted yet. {error}")
    url = reverse("golden:promote", args=[session.project.slug, session.pk])
    query = read_filter(request.GET).query
    parts = [query, f"next={following}" if following else ""]
    asked = "&".join(part for part in parts if part)
    return go_to(request, f"{url}?{asked}" if asked else url)


def _told(test: GoldenTest, *, reopens: bool = False) -> dict[str, object]:
    return {"promoted": test, "reopens": reopens}


def _toast(request: DeskRequest, test: GoldenTest, *, reopens: bool = False) -> str:
    """Return the toast with its link and its undo, as safe HTML."""
    context = {"slug": request.membership.project.slug, **_told(test, reopens=reopens)}
    return render_to_string("sessions/promoted_toast.html", context, request)


def _page_of(request: DeskRequest, pk: uuid.UUID, **more: object) -> str:
    url = reverse("sessions:detail", args=[request.membership.project.slug, pk])
    query = read_filter(request.GET).query
    parts = [query, *(f"{name}={value}" for name, value in more.items())]
    asked = "&".join(part for part in parts if part)
    return f"{url}?{asked}" if asked else url
