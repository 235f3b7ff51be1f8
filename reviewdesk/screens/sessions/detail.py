"""The page of one session: as a whole, and as it goes on."""

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from agents.golden.promote import promoted_test
from agents.judges.verdicts import verdicts_on_session
from agents.models import Run
from reviewdesk.people.access import DeskRequest, may, session_for
from reviewdesk.people.roles import Permission, roles_with
from reviewdesk.screens.pages import render_fragment, render_page
from reviewdesk.screens.sessions.filters import read_filter
from reviewdesk.screens.sessions.find import find_in
from reviewdesk.screens.sessions.label_form import LabelPanel, label_panel, told
from reviewdesk.screens.sessions.neighbours import previous_and_next
from reviewdesk.screens.sessions.reading import (
    read_session,
    run_of,
)
from reviewdesk.screens.sessions.review_views import SettleForm
from reviewdesk.screens.sessions.standing import can_be_retried, standing_of
from traces.clean import clean_text
from traces.models import Session
from traces.scores import scores_of

VIEWS = ("steps", "timeline")
_LIVE = (Session.Status.RUNNING, Session.Status.WAITING)


@require_safe
def detail(request: DeskRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """Show a session: its steps, what was said, and the label form."""
    session = session_for(request, slug, pk)
    context = page_context(request, session)
    part = request.GET.get("part")
    partial = part if part in ("label", "steps") else "session"
    return render_page(request, "sessions/detail.html", context, partial=partial)


@require_safe
def live(request: DeskRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """Answer how a session stands that is going on; 204 where nothing has changed since `rev`."""
    session = session_for(request, slug, pk)
    if request.GET.get("rev") == rev_of(session):
        return HttpResponse(status=204)
    context = {**_head_context(request, session), **_reading_context(request, session)}
    return render_fragment(request, "sessions/detail.html", context, partial="live")


def page_context(request: HttpRequest, session: Session) -> dict[str, Any]:
    """Return what the session's page shows; about a dozen queries for any number of steps."""
    panel, judged = label_panel(request, session), verdicts_on_session(session)
    return {
        **_head_context(request, session),
        **_reading_context(request, session),
        "panel": panel,
        "first_wrong": _first_wrong(panel),
        "own_words": told(panel.label) if panel.label and panel.is_completed else [],
        "others": [(label, told(label)) for label in panel.others],
        "scores": scores_of(session),
        "judged": judged,
        "unjudged_result": next((each.result_id for each in judged if each.has_failed), None),
        "may_run_golden": may(request, Permission.RUN_GOLDEN),
        "golden_runners": roles_with(Permission.RUN_GOLDEN),
        "done": _uuid(request.GET.get("done", "")),
        "may_promote": may(request, Permission.PROMOTE),
        "may_erase": may(request, Permission.KEEP_DATA),
        "promoters": roles_with(Permission.PROMOTE),
        "promoted": promoted_test(session=session),
    }


def rev_of(session: Session) -> str:
    """Return what changes whenever the page of a running session has to."""
    tokens = (session.input_tokens or 0) + (session.output_tokens or 0)
    parts = (session.status, session.num_spans, session.num_errors, session.last_ns, tokens)
    return "-".join(map(str, parts))


def _head_context(request: HttpRequest, session: Session) -> dict[str, Any]:
    run = run_of(session)
    chosen = read_filter(request.GET)
    above, below = previous_and_next(session, chosen)
    return {
        "chosen": chosen,
        "above": above,
        "below": below,
        "project": session.project,
        "session": session,
        "run": run,
        "rev": rev_of(session),
        "is_live": session.status in _LIVE,
        "may_run": may(request, Permission.START_RUNS),
        "may_see_masked": may(request, Permission.SEE_MASKED),
        "can_continue": bool(
            run and run.kind == Run.Kind.LIVE and run.status == Run.Status.COMPLETED
        ),
        "can_cancel": bool(run and run.status in Run.OPEN and not run.cancel_requested_at),
        "may_retry": may(request, Permission.START_RUNS) and can_be_retried(run),
        "standing": standing_of(run),
        "settle_form": SettleForm(),
        "may_decide": may(request, Permission.DECIDE_CALLS),
        "deciders": roles_with(Permission.DECIDE_CALLS),
    }


def _reading_context(request: HttpRequest, session: Session) -> dict[str, Any]:
    """Return the window of the session that is asked for, and what was searched in it."""
    focus = clean_text(request.GET.get("span", "")[:16])
    finding = find_in(session, request.GET.get("find", ""), focus=focus)
    first = request.GET.get("first", "")
    reading = read_session(
        session,
        focus=finding.focus if finding else focus,
        first=int(first) if first.isdecimal() and len(first) < 7 else None,
        with_timeline=_view(request) == "timeline",
    )
    return {
        "reading": reading,
        "finding": finding,
        "find_words": finding.words if finding else "",
        "found_ids": {hit.span_id for hit in finding.hits} if finding else set(),
        "first_wrong": "",
        **_kept(request),
    }


def _view(request: HttpRequest) -> str:
    """Return whether steps or timeline are shown: as asked for last, in this sign-in."""
    asked = request.GET.get("view", "")
    if asked in VIEWS and asked != request.session.get("session_view", VIEWS[0]):
        request.session["session_view"] = asked
    return str(asked if asked in VIEWS else request.session.get("session_view", VIEWS[0]))


def _kept(request: HttpRequest) -> dict[str, Any]:
    """Return what links within the page keep of its address: the list's filter, the search."""
    query = request.GET.copy()
    for name in ("first", "span", "view", "part", "rev", "done"):
        query.pop(name, None)
    with_find = f"{query.urlencode()}&" if query else ""
    query.pop("find", None)
    return {
        "keep": with_find,
        "keep_without_find": f"{query.urlencode()}&" if query else "",
        "kept_fields": [(name, value) for name, values in query.lists() for value in values],
    }


def _first_wrong(panel: LabelPanel) -> str:
    """Return the step marked as the first wrong one: by this person, else by others."""
    marked = [label.first_wrong_span_id for label in panel.others if label.first_wrong_span_id]
    return panel.first_wrong_span_id or (marked[0] if marked else "")


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
