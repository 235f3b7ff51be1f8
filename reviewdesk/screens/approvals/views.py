"""The Approvals screen: what waits, one call, what was decided."""

import uuid
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from agents.models import ToolApproval
from reviewdesk.people.access import DeskRequest, may, project_for
from reviewdesk.people.roles import Permission, roles_with
from reviewdesk.screens.approvals.call import (
    Mode,
    approval_for,
    call_context,
    outcome_of,
    planted_outcome,
)
from reviewdesk.screens.approvals.deciders import sentence_of
from reviewdesk.screens.approvals.inbox import Inbox, read_inbox, viewer_of
from reviewdesk.screens.approvals.settled import DecidedForm, decided_page, read_today
from reviewdesk.screens.pages import render_page
from traces.models import Project

TEMPLATE = "approvals/index.html"
_MODES = {Mode.EDIT, Mode.REJECT, Mode.RESPOND, Mode.ESCALATE}


@require_safe
def index(request: DeskRequest, slug: str) -> HttpResponse:
    """Show what waits, with the oldest call open; `?part=list` answers the list alone."""
    project = project_for(request, slug)
    if found := _asked_for(request, project):
        return redirect("approvals:call", slug, found)
    if request.GET.get("part") == "list":
        return render_page(request, TEMPLATE, _list_context(request, project), partial="poll")
    inbox = read_inbox(project, viewer_of(request.membership))
    first = inbox.lines[0].approval if inbox.lines else None
    if first is None and inbox.reviews:
        return redirect("approvals:effect", slug, inbox.reviews[0].pk)
    return page(request, project, first, inbox=inbox, partial="inbox")


@require_safe
def call(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Show one call; `?mode=edit` and the like open what is typed for it."""
    approval = approval_for(request, slug, pk)
    asked = request.GET.get("mode", "")
    mode = Mode(asked) if asked in _MODES else Mode.LOOK
    return page(request, request.membership.project, approval, mode=mode, partial="call")


@require_safe
def decided(request: DeskRequest, slug: str) -> HttpResponse:
    """Show what was decided, newest first, by person, tool and outcome."""
    project = project_for(request, slug)
    form = DecidedForm(request.GET, project=project)
    form.is_valid()
    lines, following = decided_page(project, request.GET.get("before", ""), form.cleaned_data)
    chosen = {name: request.GET[name] for name in form.fields if request.GET.get(name)}
    context = {
        "rows": [
            (line, outcome_of(line.approval), planted_outcome(line.approval)) for line in lines
        ],
        "form": form,
        "is_filtered": bool(chosen),
        "filters": urlencode(chosen),
        "following": following,
        "is_first_page": not request.GET.get("before"),
        "today": read_today(project),
    }
    return render_page(request, "approvals/decided.html", context, partial="results")


def page(
    request: DeskRequest,
    project: Project,
    approval: ToolApproval | None,
    *,
    partial: str,
    status: int = 200,
    **extra: Any,
) -> HttpResponse:
    """Return the whole screen with a call open, or a part of it."""
    inbox = extra.pop("inbox", None) or read_inbox(project, viewer_of(request.membership))
    context = screen_context(request, project, inbox)
    context["at"] = approval.pk if approval else 0
    if approval is not None:
        before, after = inbox.neighbours(approval.pk)
        context |= {"before": before, "after": after, "place": inbox.place_of(approval.pk)}
        line = next((each for each in inbox.lines if each.approval.pk == approval.pk), None)
        context |= {"turn": line.turn if line else "", **call_context(request, approval, **extra)}
    else:
        context |= extra
    return render_page(request, TEMPLATE, context, partial=partial, status=status)


def screen_context(request: DeskRequest, project: Project, inbox: Inbox) -> dict[str, Any]:
    """Return what the screen shows around the open call."""
    return {
        "inbox": inbox,
        "at": 0,
        "at_review": 0,
        "today": read_today(project),
        "may_decide_any": may(request, Permission.DECIDE_CALLS),
        "decider_roles": sentence_of(roles_with(Permission.DECIDE_CALLS)),
        "is_lead": may(request, Permission.RAISE_AUTONOMY),
    }


def _asked_for(request: DeskRequest, project: Project) -> int | None:
    """Return the call that `?approval=` or `?run=` means, or None."""
    if (asked := request.GET.get("approval", "")).isdecimal():
        return int(asked)
    try:
        run_id = uuid.UUID(request.GET.get("run", ""))
    except ValueError:
        return None
    found = ToolApproval.objects.filter(run__project=project, run=run_id)
    waiting = found.filter(status=ToolApproval.Status.WAITING).order_by("step__index").first()
    latest = waiting or found.order_by("-pk").first()
    return latest.pk if latest else None


def _list_context(request: DeskRequest, project: Project) -> dict[str, Any]:
    """Return the list, and what became meanwhile of the call that is open as waiting."""
    inbox = read_inbox(project, viewer_of(request.membership))
    asked, review = request.GET.get("at", ""), request.GET.get("review", "")
    at = int(asked) if asked.isdecimal() else 0
    is_gone = at != 0 and inbox.place_of(at) is None
    found = ToolApproval.objects.filter(run__project=project, pk=at).select_related("decided_by")
    overtaken = found.exclude(status=ToolApproval.Status.WAITING).first() if is_gone else None
    return {
        **screen_context(request, project, inbox),
        "at": at,
        "at_review": int(review) if review.isdecimal() else 0,
        "is_poll": True,
        "is_watched": at != 0,
        "overtaken": overtaken,
        "overtaken_outcome": outcome_of(overtaken) if overtaken else None,
    }
