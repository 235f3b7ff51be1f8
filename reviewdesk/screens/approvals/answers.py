"""What the browser gets after an action: the call again, who was faster, or the next call."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse

from agents.errors import ApprovalError
from agents.models import ToolApproval
from reviewdesk.people.access import DeskRequest
from reviewdesk.screens.approvals.call import approval_for
from reviewdesk.screens.approvals.inbox import Inbox
from reviewdesk.screens.approvals.views import page
from reviewdesk.screens.pages import go_to, toast, wants_fragment


def again(
    request: DeskRequest, approval: ToolApproval, *, status: Any, **extra: Any
) -> HttpResponse:
    """Show the same call again, with what was typed or what is wrong with it."""
    project = request.membership.project
    return page(request, project, approval, partial="call", status=status, **extra)


def overtaken(
    request: DeskRequest,
    approval: ToolApproval,
    error: ApprovalError,
    typed: str = "",
    *,
    retarget: bool = False,
) -> HttpResponse:
    """Show the call as it is now: who was faster, and what was typed for it."""
    fresh = approval_for(request, request.membership.project.slug, approval.pk)
    response = again(request, fresh, status=409, problem=str(error), typed=typed)
    if retarget:
        response["HX-Retarget"], response["HX-Reswap"] = "#call", "outerHTML"
    return response


def done(
    request: DeskRequest,
    row: ToolApproval,
    inbox: Inbox,
    text: str,
    *,
    stays: bool = False,
) -> HttpResponse:
    """Show the call that came after this one in the list, and say what was done.

    A planted call stays, and says that it was one; so does what was taken back.
    """
    slug = request.membership.project.slug
    is_told = row.is_canary and row.status != ToolApproval.Status.WAITING
    following = inbox.following(row.pk)
    shown = following.approval if following and following.approval.pk != row.pk else None
    if stays or is_told:
        shown = approval_for(request, slug, row.pk)
    url = reverse("approvals:index", args=[slug])
    if shown:
        url = reverse("approvals:call", args=[slug, shown.pk])
    if not wants_fragment(request):
        messages.success(request, text)
        return go_to(request, url)
    held = row if row.leaves_at is not None else None
    context: dict[str, Any] = {
        "is_after_decision": True,
        "held_now": held,
        "done_text": text,
        "took_back": row if stays else None,
    }
    project = request.membership.project
    response = page(request, project, shown, partial="decided", **context)
    response["HX-Push-Url"], response["HX-Retarget"] = url, "#inbox"
    response["HX-Reswap"] = "outerHTML"
    return response if held else toast(response, text)
