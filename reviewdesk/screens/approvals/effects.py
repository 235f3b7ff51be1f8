"""Calls of unknown outcome in the inbox: did it happen? A person finds out and says."""

import json
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from agents.errors import AlreadyDecidedError, ApprovalError, InvalidArgumentsError
from agents.models import EffectReview, ToolApproval
from agents.runtime.review import decide_effect
from agents.tools.registry import UnknownToolError, contract_for
from reviewdesk.people.access import DeskRequest, may, project_for
from reviewdesk.people.roles import Permission, roles_with
from reviewdesk.screens.approvals.deciders import sentence_of
from reviewdesk.screens.approvals.inbox import read_inbox, viewer_of
from reviewdesk.screens.approvals.views import TEMPLATE, screen_context
from reviewdesk.screens.pages import go_to, render_page, toast, wants_fragment
from reviewdesk.screens.sessions.reading import read_session

Verdict = EffectReview.Verdict
ANSWERS = {
    Verdict.HAPPENED: ("y", "It happened", "The run goes on with what the call returned."),
    Verdict.DID_NOT: ("n", "It did not, try again", "The call is made again."),
    Verdict.ABANDONED: ("b", "Abandon the run", "The run ends; nothing is tried again."),
}


@require_safe
def effect(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Show a call of unknown outcome; `?answer=happened` and the like open the form for it."""
    review = _review_for(request, slug, pk)
    asked = request.GET.get("answer", "")
    answer = Verdict(asked) if asked in ANSWERS else None
    return _page(request, review, answer=answer)


@require_POST
def decide(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Say what became of a call; its run goes on accordingly."""
    review = _review_for(request, slug, pk, Permission.DECIDE_CALLS)
    answer = request.POST.get("verdict", "")
    if answer not in ANSWERS:
        raise Http404(f"There is no answer {answer[:40]!r}.")
    typed = {"answer": Verdict(answer), "typed": request.POST}
    try:
        result = _result(request) if answer == Verdict.HAPPENED else None
        decide_effect(
            review=review,
            verdict=Verdict(answer),
            result=result,
            reason=request.POST.get("reason", ""),
            by=request.user,
        )
    except AlreadyDecidedError as error:
        return _page(request, _review_for(request, slug, pk), status=409, problem=str(error))
    except InvalidArgumentsError as error:
        return _page(request, review, status=422, result_error=str(error), **typed)
    except ApprovalError as error:
        return _page(request, review, status=422, reason_error=str(error), **typed)
    return _done(request, review, f"{review.step.name}: {ANSWERS[Verdict(answer)][2]}")


def _review_for(
    request: DeskRequest, slug: str, pk: int, permission: Permission = Permission.VIEW
) -> EffectReview:
    project = project_for(request, slug, permission)
    found = EffectReview.objects.filter(run__project=project, pk=pk)
    review = found.select_related(
        "step", "run__agent__project", "run__version", "run__session", "decided_by"
    ).first()
    if review is None:
        raise Http404(f"This project has no call of unknown outcome {pk}.")
    return review


def _page(
    request: DeskRequest, review: EffectReview, *, status: int = 200, **extra: Any
) -> HttpResponse:
    project = request.membership.project
    inbox = read_inbox(project, viewer_of(request.membership))
    context = {
        **screen_context(request, project, inbox),
        **_context(request, review),
        "at_review": review.pk,
        **extra,
    }
    return render_page(request, TEMPLATE, context, partial="call", status=status)


def _context(request: DeskRequest, review: EffectReview) -> dict[str, Any]:
    step, run = review.step, review.run
    # What ran is the person's edit, where there was one.
    approval = ToolApproval.objects.filter(step=step).first()
    decided = approval.decided_arguments if approval else None
    arguments = decided or step.request.get("arguments") or {}
    try:
        contract = contract_for(step.name, run.project_id)
    except UnknownToolError:
        contract = None
    return {
        "review": review,
        "agent": run.agent,
        "session": run.session,
        "contract": contract,
        "arguments": [(name, _text(value)) for name, value in arguments.items()],
        "answers": [(verdict, *ANSWERS[verdict]) for verdict in ANSWERS],
        "outcome_text": review.get_verdict_display(),
        "talk": read_session(run.session, focus=step.span_id).talk,
        "span_id": step.span_id,
        "may_decide": may(request, Permission.DECIDE_CALLS),
        "deciders_text": sentence_of(roles_with(Permission.DECIDE_CALLS)),
    }


def _result(request: DeskRequest) -> Any:
    text = request.POST.get("result", "").strip()
    if not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidArgumentsError([f"{text[:40]!r} is no JSON"]) from None


def _done(request: DeskRequest, review: EffectReview, text: str) -> HttpResponse:
    url = reverse("approvals:index", args=[request.membership.project.slug])
    if not wants_fragment(request):
        messages.success(request, text)
        return go_to(request, url)
    return toast(
        _page(request, _review_for(request, request.membership.project.slug, review.pk)), text
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
