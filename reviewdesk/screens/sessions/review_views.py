"""Saying what became of a call of which nobody knows whether it happened."""

import json
import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from agents.errors import ApprovalError, InvalidArgumentsError
from agents.models import EffectReview
from agents.runtime.review import MAX_REASON, MIN_REASON, decide_effect
from reviewdesk.people.access import DeskRequest, session_for
from reviewdesk.people.roles import Permission

_VERDICTS = [(verdict.value, verdict.label) for verdict in EffectReview.Verdict if verdict.value]
_TOLD = {
    EffectReview.Verdict.HAPPENED: "The run goes on: the call is taken as made.",
    EffectReview.Verdict.DID_NOT: "The run goes on: the call is tried again.",
    EffectReview.Verdict.ABANDONED: "The run has ended; what became of the call stays unknown.",
}


class SettleForm(forms.Form):
    """What became of the call, and how the person knows."""

    verdict = forms.ChoiceField(
        choices=_VERDICTS, error_messages={"required": "Choose what became of the call."}
    )
    result = forms.CharField(required=False, max_length=100_000, strip=True)
    reason = forms.CharField(
        min_length=MIN_REASON,
        max_length=MAX_REASON,
        error_messages={"required": "Say how you know: it is kept with the call."},
    )

    def clean_result(self) -> Any:
        """Return the JSON that was written; text that is no JSON is refused, nothing is null."""
        text = self.cleaned_data["result"]
        if not text:
            return None
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(
                f"The result is no JSON: {error}. A text needs quotes."
            ) from error


@require_http_methods(["GET", "HEAD", "POST"])
def settle(request: DeskRequest, slug: str, pk: uuid.UUID, review: int) -> HttpResponse:
    """Say whether a call happened; the run goes on accordingly."""
    session = session_for(request, slug, pk, Permission.DECIDE_CALLS)
    found = EffectReview.objects.select_related("run", "step", "decided_by")
    row = found.filter(pk=review, run__session=session).first()
    if row is None:
        raise Http404(f"This session has no call {review} to review.")
    form = SettleForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and (told := _settle(request, row, form)):
        messages.success(request, told)
        return redirect("sessions:detail", slug, pk)
    context = {"project": session.project, "session": session, "review": row, "form": form}
    return render(request, "sessions/settle.html", context, status=422 if form.errors else 200)


def _settle(request: DeskRequest, row: EffectReview, form: SettleForm) -> str:
    """Return what is told, or nothing where it could not be settled so."""
    verdict = EffectReview.Verdict(form.cleaned_data["verdict"])
    try:
        decide_effect(
            review=row,
            verdict=verdict,
            result=form.cleaned_data["result"],
            reason=form.cleaned_data["reason"],
            by=request.user,
        )
    except InvalidArgumentsError as error:
        form.add_error("result", f"The tool's contract allows no such result: {error}")
        return ""
    except ApprovalError as error:
        form.add_error(None, str(error))
        return ""
    return _TOLD[verdict]
