"""How much a tool may do alone: the level that holds, and how it is lowered.

Whatever takes authority away waits for the effects that have begun (`freeze_authority`) and holds
for all that begin afterwards. Raising a level is `agents.tools.proposals`.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction

from agents.errors import AutonomyError
from agents.models import Agent, AgentTool, CeilingLift, Level, LevelProposal, Run, Tier
from agents.tools.contract import ToolContract
from agents.tools.levels import EffectiveLevel, LimitOnTool, RunFacts, weigh
from agents.tools.registry import contract_for, contracts_named
from agents.tools.standing import (
    freeze_authority,
    standing_for_call,
    standings,
    standings_for_calls,
)

__all__ = [
    "EffectiveLevel", "LimitOnTool", "add_reason", "change_ceiling", "change_level",
    "database_now", "effective_level", "effective_levels", "end_lift", "give_tool",
    "level_for_effect", "levels_for_run", "lift_ceiling", "lower", "lower_in_transaction",
    "take_tool",
]  # fmt: skip

MIN_REASON, MAX_REASON = 3, 500
NO_REASON = "Lowered at once; the reason was not given yet."


def effective_level(
    agent_tool: AgentTool,
    *,
    now: datetime,
    run: Run | None = None,
    contract: ToolContract | None = None,
) -> EffectiveLevel:
    """Return the level that holds for a tool of an agent at `now`.

    Args:
        agent_tool: The row; what is written now counts, not what the instance holds.
        now: The database's clock.
        run: With it what its version and its context mean is weighed too.
        contract: Spares a query for an imported tool.

    Two queries at most. For lists use `effective_levels`.

    Raises:
        UnknownToolError: The project has no tool of this name.
    """
    found = contract or contract_for(agent_tool.name, agent_tool.agent.project_id)
    standing = standings([agent_tool.pk])[agent_tool.pk]
    return weigh(standing, found, now=now, run=_facts(run))


def effective_levels(
    agent_tools: Sequence[AgentTool], *, now: datetime, run: Run | None = None
) -> dict[int, EffectiveLevel]:
    """Return the level that holds for each tool, by the id of its `AgentTool`.

    Two queries however many there are, where they are all of one project. A tool that the project
    does not know is left out.
    """
    found = standings([each.pk for each in agent_tools])
    names: dict[int, set[str]] = {}
    for each in agent_tools:
        names.setdefault(each.agent.project_id, set()).add(each.name)
    known = {project: contracts_named(wanted, project) for project, wanted in names.items()}
    levels = {}
    for each in agent_tools:
        contract = known[each.agent.project_id].get(each.name)
        if contract is not None and each.pk in found:
            levels[each.pk] = weigh(found[each.pk], contract, now=now, run=_facts(run))
    return levels


def level_for_effect(
    *, run: Run, tool: str, now: datetime, contract: ToolContract | None = None
) -> EffectiveLevel | None:
    """Return the level that holds for a call of `run`, or None where the tool is not given.

    Call it in the transaction that begins the effect, after `hold_authority`: a change that takes
    authority away then either came before, or waits for the transaction's end. One query, and one
    more for an imported tool whose contract is not given.

    Args:
        run: With its version, its taint as it is in the database.
        tool: The tool's name.
        now: The database's clock.
        contract: The tool's contract, where it is at hand.
    """
    standing = standing_for_call(agent_id=run.agent_id, tool=tool)
    if standing is None:
        return None
    found = contract or contract_for(tool, run.project_id)
    return weigh(standing, found, now=now, run=_facts(run))


def levels_for_run(
    *, run: Run, tools: Iterable[str], now: datetime
) -> list[tuple[ToolContract, EffectiveLevel]]:
    """Return those of the tools that the run's agent is given, by name, with the level that holds.

    One query, and one more where one of them is imported. Contracts that were withdrawn are there.
    """
    found = standings_for_calls(agent_id=run.agent_id, tools=tools)
    known = contracts_named(found, run.project_id)
    return [
        (known[name], weigh(found[name], known[name], now=now, run=_facts(run)))
        for name in sorted(known)
    ]


def _facts(run: Run | None) -> RunFacts | None:
    if run is None:
        return None
    is_serious = run.kind not in {Run.Kind.GOLDEN, Run.Kind.REPLAY}
    return RunFacts(run.version_id, str(run.version), is_serious, run.taint)


def change_level(
    *,
    agent_tool: AgentTool,
    level: Level,
    reason: str,
    by: AbstractBaseUser,
    was: Level | None = None,
) -> AgentTool:
    """Lower a tool's own level, with who and why; runs in progress obey before their next effect.

    Raising goes through `agents.tools.proposals` alone.

    Raises:
        AutonomyError: No reason is given, the level would rise or is already so, or it is no
            longer `was`.
    """
    return _lower(agent_tool, level, _checked(reason), by, was)


def lower(
    *, agent_tool: AgentTool, level: Level, by: AbstractBaseUser, reason: str = ""
) -> AgentTool:
    """Lower a tool's level at once; the reason may follow with `add_reason`.

    Raises:
        AutonomyError: The level would rise or is already so.
    """
    return _lower(agent_tool, level, _checked(reason) if reason.strip() else NO_REASON, by, None)


def add_reason(*, agent_tool: AgentTool, reason: str, by: AbstractBaseUser) -> AgentTool:
    """Say afterwards why a tool was lowered.

    Raises:
        AutonomyError: No reason is given, or the last change has one already.
    """
    reason = _checked(reason)
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="reason"):
        row = AgentTool.objects.select_for_update().get(pk=agent_tool.pk)
        if row.reason != NO_REASON:
            raise AutonomyError(f"The last change of {row.name} has its reason: {row.reason}")
        row.reason = reason
        row.save(update_fields=["reason"])
    return row


def lower_in_transaction(row: AgentTool, level: Level, reason: str, by_id: int | None) -> None:
    """Write a lower level into a locked row; proposals to raise it from here become void."""
    row.level, row.reason, row.changed_by_id = level, reason[:MAX_REASON], by_id
    row.save(update_fields=["level", "reason", "changed_by", "changed_at"])
    row.proposals.filter(status=LevelProposal.Status.WAITING).update(
        status=LevelProposal.Status.VOID,
        decided_at=database_now(),
        decision_reason=f"{row.name} was lowered to {level.label} meanwhile.",
    )


def _lower(
    agent_tool: AgentTool, level: Level, reason: str, by: AbstractBaseUser, was: Level | None
) -> AgentTool:
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="level"):
        freeze_authority()
        row = AgentTool.objects.select_for_update().get(pk=agent_tool.pk)
        now = Level(row.level)
        _check_unchanged(row.name, now, was)
        if now == level:
            raise AutonomyError(f"{row.name} is at {level.label} already; nothing was changed.")
        if level.rank > now.rank:
            raise AutonomyError(
                f"{row.name} is at {now.label}; it goes up to {level.label} by a proposal that "
                "another lead grants. Propose the raise instead."
            )
        lower_in_transaction(row, level, reason, by.pk)
    return row


def give_tool(
    *, agent: Agent, name: str, level: Level, reason: str, by: AbstractBaseUser
) -> AgentTool:
    """Give an agent a tool: one that writes at `approve` at most, a read at any level.

    Raises:
        AutonomyError: No reason is given, the agent has the tool, or the level takes a proposal.
        UnknownToolError: The project has no tool of this name.
    """
    reason = _checked(reason)
    contract = contract_for(name, agent.project_id)
    if level.is_acting and not contract.is_read:
        raise AutonomyError(
            f"{name} writes, so it is given at {Level.APPROVE.label} at most; it goes up to "
            f"{level.label} by a proposal with evidence, which another lead grants."
        )
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="give tool"):
        row, is_new = AgentTool.objects.get_or_create(
            agent=agent,
            name=name,
            defaults={
                "level": level,
                "reason": reason,
                "changed_by_id": by.pk,
                "contract_version": contract.version,
            },
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
        freeze_authority()
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
        freeze_authority()
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
        freeze_authority()
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
    if not MIN_REASON <= len(reason) <= MAX_REASON:
        raise AutonomyError(
            f"A change of authority needs a reason of at least {MIN_REASON} characters and "
            f"{MAX_REASON} at most; this has {len(reason)}."
        )
    return reason
