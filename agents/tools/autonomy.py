"""How much a tool may do alone: the limits that hold, the lowest of which binds."""

from dataclasses import dataclass
from datetime import datetime

import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction

from agents.errors import AutonomyError
from agents.models import Agent, AgentTool, CeilingLift, Level, Tier
from agents.tools.contract import ToolContract
from agents.tools.registry import contract_for


@dataclass(frozen=True)
class LimitOnTool:
    """One of the limits on a tool.

    Attributes:
        name: What limits: `tool`, `tier` or `agent`.
        title: The same for people.
        level: The highest level it allows.
        binds: Whether it is (one of) the lowest.
        note: Where it comes from, for people.
    """

    name: str
    title: str
    level: Level
    binds: bool
    note: str


@dataclass(frozen=True)
class EffectiveLevel:
    """The level that holds now, and every limit that was weighed."""

    level: Level
    limits: tuple[LimitOnTool, ...]

    @property
    def binding(self) -> tuple[LimitOnTool, ...]:
        """Return the limits that bind."""
        return tuple(limit for limit in self.limits if limit.binds)

    @property
    def is_held_back(self) -> bool:
        """Say whether the tool's own level is higher than what holds."""
        return self.limits[0].level.rank > self.level.rank

    @property
    def why(self) -> str:
        """Return the binding limits in words, e.g. `the tool's level; tier money`."""
        return "; ".join(limit.title for limit in self.binding)


def effective_level(
    agent_tool: AgentTool, *, now: datetime, contract: ToolContract | None = None
) -> EffectiveLevel:
    """Return the level that holds for a tool of an agent at `now`.

    Reads `agent_tool.agent` and its `ceiling_lifts` (prefetch them for lists). An imported tool's
    contract takes a query unless it is given.

    Raises:
        UnknownToolError: The project has no tool of this name.
    """
    agent = agent_tool.agent
    tier = (contract or contract_for(agent_tool.name, agent.project_id)).tier
    ceiling, note = tier_ceiling(tier, list(agent.ceiling_lifts.all()), now=now)
    return combine(
        tool=(Level(agent_tool.level), agent_tool.reason),
        tier=(tier, ceiling, note),
        agent=(Level(agent.ceiling), agent.name),
    )


def combine(
    *, tool: tuple[Level, str], tier: tuple[Tier, Level, str], agent: tuple[Level, str]
) -> EffectiveLevel:
    """Return the lowest of the limits, and mark those that bind."""
    rows = [
        ("tool", "the tool's level", *tool),
        ("tier", f"tier {tier[0].label}", tier[1], tier[2]),
        ("agent", "the agent's ceiling", *agent),
    ]
    lowest = min((level for _, _, level, _ in rows), key=lambda level: level.rank)
    return EffectiveLevel(
        level=lowest,
        limits=tuple(
            LimitOnTool(name, title, level, level == lowest, note)
            for name, title, level, note in rows
        ),
    )


def tier_ceiling(tier: Tier, lifts: list[CeilingLift], *, now: datetime) -> tuple[Level, str]:
    """Return a tier's ceiling under the lifts that have not expired, and where it comes from."""
    for lift in lifts:
        if lift.tier == tier and lift.expires_at > now:
            return Level(lift.level), f"lifted until {lift.expires_at:%d %b %Y}: {lift.reason}"
    if tier.ceiling is Level.AUTONOMOUS:
        return tier.ceiling, "no ceiling"
    return tier.ceiling, f"{tier.label} never goes above {tier.ceiling.label} without a lead"


def level_for_effect(*, agent: Agent, tool: str, now: datetime) -> EffectiveLevel | None:
    """Return the level that holds inside the running transaction, or None if not given.

    Locks the agent, the tool's row and the lifts FOR SHARE until the transaction ends, so that a
    change of authority either comes before the effect or waits for its end.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM agents_agent WHERE id = %s FOR SHARE", [agent.pk])
        cursor.execute(
            "SELECT 1 FROM agents_agenttool WHERE agent_id = %s AND name = %s FOR SHARE",
            [agent.pk, tool],
        )
        cursor.execute("SELECT 1 FROM agents_ceilinglift WHERE agent_id = %s FOR SHARE", [agent.pk])
    agent_tool = (
        AgentTool.objects.filter(agent=agent, name=tool)
        .select_related("agent")
        .prefetch_related("agent__ceiling_lifts")
        .first()
    )
    return effective_level(agent_tool, now=now) if agent_tool else None


def change_level(
    *,
    agent_tool: AgentTool,
    level: Level,
    reason: str,
    by: AbstractBaseUser,
    was: Level | None = None,
) -> AgentTool:
    """Set a tool's own level, with who and why; runs in progress obey before their next effect.

    Raises:
        AutonomyError: No reason is given, the level is already so, or it is no longer `was`.
    """
    reason = _checked(reason)
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="level"):
        row = AgentTool.objects.select_for_update().get(pk=agent_tool.pk)
        _check_unchanged(row.name, Level(row.level), was)
        if row.level == level:
            raise AutonomyError(f"{row.name} is at {level.label} already; nothing was changed.")
        row.level, row.reason, row.changed_by_id = level, reason, by.pk
        row.save(update_fields=["level", "reason", "changed_by", "changed_at"])
    return row


def give_tool(
    *, agent: Agent, name: str, level: Level, reason: str, by: AbstractBaseUser
) -> AgentTool:
    """Give an agent a tool at a level.

    Raises:
        AutonomyError: No reason is given, or the agent has the tool.
        UnknownToolError: The project has no tool of this name.
    """
    reason = _checked(reason)
    contract_for(name, agent.project_id)
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="give tool"):
        row, is_new = AgentTool.objects.get_or_create(
            agent=agent,
            name=name,
            defaults={"level": level, "reason": reason, "changed_by_id": by.pk},
        )
        if not is_new:
            raise AutonomyError(f"{agent} has {name} already, at {row.get_level_display()}.")
    return row


def take_tool(*, agent_tool: AgentTool, reason: str, by: AbstractBaseUser) -> None:
    """Take a tool from an agent; a run in progress is refused its next call of it.

    Raises:
        AutonomyError: No reason is given.
    """
    reason = _checked(reason)
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="take tool"):
        AgentTool.objects.select_for_update().filter(pk=agent_tool.pk).delete()


def change_ceiling(
    *, agent: Agent, level: Level, reason: str, by: AbstractBaseUser, was: Level | None = None
) -> Agent:
    """Set the highest level of all of an agent's tools.

    Raises:
        AutonomyError: No reason is given, the ceiling is already so, or it is no longer `was`.
    """
    reason = _checked(reason)
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="ceiling"):
        row = Agent.objects.select_for_update().get(pk=agent.pk)
        _check_unchanged(f"The ceiling of {row}", Level(row.ceiling), was)
        if row.ceiling == level:
            raise AutonomyError(f"The ceiling of {row} is {level.label} already.")
        row.ceiling = level
        row.save(update_fields=["ceiling"])
    return row


def lift_ceiling(
    *,
    agent: Agent,
    tier: Tier,
    level: Level,
    reason: str,
    expires_at: datetime,
    by: AbstractBaseUser,
) -> CeilingLift:
    """Let one tier of an agent's tools go above its ceiling until a date.

    Raises:
        AutonomyError: No reason is given, the tier has no ceiling, or the date has passed.
    """
    reason = _checked(reason)
    if level.rank <= tier.ceiling.rank:
        raise AutonomyError(f"{tier.label} may go up to {tier.ceiling.label} without a lift.")
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="lift ceiling"):
        if expires_at <= database_now():
            raise AutonomyError(f"A lift must end in the future; {expires_at:%d %b %Y} has passed.")
        Agent.objects.select_for_update().get(pk=agent.pk)
        lift, _ = CeilingLift.objects.update_or_create(
            agent=agent,
            tier=tier,
            defaults={
                "level": level,
                "reason": reason,
                "expires_at": expires_at,
                "lifted_by_id": by.pk,
            },
        )
    return lift


def end_lift(*, lift: CeilingLift, reason: str, by: AbstractBaseUser) -> None:
    """End a lift at once.

    Raises:
        AutonomyError: No reason is given.
    """
    reason = _checked(reason)
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="end lift"):
        CeilingLift.objects.select_for_update().filter(pk=lift.pk).delete()


def database_now() -> datetime:
    """Return the database's clock (one query)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


def _check_unchanged(what: str, now: Level, was: Level | None) -> None:
    if was is not None and now != was:
        raise AutonomyError(
            f"{what} is at {now.label} now, no longer at {was.label}: somebody changed it "
            "meanwhile. Nothing was changed; look again and decide anew."
        )


def _checked(reason: str) -> str:
    reason = reason.strip()
    if len(reason) < 3:
        raise AutonomyError(
            "A change of authority needs a reason of at least 3 characters; "
            f"this has {len(reason)}."
        )
    return reason[:500]
