"""What the Releases screen does: one POST address each, named like its function."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from agents.errors import ReleaseError
from agents.models import Agent, EvalRun, Gate, Release, Version
from agents.releases import propose
from agents.releases.errors import EvidenceVoidError, OwnReleaseError, StaleReleaseError
from agents.tools.registry import contracts
from reviewdesk.people.access import DeskRequest, agent_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.pages import go_to, render_page
from reviewdesk.screens.releases import forms, views
from reviewdesk.screens.releases.pages import agents_of, list_context, version_at, version_context


@require_POST
def create_version(request: DeskRequest, slug: str, agent: str) -> HttpResponse:
    """Write a version; the same content again leads to the version that exists."""
    found = agent_for(request, slug, agent, Permission.WRITE_VERSIONS)
    start = views.start_of(found, request.POST.get("from", ""))
    form = forms.VersionForm(request.POST, contracts=contracts(found.project_id), start=start)
    if not form.is_valid():
        context = views.editor_context(found, start, form)
        return render_page(request, "releases/edit.html", context, partial="editor", status=422)
    config, note = form.config(), form.cleaned_data["note"]
    existing = propose.find_version(agent=found, config=config)
    version = propose.create_version(agent=found, config=config, note=note, author=request.user)
    if existing:
        text = f"Nothing new was written: {existing} has exactly this content."
    else:
        text = f"{version} is written. Run its golden tests next."
    messages.info(request, text)
    return go_to(request, _version_url(slug, version))


@require_POST
def request_release(request: DeskRequest, slug: str, agent: str, number: int) -> HttpResponse:
    """Ask for a version to go live."""
    version = version_at(agent_for(request, slug, agent, Permission.WRITE_VERSIONS), number)
    form = forms.RequestForm(request.POST)
    if not form.is_valid():
        return _version_again(request, version, {"request_form": form}, status=422)
    run = EvalRun.objects.filter(agent=version.agent, pk=form.cleaned_data["eval_run"]).first()
    gates = Gate.objects.select_related("candidate_run__version", "baseline_run", "baseline")
    gate = gates.filter(agent=version.agent, pk=form.cleaned_data["gate"]).first()
    try:
        release = propose.request_release(
            version=version,
            eval_run=run,
            gate=gate,
            reason=form.cleaned_data["reason"],
            by=request.user,
        )
    except ReleaseError as error:
        return _version_again(
            request, version, {"request_form": form, "problem": str(error)}, status=409
        )
    messages.success(request, f"The release of {version} waits for another person's approval.")
    return go_to(request, reverse("releases:release", args=[slug, release.pk]))


@require_POST
def approve_release(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Approve: the version goes live at once."""
    release = views.release_for(request, slug, pk, Permission.DECIDE_RELEASES)
    form = forms.ApproveForm(request.POST)
    if not form.is_valid():
        return _release_again(request, release, {"form": form, "ask": "approve"}, status=422)
    seen = release.agent.versions.filter(pk=form.cleaned_data["live"]).first()
    try:
        propose.approve_release(
            release=release, by=request.user, reason=form.cleaned_data["reason"], seen_live=seen
        )
    except ReleaseError as error:
        return _refused(request, release, error)
    messages.success(request, f"{release.version} is live now.")
    return go_to(request, _release_url(slug, release))


@require_POST
def refuse_release(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Refuse, with a reason."""
    release = views.release_for(request, slug, pk, Permission.DECIDE_RELEASES)
    form = forms.ReasonForm(request.POST)
    if not form.is_valid():
        return _release_again(request, release, {"form": form, "ask": "refuse"}, status=422)
    try:
        propose.refuse_release(release=release, by=request.user, reason=form.cleaned_data["reason"])
    except ReleaseError as error:
        return _refused(request, release, error)
    messages.success(request, f"The release of {release.version} is refused.")
    return go_to(request, _release_url(slug, release))


@require_POST
def withdraw_release(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Take a request back."""
    release = views.release_for(request, slug, pk, Permission.WRITE_VERSIONS)
    try:
        propose.withdraw_release(release=release, by=request.user)
    except ReleaseError as error:
        return _refused(request, release, error)
    messages.success(request, f"The request for {release.version} is withdrawn.")
    return go_to(request, _release_url(slug, release))


@require_POST
def roll_back(request: DeskRequest, slug: str, agent: str) -> HttpResponse:
    """Return to a version that was live before, at once."""
    found = agent_for(request, slug, agent, Permission.DECIDE_RELEASES)
    form = forms.RollBackForm(request.POST)
    if "to" in form.errors or not form.is_valid():
        context = {"roll_back_form": form, "ask": "roll-back"}
        return _list_again(request, found, context, status=422)
    version = version_at(found, form.cleaned_data["to"])
    seen = found.versions.filter(pk=form.cleaned_data["live"]).first()
    try:
        release = propose.roll_back(
            agent=found,
            to_version=version,
            by=request.user,
            reason=form.cleaned_data["reason"],
            seen_live=seen,
        )
    except ReleaseError as error:
        return _list_again(request, found, {"problem": str(error)}, status=409)
    messages.success(request, f"{version} is live again.")
    return go_to(request, _release_url(slug, release))


def _refused(request: DeskRequest, release: Release, error: ReleaseError) -> HttpResponse:
    """Show the release as it is now, and why nothing was done."""
    is_stale = isinstance(error, StaleReleaseError | EvidenceVoidError)
    status = 403 if isinstance(error, OwnReleaseError) else 409 if is_stale else 422
    return _release_again(request, release, {"problem": str(error)}, status=status)


def _release_again(
    request: DeskRequest, release: Release, more: dict[str, Any], *, status: int
) -> HttpResponse:
    now = views.release_for(request, release.agent.project.slug, release.pk)
    context = views.release_page_context(request, now) | more
    return render_page(request, "releases/release.html", context, partial="release", status=status)


def _version_again(
    request: DeskRequest, version: Version, more: dict[str, Any], *, status: int
) -> HttpResponse:
    context = (
        version_context(version, against="", you=request.user) | views.permissions(request) | more
    )
    return render_page(request, "releases/version.html", context, partial="version", status=status)


def _list_again(
    request: HttpRequest, agent: Agent, more: dict[str, Any], *, status: int
) -> HttpResponse:
    agent.refresh_from_db()
    agents = agents_of(agent.project)
    context = {"agents": agents, "agent": agent, **views.permissions(request)}
    context |= list_context(agent, before="") | more
    return render_page(request, "releases/index.html", context, partial="results", status=status)


def _release_url(slug: str, release: Release) -> str:
    return reverse("releases:release", args=[slug, release.pk])


def _version_url(slug: str, version: Version) -> str:
    return reverse("releases:version", args=[slug, version.agent.slug, version.number])
