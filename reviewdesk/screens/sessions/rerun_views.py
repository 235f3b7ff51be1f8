"""Running a whole session once more, on another version."""

import uuid

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from agents.errors import GoldenError, RunError
from agents.golden.rerun import Rerun, plan_rerun, rerun_session
from agents.models import Agent, Version
from reviewdesk.people.access import DeskRequest, session_for
from reviewdesk.people.roles import Permission
from traces.models import Session


class RerunForm(forms.Form):
    """Which version is to be run."""

    version = forms.ModelChoiceField(
        Version.objects.none(),
        empty_label=None,
        error_messages={"invalid_choice": "Choose one of this project's versions."},
    )

    def __init__(self, data: object, *, session: Session, agent: Agent | None) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        versions = Version.objects.filter(agent__project=session.project_id).defer("config")
        if agent is not None:
            versions = versions.filter(agent=agent)
        versions = versions.select_related("agent").order_by("agent__name", "-number")
        self.fields["version"].queryset = versions  # type: ignore[attr-defined]
        self.fields["version"].label_from_instance = version_title  # type: ignore[attr-defined]


def version_title(version: Version) -> str:
    """Return agent, version, and whether it is live."""
    is_live = version.agent.live_version_id == version.pk
    return f"{version.agent} {version}{', live' if is_live else ''}"


@require_http_methods(["GET", "HEAD", "POST"])
def rerun(request: DeskRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """Show what a rerun would be; then start it."""
    session = session_for(request, slug, pk, Permission.RUN_GOLDEN)
    plan, problem = _plan(session)
    data = request.POST if request.method == "POST" else None
    form = RerunForm(data, session=session, agent=plan.agent if plan else None)
    if request.method == "POST" and plan and form.is_valid():
        version = form.cleaned_data["version"]
        try:
            run = rerun_session(session=session, version=version, by=request.user)
        except (GoldenError, RunError) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"The session runs once more, on {version_title(version)}.")
            return redirect("sessions:detail", slug, run.session_id)
    context = {
        "project": session.project,
        "session": session,
        "plan": plan,
        "problem": problem,
        "form": form,
    }
    is_refused = request.method == "POST"
    return render(request, "sessions/rerun.html", context, status=422 if is_refused else 200)


def _plan(session: Session) -> tuple[Rerun | None, str]:
    try:
        return plan_rerun(session), ""
    except GoldenError as error:
        return None, str(error)
