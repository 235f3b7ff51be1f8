"""Kill switches: stopping a tool, an agent, a project or everything, and lifting the stop again.

A stop holds from the commit of `stop`: the transactions that begin an effect hold the authority
lock, `stop` waits for them, and what begins afterwards reads the switch.
"""

from collections.abc import Iterable

import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import JSONField, OuterRef, Q, QuerySet, Subquery
from django.urls import reverse

from agents.errors import StopError
from agents.models import Agent, KillSwitch, Run, Step
from agents.outbox import tell
from agents.runtime.ending import wake_run
from agents.runtime.hints import hint_on_commit
from agents.tools.autonomy import database_now
from agents.tools.contract import ToolContract
from agents.tools.standing import freeze_authority, hold_authority
from traces.models import Project

__all__ = [
    "hold_authority", "lift", "num_parked", "parked_runs", "stop", "stop_for", "stops_on",
    "wake_unstopped",
]  # fmt: skip

MIN_REASON, MAX_REASON = 3, 500
_SCOPES = list(KillSwitch.Scope)


def stop_for(run: Run, contract: ToolContract | None) -> KillSwitch | None:
    """Return the stop that holds a call of `contract` by `run`, the widest first, or None.

    Args:
        run: With its agent.
        contract: The tool; None is a model call.

    One query. Call it in a transaction that began with `hold_authority`.
    """
    covers = Q(scope="everything") | Q(project_id=run.project_id, tool="") & (
        Q(agent=None) | Q(agent_id=run.agent_id)
    )
    if contract is not None:
        covers |= Q(project_id=run.project_id, tool=contract.name) & (
            Q(agent=None) | Q(agent_id=run.agent_id)
        )
    found = KillSwitch.objects.filter(covers, lifted_at=None)
    if contract is None or contract.is_read:
        found = found.filter(stops=KillSwitch.Stops.ALL)
    return max(found, key=_width, default=None)


def stop(
    *,
    scope: KillSwitch.Scope,
    stops: KillSwitch.Stops = KillSwitch.Stops.WRITES,
    project: Project | None = None,
    agent: Agent | None = None,
    tool: str = "",
    reason: str,
    by: AbstractBaseUser,
) -> KillSwitch:
    """Stop a tool, an agent, a project or everything: once this has committed no effect starts.

    Args:
        scope: What is stopped.
        stops: Every call that is not a read, or reads and model calls too. A stop of the same
            scope that is on is widened where it stopped writes only.
        project: Whose; None for everything alone.
        agent: For an agent, or a tool of this agent alone.
        tool: For a tool.
        reason: For everybody who reads the banner.
        by: Who stops; the caller checks the permission.

    Raises:
        StopError: There is no reason, the scope is not named, or this is stopped already.
    """
    reason = _checked(reason, "stop")
    target = _target(scope, project, agent, tool)
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="stop"):
        freeze_authority()
        row = KillSwitch.objects.filter(**target, lifted_at=None).first()
        if row is None:
            row = KillSwitch.objects.create(
                **target, stops=stops, reason=reason, stopped_by_id=by.pk
            )
        elif row.stops == KillSwitch.Stops.WRITES and stops is KillSwitch.Stops.ALL:
            row.stops, row.reason = stops, reason
            row.save(update_fields=["stops", "reason"])
        else:
            raise StopError(
                f"{name_of(row)} is stopped already, since {row.stopped_at:%d %b, %H:%M} UTC by "
                f"{row.stopped_by}: {row.reason}"
            )
        title = f"{name_of(row)} was stopped ({row.get_stops_display()})."
        _tell(row, "stop_on", title, f"stop:{row.pk}:{row.stops}")
    return row


def lift(*, switch: KillSwitch, reason: str, by: AbstractBaseUser) -> KillSwitch:
    """Lift a stop, and let the runs go on that it parked and no other stop holds.

    Raises:
        StopError: There is no reason, or it was lifted meanwhile.
    """
    reason = _checked(reason, "lift a stop")
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="lift stop"):
        # So that a run which is just being parked is seen, and woken.
        freeze_authority()
        row = (
            KillSwitch.objects.select_for_update(of=("self",))
            .select_related("project", "agent", "lifted_by")
            .get(pk=switch.pk)
        )
        if row.lifted_at is not None:
            raise StopError(
                f"The stop of {name_of(row)} was lifted by {row.lifted_by} on "
                f"{row.lifted_at:%d %b, %H:%M} UTC. Nothing was changed."
            )
        row.lifted_by_id, row.lifted_at, row.lift_reason = by.pk, database_now(), reason
        row.save(update_fields=["lifted_by", "lifted_at", "lift_reason"])
        _wake(parked_runs(row), list(_on().exclude(pk=row.pk)))
        _tell(row, "stop_lifted", f"The stop of {name_of(row)} was lifted.", f"lift:{row.pk}")
    return row


def stops_on(project_id: int) -> list[KillSwitch]:
    """Return the stops that are on for a project, those of everything first. One query."""
    found = _on().filter(Q(project=None) | Q(project_id=project_id)).order_by("stopped_at")
    return sorted(found, key=_width, reverse=True)


def num_parked(switch: KillSwitch) -> int:
    """Return how many runs a stop has parked. One query."""
    return parked_runs(switch).count()


def parked_runs(switch: KillSwitch) -> QuerySet[Run]:
    """Return the runs parked by a stop that this one covers."""
    found = Run.objects.filter(status=Run.Status.WAITING, parked_for=Run.Parked.STOP)
    if switch.project_id is not None:
        found = found.filter(project_id=switch.project_id)
    if switch.agent_id is not None:
        found = found.filter(agent_id=switch.agent_id)
    if switch.tool:
        asked = Step.objects.filter(run=OuterRef("pk"), kind=Step.Kind.MODEL).order_by("-index")
        found = found.annotate(
            asked=Subquery(asked.values("response__tool_calls")[:1], output_field=JSONField())
        ).filter(asked__contains=[{"name": switch.tool}])  # type: ignore[misc]
    return found


def wake_unstopped() -> int:
    """Wake the parked runs that no stop touches any more; return how many. For the sweeper.

    Lifting wakes them itself; this finds those whose row was held at that moment.
    """
    with transaction.atomic():
        parked = Run.objects.filter(status=Run.Status.WAITING, parked_for=Run.Parked.STOP)
        return _wake(parked, list(_on()), is_sure=False) if parked.exists() else 0


def name_of(switch: KillSwitch) -> str:
    """Return what a stop stops, in words."""
    if switch.tool:
        return f"{switch.tool} of {switch.agent}" if switch.agent else switch.tool
    return str(switch.agent or switch.project or "Everything")


def _wake(parked: QuerySet[Run], others: list[KillSwitch], *, is_sure: bool = True) -> int:
    """Wake what no other stop surely holds; unless `is_sure`, what no other one could hold."""
    # A row that somebody holds is left to the sweeper: waiting for it here could be a deadlock.
    rows = parked.select_for_update(of=("self",), skip_locked=True).select_related("session")
    woken = [run for run in rows if not any(_holds(each, run, is_sure) for each in others)]
    for run in woken:
        run.parked_for = Run.Parked.NOT
        run.save(update_fields=["parked_for"])
        wake_run(run)
    if woken:
        hint_on_commit()
    return len(woken)


def _holds(switch: KillSwitch, run: Run, is_sure: bool) -> bool:
    """Say whether a stop holds a parked run; one that is woken in doubt parks again by itself."""
    if is_sure and (switch.tool or switch.stops != KillSwitch.Stops.ALL):
        return False
    is_there = switch.project_id in (None, run.project_id)
    return is_there and switch.agent_id in (None, run.agent_id)


def _width(switch: KillSwitch) -> int:
    return _SCOPES.index(KillSwitch.Scope(switch.scope))


def _on() -> QuerySet[KillSwitch]:
    return KillSwitch.objects.filter(lifted_at=None).select_related(
        "project", "agent", "stopped_by"
    )


def _target(
    scope: KillSwitch.Scope, project: Project | None, agent: Agent | None, tool: str
) -> dict[str, object]:
    needs_agent = scope is KillSwitch.Scope.AGENT
    if agent is not None and project is None:
        project = agent.project
    problem = ""
    if scope is not KillSwitch.Scope.EVERYTHING and project is None:
        problem = "a project"
    elif needs_agent and agent is None:
        problem = "an agent"
    elif scope is KillSwitch.Scope.TOOL and not tool:
        problem = "a tool"
    elif agent is not None and project is not None and agent.project_id != project.pk:
        problem = f"an agent of {project}"
    if problem:
        raise StopError(f"To stop a {scope.label} takes {problem}; nothing was stopped.")
    is_everything = scope is KillSwitch.Scope.EVERYTHING
    is_narrow = needs_agent or scope is KillSwitch.Scope.TOOL
    return {
        "scope": scope,
        "project": None if is_everything else project,
        "agent": agent if is_narrow else None,
        "tool": tool if scope is KillSwitch.Scope.TOOL else "",
    }


def _tell(switch: KillSwitch, event: str, title: str, key: str) -> None:
    projects: Iterable[Project] = [switch.project] if switch.project else Project.objects.all()
    for project in projects:
        payload = {
            "title": title,
            "url": reverse("autonomy:index", args=[project.slug]),
            "stop": switch.pk,
            "scope": str(switch.scope),
        }
        tell(project=project, event=event, payload=payload, key=f"{key}:{project.pk}")


def _checked(reason: str, act: str) -> str:
    reason = reason.strip()
    if not MIN_REASON <= len(reason) <= MAX_REASON:
        raise StopError(
            f"To {act} takes a reason of {MIN_REASON} to {MAX_REASON} characters; this one has "
            f"{len(reason)}."
        )
    return reason
