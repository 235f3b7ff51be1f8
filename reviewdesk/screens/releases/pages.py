"""What each page of the Releases screen shows, read from the database."""

from typing import Any

from django.db.models import Count, Q
from django.http import Http404

from agents.config import config_from_json
from agents.models import Agent, EvalRun, Release, Version
from agents.releases.diff import config_diff
from agents.releases.evidence import active_tests, what_changed, why_refused
from agents.releases.gate_evidence import refuted_by
from agents.releases.proof import Move, TestMove, last_finished, moved_tests
from agents.releases.propose import WAS_LIVE
from reviewdesk.people.models import User
from reviewdesk.screens.releases.gates import VersionGate, release_gate, version_gate
from reviewdesk.screens.releases.reading import (
    PAGE_SIZE,
    VersionRow,
    can_be_decided,
    costs,
    deciders,
    summaries_of,
    version_rows,
)
from reviewdesk.screens.releases.verdict import release_verdict, version_verdict
from traces.models import Project

MAX_CHOICES = 50


def agents_of(project: Project) -> list[Agent]:
    """Return the project's agents by name, each with `num_waiting` releases. One query."""
    waiting = Q(releases__status=Release.Status.WAITING)
    return list(
        Agent.objects.filter(project=project)
        .select_related("live_version")
        .annotate(num_waiting=Count("releases", filter=waiting))
        .order_by("name", "pk")
    )


def chosen_agent(agents: list[Agent], slug: str) -> Agent | None:
    """Return the agent asked for, or else the first with something to decide, or the first.

    Raises:
        Http404: No such agent.
    """
    if slug:
        found = next((agent for agent in agents if agent.slug == slug), None)
        if found is None:
            raise Http404(f"This project has no agent {slug}.")
        return found
    waiting = (agent for agent in agents if getattr(agent, "num_waiting", 0))
    return next(waiting, agents[0] if agents else None)


def version_at(agent: Agent, number: int | str) -> Version:
    """Return the agent's version of this number.

    Raises:
        Http404: There is none.
    """
    version = None
    if str(number).isdecimal() and len(str(number)) < 10:
        version = agent.versions.select_related("author").filter(number=int(number)).first()
    if version is None:
        raise Http404(f"{agent} has no version {number}.")
    version.agent = agent
    return version


def list_context(agent: Agent, *, before: str) -> dict[str, Any]:
    """Return one page of an agent's versions, newest first, and its waiting releases."""
    found = agent.versions.select_related("author").order_by("-number")
    if before.isdecimal() and len(before) < 10:
        found = found.filter(number__lt=int(before))
    versions = list(found[: PAGE_SIZE + 1])
    rows = version_rows(agent, versions[:PAGE_SIZE])
    return {
        "rows": rows,
        "older": rows[-1].version.number if len(versions) > PAGE_SIZE else None,
        "is_first_page": not before,
        "waiting": waiting_releases(agent),
        "back_to": previous_live(agent),
    }


def waiting_releases(agent: Agent) -> list[Release]:
    """Return the agent's releases that wait, oldest first. One query."""
    return list(
        agent.releases.filter(status=Release.Status.WAITING)
        .select_related("version", "requested_by", "author", "eval_run")
        .order_by("requested_at", "pk")
    )


def previous_live(agent: Agent) -> Version | None:
    """Return the version that a roll back would return to: what was live before. One query."""
    if agent.live_version_id is None:
        return None
    release = (
        agent.releases.filter(status__in=WAS_LIVE, decided_at__isnull=False)
        .exclude(version_id=agent.live_version_id)
        .exclude(status=Release.Status.ROLLED_BACK)
        .select_related("version")
        .order_by("-decided_at", "-pk")
        .first()
    )
    return release.version if release else None


def version_context(version: Version, *, against: str, you: User) -> dict[str, Any]:
    """Return what the version page shows: difference, golden results, releases."""
    agent = version.agent
    other = version_at(agent, against) if against else _usual_comparison(version)
    row = version_rows(agent, [version])[0]
    run = row.evaluated.run if row.evaluated else None
    moves = moved_tests(run, _last_run_of(other)) if run else ()
    has_passed = run is not None and _has_passed(run)
    # That its gate failed is a reason to refuse the request, and no change since the run.
    may_have_changed = has_passed and not refuted_by(version)
    change = what_changed(agent=agent, eval_run=run) if may_have_changed else ""
    num_tests = active_tests(agent).count()
    gate = version_gate(agent, version)
    is_on_run = has_passed and not change and not (gate and gate.is_proof)
    # What is offered is what the request would take, asked of the same function.
    refused = why_refused(agent=agent, version=version, eval_run=run) if is_on_run else ""
    return {
        "agent": agent,
        "version": version,
        "gate": gate,
        "config": config_from_json(version.config),
        "row": row,
        "against": other,
        "choices": agent.versions.exclude(pk=version.pk).order_by("-number")[:MAX_CHOICES],
        "diff": config_diff(other.config if other else None, version.config),
        "num_tests": num_tests,
        "void_because": change,
        "needs_decider": row.state not in ("live", "waiting")
        and not can_be_decided(agent.project_id, but_not={version.author_id, you.pk}),
        "releases": version.releases.select_related("requested_by", "decided_by").order_by("-pk")[
            :10
        ],
        "refused": refused,
        "verdict": version_verdict(
            row, num_tests=num_tests, void_because=change, refused=refused, gate=gate
        ),
        "cannot_request": _cannot_request(
            row, num_tests=num_tests, void_because=change, refused=refused, gate=gate
        ),
        **_proof(moves),
    }


def release_context(release: Release, *, you: User) -> dict[str, Any]:
    """Return what the release page shows."""
    agent, version = release.agent, release.version
    version.agent = agent
    is_open = release.status == Release.Status.WAITING
    before = agent.live_version if is_open else release.baseline
    if before is not None:
        before.agent = agent
    gate = release.gate
    baseline_run = gate.baseline_run if gate else _last_run_of(before)
    moves = moved_tests(release.eval_run, baseline_run) if release.eval_run else ()
    change = what_changed(agent=agent, eval_run=release.eval_run, gate=gate) if is_open else ""
    people, num_others = deciders(release, you=you)
    return {
        "agent": agent,
        "release": release,
        "gate_page": release_gate(release),
        "version": version,
        "before": before,
        "diff": config_diff(before.config if before else None, version.config),
        "evaluated": summaries_of([release.eval_run])[0] if release.eval_run else None,
        "baseline_run": baseline_run,
        # What golden sessions cost is the gate's own to say, run by run.
        "costs": costs(version, before)[1 if gate else 0 :],
        "needs_decider": is_open
        and not can_be_decided(
            agent.project_id, but_not={release.author_id, release.requested_by_id}
        ),
        "people": people,
        "num_others": num_others,
        "is_open": is_open,
        "is_live": agent.live_version_id == version.pk and release.status == "live",
        "is_own": you.pk in (release.author_id, release.requested_by_id),
        "void_because": change,
        "back_to": previous_live(agent),
        "verdict": release_verdict(release, moves, void_because=change, before=before),
        **_proof(moves),
    }


def _proof(moves: tuple[TestMove, ...]) -> dict[str, Any]:
    counts = {move.value: sum(each.move is move for each in moves) for move in Move}
    num_compared = sum(each.before is not None for each in moves)
    shown = [each for each in moves if each.is_failing]
    if num_compared:  # Else all are "new", which says nothing about any of them.
        shown += [each for each in moves if each.move is not Move.SAME and not each.is_failing]
    return {
        "moves": moves,
        "moved": shown[:8],
        "num_more_moved": max(len(shown) - 8, 0),
        "num_compared": num_compared,
        "num_moves": counts,
    }


def _usual_comparison(version: Version) -> Version | None:
    """Return the live version; for the live one itself, what it replaced or came after."""
    agent = version.agent
    if agent.live_version_id != version.pk:
        return agent.live_version
    live = agent.releases.filter(status=Release.Status.LIVE).select_related("baseline").first()
    if live and live.baseline_id:
        return live.baseline
    return agent.versions.filter(number__lt=version.number).order_by("-number").first()


def _last_run_of(version: Version | None) -> EvalRun | None:
    return last_finished(version) if version else None


def _has_passed(run: EvalRun) -> bool:
    return run.status == EvalRun.Status.PASSED


def _cannot_request(
    row: VersionRow, *, num_tests: int, void_because: str, refused: str, gate: VersionGate | None
) -> str:
    """Return why this version's release cannot be requested now, in words; empty if it can."""
    if row.state == "live":
        return "It is live."
    if row.state == "waiting" and row.release:
        return f"It waits for approval: {row.release.requested_by} requested its release."
    if not num_tests or (gate and gate.is_proof):
        return ""
    if gate and gate.void_because and not void_because:
        return f"Gate {gate.gate.pk} proves nothing any more: {gate.void_because}. Run it again."
    if row.evaluated is None:
        return "It has no gate and no eval run: run the gate first."
    if not _has_passed(row.evaluated.run):
        word = row.evaluated.run.get_status_display()
        return (
            f"Its newest eval run is {word}; a release needs a gate that passed, or an eval run "
            "in which every test did."
        )
    if void_because:
        return f"Its evidence is void: {void_because}. Run the golden tests again."
    return refused
