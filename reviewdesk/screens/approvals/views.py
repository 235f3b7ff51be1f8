"""The Approvals screen: what waits, one call, what was decided."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from agents.models import ToolApproval
from reviewdesk.people.access import DeskRequest, may, project_for
from reviewdesk.people.roles import Permission, roles_with
from reviewdesk.screens.approvals.call import Mode, approval_for, call_context, outcome_of
from reviewdesk.screens.approvals.inbox import decided_page, read_inbox, read_today
from reviewdesk.screens.pages import render_page
from traces.models import Project

TEMPLATE = "approvals/index.html"


@require_safe
def index(request: DeskRequest, slug: str) -> HttpResponse:
    """Show what waits, with the oldest call open; `?part=list` answers the list alone."""
    project = project_for(request, slug)
    if (asked := request.GET.get("approval", "")).isdecimal():
        return redirect("approvals:call", slug, int(asked))
    if request.GET.get("part") == "list":
        return render_page(request, TEMPLATE, _list_context(request, project), partial="poll")
    inbox = read_inbox(project)
    first = inbox.lines[0].approval if inbox.lines else None
    return page(request, project, first, inbox=inbox, partial="inbox")


@require_safe
def call(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Show one call; `?mode=edit` and `?mode=reject` open what is typed for it."""
    approval = approval_for(request, slug, pk)
    asked = request.GET.get("mode", "")
    mode = Mode(asked) if asked in {Mode.EDIT, Mode.REJECT} else Mode.LOOK
    return page(request, approval.run.agent.project, approval, mode=mode, partial="call")


@require_safe
def decided(request: DeskRequest, slug: str) -> HttpResponse:
    """Show what was decided, newest first."""
    project = project_for(request, slug)
    lines, following = decided_page(project, request.GET.get("before", ""))
    context = {
        "rows": [(line, outcome_of(line.approval)) for line in lines],
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
    inbox = extra.pop("inbox", None) or read_inbox(project)
    context = {
        "inbox": inbox,
        "at": approval.pk if approval else 0,
        "today": read_today(project),
        "may_decide": may(request, Permission.DECIDE_CALLS),
        "deciders": ", ".join(roles_with(Permission.DECIDE_CALLS)),
    }
    if approval is not None:
        before, after = inbox.neighbours(approval.pk)
        context |= {"before": before, "after": after, "place": inbox.place_of(approval.pk)}
        context |= call_context(request, approval, **extra)
    return render_page(request, TEMPLATE, context, partial=partial, status=status)


def _list_context(request: DeskRequest, project: Project) -> dict[str, Any]:
    """Return the list, and what became meanwhile of the call that is open as waiting."""
    inbox = read_inbox(project)
    asked = request.GET.get("at", "")
    at = int(asked) if asked.isdecimal() else 0
    is_gone = at != 0 and inbox.place_of(at) is None
    found = ToolApproval.objects.filter(run__project=project, pk=at).select_related("decided_by")
    overtaken = found.exclude(status=ToolApproval.Status.WAITING).first() if is_gone else None
    return {
        "inbox": inbox,
        "at": at,
        "is_poll": True,
        "is_watched": at != 0,
        "overtaken": overtaken,
        "overtaken_outcome": outcome_of(overtaken) if overtaken else None,
        "may_decide": may(request, Permission.DECIDE_CALLS),
    }
