"""Who changed what an agent may do, when and why: levels, ceilings, stops and proposals.

Levels and ceilings are read from the audit trail; stops and proposals keep their own story.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, Q, QuerySet, Window
from django.db.models.functions import Lag

from agents.models import Agent, AgentTool, CeilingLift, KillSwitch, Level, LevelProposal, Tier
from agents.tools.autonomy import NO_REASON
from reviewdesk.people.models import User
from reviewdesk.screens.stops.banner import sentence_of

SHOWN = 30


@dataclass(frozen=True)
class Change:
    """One change of authority.

    Attributes:
        at: When it was made.
        subject: What was changed, such as a tool's name or `tier money`.
        agent: Whose it is; None where it is more than one agent's.
        before: The level before, None where there was none.
        after: The level after, None where there is none any more.
        text: What was done, in words, where it is no change of a level; or empty.
        reason: Given by who changed it, or empty.
        by: Who; None for the installation itself.
        is_by_rule: Whether a rule made it.
        word: The same in one or two words, for a chart.
    """

    at: datetime
    subject: str
    agent: Agent | None
    before: Level | None
    after: Level | None
    text: str
    reason: str
    by: User | None
    is_by_rule: bool
    word: str


@dataclass(frozen=True)
class _Event:
    at: datetime
    subject: str
    agent_id: int | None
    before: Level | None
    after: Level | None
    word: str
    by_id: int | None
    reason: str
    text: str = ""
    is_by_rule: bool = False


def changes_of(
    agents: Sequence[Agent],
    *,
    tool: str = "",
    tier: Tier | None = None,
    limit: int = SHOWN,
    before: datetime | None = None,
) -> list[Change]:
    """Return the latest changes of these agents, newest first. Six queries.

    Args:
        agents: Whose changes; of one project.
        tool: Only this tool's, beside those of its tier and agent.
        tier: Only this tier's lifts.
        limit: How many at most.
        before: Only what is older.
    """
    if not agents:
        return []
    tools = _events(AgentTool, ("level", "candidate_since"), ("agent", "name"), agent__in=agents)
    lifts = _events(CeilingLift, ("level",), ("agent", "tier"), agent__in=agents)
    ceilings = _events(Agent, ("ceiling",), ("pgh_obj",), pgh_obj__in=agents)
    if tool:
        tools = tools.filter(name=tool)
    if tier:
        lifts = lifts.filter(tier=tier)
    if before is not None:
        older = Q(pgh_created_at__lt=before)
        tools, lifts, ceilings = (rows.filter(older) for rows in (tools, lifts, ceilings))
    found = [
        *_tool_events(tools[: 2 * limit]),
        *_read(lifts[:limit], _lift, "ceiling"),
        *_read(ceilings[:limit], _ceiling, "ceiling"),
        *_stop_events(agents, tool, limit, before),
        *_proposal_events(agents, tool, limit, before),
    ]
    found.sort(key=lambda event: event.at, reverse=True)
    return _with_people(found[:limit], {agent.pk: agent for agent in agents})


def _events(
    model: Any, columns: Sequence[str], partition: Sequence[str], **filters: Any
) -> QuerySet[Any]:
    parts = [F(name) for name in partition]
    before = {
        f"{column}_before": Window(Lag(column), partition_by=parts, order_by="pgh_id")
        for column in columns
    }
    events: QuerySet[Any] = model.pgh_event_model.objects.filter(**filters).annotate(**before)
    return events.select_related("pgh_context").order_by("-pgh_id")


def _tool_events(rows: Iterable[Any]) -> list[_Event]:
    """Return what really changed; a reason that was given afterwards stands with its change."""
    found = []
    given_later: dict[tuple[int, str], str] = {}
    for row in rows:
        context = _context(row)
        key = row.agent_id, row.name
        if context.get("action") == "reason":
            given_later[key] = str(context.get("reason", ""))
            continue
        event = _levels(row, row.name, row.agent_id, row.level, row.level_before, None, "")
        if event is None:
            event = _candidate(row, context)
        elif event.reason == NO_REASON and key in given_later:
            event = _Event(**{**vars(event), "reason": given_later[key]})
        if event is not None:
            found.append(event)
            given_later.pop(key, None)
    return found


def _candidate(row: Any, context: dict[str, Any]) -> _Event | None:
    if row.pgh_label != "update" or row.candidate_since == row.candidate_since_before:
        return None
    begins = row.candidate_since is not None
    return _Event(
        at=row.pgh_created_at,
        subject=row.name,
        agent_id=row.agent_id,
        before=None,
        after=None,
        word="candidate" if begins else "proven",
        by_id=context.get("user"),
        reason=row.candidate_why or str(context.get("reason", "")),
        text="starts over as a candidate" if begins else "has proven itself",
        is_by_rule=context.get("action") == "demotion",
    )


def _read(
    rows: Iterable[Any],
    read: Callable[[Any], tuple[str, int, str, str | None, Level | None]],
    word: str,
) -> list[_Event]:
    """Return what really changed; `read` gives subject, agent, levels, and the one without it."""
    events = [_levels(row, *read(row), word) for row in rows]
    return [event for event in events if event is not None]


def _levels(
    row: Any,
    subject: str,
    agent_id: int,
    level: str,
    level_before: str | None,
    without: Level | None,
    word: str,
) -> _Event | None:
    before = without if row.pgh_label == "insert" else Level(level_before or level)
    after = without if row.pgh_label == "delete" else Level(level)
    if before == after:
        return None
    context = _context(row)
    is_by_rule = context.get("action") == "demotion"
    reason = str(context.get("reason", ""))
    return _Event(
        at=row.pgh_created_at,
        subject=subject,
        agent_id=agent_id,
        before=before,
        after=after,
        word=f"{word} {_verb(before, after)}".strip(),
        by_id=context.get("user"),
        reason=_without_rule(reason) if is_by_rule else reason,
        is_by_rule=is_by_rule,
    )


def _without_rule(reason: str) -> str:
    """Return a demotion's reason without the words that say that a rule made it."""
    return reason.removeprefix("By rule (").replace("): ", ": ", 1)


def _verb(before: Level | None, after: Level | None) -> str:
    if before is None:
        return "given"
    if after is None:
        return "taken"
    return "raised" if after.rank > before.rank else "lowered"


def _lift(row: Any) -> tuple[str, int, str, str | None, Level | None]:
    tier = Tier(row.tier)
    return f"tier {tier.label}", row.agent_id, row.level, row.level_before, tier.ceiling


def _ceiling(row: Any) -> tuple[str, int, str, str | None, Level | None]:
    return "the agent's ceiling", row.pgh_obj_id, row.ceiling, row.ceiling_before, None


def _stop_events(
    agents: Sequence[Agent], tool: str, limit: int, before: datetime | None
) -> list[_Event]:
    covers = Q(project=agents[0].project_id) & (Q(agent=None) | Q(agent__in=agents))
    switches = KillSwitch.objects.filter(covers | Q(scope=KillSwitch.Scope.EVERYTHING))
    if tool:
        switches = switches.filter(tool__in=["", tool])
    if before is not None:
        switches = switches.filter(stopped_at__lt=before)
    found = []
    for row in switches.select_related("project", "agent").order_by("-stopped_at")[:limit]:
        names = {"project": str(row.project or ""), "agent": str(row.agent or "")}
        said = sentence_of(row.scope, row.stops, **names, tool=row.tool, verb="was")
        stopped = _Event(
            row.stopped_at, row.tool, row.agent_id, None, None, "stopped", row.stopped_by_id,
            row.reason, said,
        )  # fmt: skip
        found.append(stopped)
        if row.lifted_at is not None and (before is None or row.lifted_at < before):
            what = row.tool or names["agent"] or names["project"] or "everything"
            found.append(
                _Event(
                    row.lifted_at, row.tool, row.agent_id, None, None, "stop lifted",
                    row.lifted_by_id, row.lift_reason, f"The stop of {what} was lifted",
                )
            )  # fmt: skip
    return found


def _proposal_events(
    agents: Sequence[Agent], tool: str, limit: int, before: datetime | None
) -> list[_Event]:
    rows = LevelProposal.objects.filter(agent_tool__agent__in=agents)
    if tool:
        rows = rows.filter(agent_tool__name=tool)
    if before is not None:
        rows = rows.filter(proposed_at__lt=before)
    found = []
    for row in rows.select_related("agent_tool").order_by("-proposed_at")[:limit]:
        name, agent_id = row.agent_tool.name, row.agent_tool.agent_id
        raised = f"a raise from {row.get_from_level_display()} to {row.get_to_level_display()}"
        proposed = _Event(
            row.proposed_at, name, agent_id, None, None, "proposed", row.proposed_by_id,
            row.reason, f"{raised} was proposed",
        )  # fmt: skip
        found.append(proposed)
        # A grant is told by the level that it raised.
        at = None if row.status == LevelProposal.Status.GRANTED else row.decided_at
        if at is not None and (before is None or at < before):
            found.append(
                _Event(
                    at, name, agent_id, None, None, str(row.status), row.decided_by_id,
                    row.decision_reason, f"{raised} is {row.get_status_display()}",
                )
            )  # fmt: skip
    return found


def _context(row: Any) -> dict[str, Any]:
    return row.pgh_context.metadata if row.pgh_context else {}


def _with_people(events: Sequence[_Event], agents: dict[int, Agent]) -> list[Change]:
    users = User.objects.in_bulk({event.by_id for event in events} - {None})
    return [
        Change(
            at=event.at,
            subject=event.subject,
            agent=agents.get(event.agent_id) if event.agent_id is not None else None,
            before=event.before,
            after=event.after,
            text=event.text[:1].upper() + event.text[1:],
            reason=event.reason,
            by=users.get(event.by_id) if event.by_id is not None else None,
            is_by_rule=event.is_by_rule,
            word=event.word,
        )
        for event in events
    ]
