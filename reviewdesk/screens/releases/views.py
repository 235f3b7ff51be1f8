"""Pages of the Releases screen."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_POST, require_safe

from agents.models import Agent, Release, Version
from agents.releases.diff import config_diff
from agents.releases.propose import find_version
from agents.tools.registry import contracts
from reviewdesk.people.access import DeskRequest, agent_for, may, project_for
from reviewdesk.people.roles import Permission, roles_with
from reviewdesk.screens.pages import render_fragment, render_page, wants_fragment
from reviewdesk.screens.releases.forms import VersionForm
from reviewdesk.screens.releases.pages import (
    agents_of,
    chosen_agent,
    list_context,
    release_context,
    version_at,
    version_context,
)

_EDITOR = "releases/edit.html"


@require_safe
def index(request: DeskRequest, slug: str) -> HttpResponse:
    """List the versions of one agent, newest first, and what waits for a decision."""
    project = project_for(request, slug)
    agents = agents_of(project)
    agent = chosen_agent(agents, request.GET.get("agent", ""))
    context = {"agents": agents, "agent": agent, **permissions(request)}
    if agent:
        context |= list_context(agent, before=request.GET.get("before", ""))
    return render_page(request, "releases/index.html", context, partial="results")


@require_safe
def version_page(request: DeskRequest, slug: str, agent: str, number: int) -> HttpResponse:
    """Show a version: its difference to another one, its golden results, its releases."""
    version = version_at(agent_for(request, slug, agent), number)
    context = version_context(version, against=request.GET.get("against", ""), you=request.user)
    context |= permissions(request)
    return render_page(request, "releases/version.html", context, partial="version")


@require_safe
def release_page(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Show a release: what changes, what proves it, what it costs, and who decides."""
    release = release_for(request, slug, pk)
    context = release_page_context(request, release) | {"ask": request.GET.get("decide", "")}
    return render_page(request, "releases/release.html", context, partial="release")


@require_safe
def new_version(request: DeskRequest, slug: str, agent: str) -> HttpResponse:
    """Show the editor, filled with a version: the one asked for, the live or the newest one."""
    found = agent_for(request, slug, agent, Permission.WRITE_VERSIONS)
    start = start_of(found, request.GET.get("from", ""))
    given = () if start else tuple(found.tools.values_list("name", flat=True))
    form = VersionForm(contracts=contracts(found.project_id), start=start, given=given)
    context = editor_context(found, start, form)
    return render_page(request, _EDITOR, context, partial="editor")


@require_POST
def preview_version(request: DeskRequest, slug: str, agent: str) -> HttpResponse:
    """Show what the editor's text would change; saves nothing."""
    found = agent_for(request, slug, agent, Permission.WRITE_VERSIONS)
    start = start_of(found, request.POST.get("from", ""))
    form = VersionForm(request.POST, contracts=contracts(found.project_id), start=start)
    form.is_valid()
    context = editor_context(found, start, form)
    if wants_fragment(request):
        return render_fragment(request, _EDITOR, context, partial="preview")
    return render_page(request, _EDITOR, context, partial="editor")


def editor_context(agent: Agent, start: Version | None, form: VersionForm) -> dict[str, Any]:
    """Return what the editor shows; the difference only of a form that can be read."""
    context: dict[str, Any] = {
        "agent": agent,
        "start": start,
        "form": form,
        "versions": agent.versions.order_by("-number")[:50],
    }
    if form.is_bound and not form.errors:
        config = form.config()
        context["diff"] = config_diff(start.config if start else None, config.to_json())
        context["existing"] = find_version(agent=agent, config=config)
    return context


def start_of(agent: Agent, number: str) -> Version | None:
    """Return the version that the editor starts from, or None for an agent without versions.

    Raises:
        Http404: The number is not one of the agent's versions.
    """
    if number:
        return version_at(agent, number)
    return agent.live_version or agent.versions.order_by("-number").first()


def release_for(
    request: HttpRequest, slug: str, pk: int, permission: Permission = Permission.VIEW
) -> Release:
    """Return the project's release. Two queries; raises like `project_for`."""
    project = project_for(request, slug, permission)
    release = (
        Release.objects.select_related(
            "agent__live_version", "version", "baseline", "author", "requested_by", "decided_by"
        )
        .select_related(
            "eval_run", "gate__baseline", "gate__policy", "gate__baseline_run", "gate__requested_by"
        )
        .select_related("gate__candidate_run__version")
        .filter(agent__project=project, pk=pk)
        .first()
    )
    if release is None:
        raise Http404(f"This project has no release {pk}.")
    return release


def release_page_context(request: DeskRequest, release: Release) -> dict[str, Any]:
    """Return what the release page shows to this person."""
    return release_context(release, you=request.user) | permissions(request)


def permissions(request: HttpRequest) -> dict[str, Any]:
    """Return what the person may do here, and which roles may, for the reasons shown."""
    return {
        "may_write": may(request, Permission.WRITE_VERSIONS),
        "may_decide": may(request, Permission.DECIDE_RELEASES),
        "may_run_golden": may(request, Permission.RUN_GOLDEN),
        "writers": _or(roles_with(Permission.WRITE_VERSIONS)),
        "leads": _or(roles_with(Permission.DECIDE_RELEASES)),
        "golden_runners": _or(roles_with(Permission.RUN_GOLDEN)),
    }


def _or(words: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
