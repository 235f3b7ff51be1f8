"""Who changed what an agent may do, when and why: read from the audit trail."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, QuerySet, Window
from django.db.models.functions import Lag

from agents.models import Agent, AgentTool, CeilingLift, Level, Tier
from reviewdesk.people.models import User

SHOWN = 30


@dataclass(frozen=True)
class Change:
    """One change of authority.

    Attributes:
        at: When it was made.
        subject: What was changed, such as a tool's name or `tier money`.
        agent: Whose it is.
        before: The level before, None where there was none.
        after: The level after, None where there is none any more.
        reason: Given by who changed it, or empty.
        by: Who; None for the installation itself.
    """

    at: datetime
    subject: str
    agent: Agent
    before: Level | None
    after: Level | None
    reason: str
    by: User | None


def changes_of(
    agents: Sequence[Agent], *, tool: str = "", tier: Tier | None = None, limit: int = SHOWN
) -> list[Change]:
    """Return the latest changes of these agents, newest first. Four queries.

    Args:
        agents: Whose changes.
        tool: Only this tool's, beside those of its tier and agent.
        tier: Only this tier's lifts.
        limit: How many at most.
    """
    tools = _events(AgentTool, "level", ("agent", "name"), agent__in=agents)
    lifts = _events(CeilingLift, "level", ("agent", "tier"), agent__in=agents)
    ceilings = _events(Agent, "ceiling", ("pgh_obj",), pgh_obj__in=agents)
    if tool:
        tools = tools.filter(name=tool)
    if tier:
        lifts = lifts.filter(tier=tier)
    found = [
        *_read(tools[:limit], lambda row: (row.name, row.agent_id, row.level, None)),
        *_read(lifts[:limit], _lift),
        *_read(
            ceilings[:limit], lambda row: ("the agent's ceiling", row.pgh_obj_id, row.ceiling, None)
        ),
    ]
    found.sort(key=lambda event: event.at, reverse=True)
    return _with_people(found[:limit], {agent.pk: agent for agent in agents})


@dataclass(frozen=True)
class _Event:
    at: datetime
    subject: str
    agent_id: int
    before: Level | None
    after: Level | None
    context: dict[str, Any]


def _events(model: Any, column: str, partition: Sequence[str], **filters: Any) -> QuerySet[Any]:
    before = Window(Lag(column), partition_by=[F(name) for name in partition], order_by="pgh_id")
    events: QuerySet[Any] = model.pgh_event_model.objects.filter(**filters).annotate(before=before)
    return events.select_related("pgh_context").order_by("-pgh_id")


def _read(
    rows: QuerySet[Any], read: Callable[[Any], tuple[str, int, str, Level | None]]
) -> list[_Event]:
    """Return what really changed; `read` gives subject, agent, level, and the level without it."""
    events = []
    for row in rows:
        subject, agent_id, level, without = read(row)
        before = without if row.pgh_label == "insert" else Level(row.before or level)
        after = without if row.pgh_label == "delete" else Level(level)
        if before != after:
            context = row.pgh_context.metadata if row.pgh_context else {}
            events.append(_Event(row.pgh_created_at, subject, agent_id, before, after, context))
    return events


def _lift(row: Any) -> tuple[str, int, str, Level | None]:
    tier = Tier(row.tier)
    return f"tier {tier.label}", row.agent_id, row.level, tier.ceiling


def _with_people(events: Sequence[_Event], agents: dict[int, Agent]) -> list[Change]:
    users = User.objects.in_bulk({event.context.get("user") for event in events} - {None})
    return [
        Change(
            at=event.at,
            subject=event.subject,
            agent=agents[event.agent_id],
            before=event.before,
            after=event.after,
            reason=str(event.context.get("reason", "")),
            by=users.get(event.context.get("user", 0)),
        )
        for event in events
    ]
