"""Retrying a run from one of its steps: what stays done is shown first."""

import uuid

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from agents.errors import RunError
from agents.models import Run
from agents.runtime.retry import MAX_REASON, MIN_REASON, later_effects, retry_from, steps_before
from reviewdesk.people.access import DeskRequest, session_for
from reviewdesk.people.roles import Permission
from traces.models import Session


class RetryForm(forms.Form):
    """Why the run is retried."""

    reason = forms.CharField(
        min_length=MIN_REASON,
        max_length=MAX_REASON,
        error_messages={"required": "Say why: it is kept with the new run."},
    )


@require_http_methods(["GET", "HEAD", "POST"])
def retry(request: DeskRequest, slug: str, pk: uuid.UUID, index: int) -> HttpResponse:
    """Show what a retry keeps and what stays done; then start it."""
    session = session_for(request, slug, pk, Permission.START_RUNS)
    run = _run(session)
    form = RetryForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        try:
            new = retry_from(run=run, index=index, by=request.user, reason=reason)
        except RunError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"This run goes on from a copy of the first {index} steps.")
            return redirect("sessions:detail", slug, new.session_id)
    context = {**_context(run, index), "project": session.project, "session": session}
    status = 422 if form.errors else 200
    return render(request, "sessions/retry.html", {**context, "form": form}, status=status)


def _context(run: Run, index: int) -> dict[str, object]:
    problem = ""
    try:
        num_kept = len(steps_before(run, index))
    except RunError as error:
        problem, num_kept = str(error), 0
    return {
        "run": run,
        "index": index,
        "problem": problem,
        "num_kept": num_kept,
        "step": run.steps.filter(index=index).first(),
        "effects": later_effects(run, index),
    }


def _run(session: Session) -> Run:
    runs = Run.objects.select_related("agent", "version", "session", "project")
    found = runs.filter(session=session).first()
    if found is None:
        raise Http404("This session was recorded elsewhere; it has no run here.")
    return found
