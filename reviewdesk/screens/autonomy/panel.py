"""What the panel shows of one tool of one agent."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agents.config import config_from_json
from agents.models import Agent, CeilingLift, Level, Tier
from agents.tools.contract import ToolContract
from reviewdesk.people.access import DeskRequest, may
from reviewdesk.people.roles import Permission, roles_with
from reviewdesk.screens.autonomy.charts import day_chart, interval_bar
from reviewdesk.screens.autonomy.evidence import calls_by_day, decisions_of, last_calls, totals
from reviewdesk.screens.autonomy.forms import LevelForm, LiftForm, ReasonForm
from reviewdesk.screens.autonomy.history import changes_of
from reviewdesk.screens.autonomy.matrix import Cell


@dataclass(frozen=True)
class Choice:
    """A level that could be set.

    Attributes:
        level: The level.
        is_now: Whether it is set now.
        refusal: Why this person may not set it, or empty.
        note: What would hold it back if it were set, or empty.
    """

    level: Level
    is_now: bool
    refusal: str
    note: str


@dataclass(frozen=True)
class LimitRow:
    """One limit as the panel lists it."""

    icon: str
    title: str
    level: Level
    binds: bool
    note: str


_LIMIT_ICONS = {"tool": "adjustments-horizontal", "agent": "robot"}
_TIER_ICONS = {
    Tier.READ: "eye",
    Tier.READ_SENSITIVE: "id",
    Tier.WRITE_REVERSIBLE: "pencil",
    Tier.WRITE_IRREVERSIBLE: "alert-triangle",
    Tier.MONEY: "coin",
}


def panel_context(
    request: DeskRequest, cell: Cell, contract: ToolContract, *, now: datetime, **extra: Any
) -> dict[str, Any]:
    """Return the template's variables for a tool of an agent."""
    agent = cell.agent
    days = calls_by_day(agent, contract.name, now=now)
    decisions = decisions_of(agent, contract)
    num_calls, num_failed = totals(days)
    return {
        "cell": cell,
        "agent": agent,
        "contract": contract,
        "tier_icon": _TIER_ICONS[contract.tier],
        "limits": _limits(cell, contract),
        "binding": _binding(cell),
        "is_offered": is_offered(agent, contract.name),
        "choices": choices_for(request, cell),
        "may_raise": may(request, Permission.RAISE_AUTONOMY),
        "raisers": " or ".join(roles_with(Permission.RAISE_AUTONOMY)),
        "lift": _lift(agent, contract, now),
        "decisions": decisions,
        "interval": interval_bar(decisions.unedited),
        "days": days,
        "chart": day_chart(days),
        "num_calls": num_calls,
        "num_failed": num_failed,
        "calls": last_calls(agent, contract.name, now=now),
        "changes": changes_of([agent], tool=contract.name, tier=contract.tier),
        "level_form": LevelForm(),
        "lift_form": LiftForm(),
        "end_lift_form": ReasonForm(prefix="end"),
        "take_form": ReasonForm(prefix="take"),
        **extra,
    }


def choices_for(request: DeskRequest, cell: Cell) -> tuple[Choice, ...]:
    """Return every level, highest first, with why it cannot be chosen."""
    if cell.agent_tool is None or cell.effective is None:
        return ()
    now = Level(cell.agent_tool.level)
    highest_first = sorted(Level, key=lambda level: -level.rank)
    return tuple(
        Choice(level, level == now, refusal_of(request, now, level), _note(cell, level))
        for level in highest_first
    )


def refusal_of(request: DeskRequest, before: Level, after: Level) -> str:
    """Say why this person may not go from one level to the other, or nothing."""
    is_raise = after.rank > before.rank
    permission = Permission.RAISE_AUTONOMY if is_raise else Permission.LOWER_AUTONOMY
    if before == after or may(request, permission):
        return ""
    verb = "raise" if is_raise else "lower"
    return f"to {verb} takes {' or '.join(roles_with(permission))}"


def is_offered(agent: Agent, tool: str) -> bool:
    """Say whether the live version offers the tool to its model."""
    version = agent.live_version
    return version is not None and tool in config_from_json(version.config).tools


def _limits(cell: Cell, contract: ToolContract) -> list[LimitRow]:
    if cell.effective is None or cell.agent_tool is None:
        return []
    rows = []
    for limit in cell.effective.limits:
        icon = _LIMIT_ICONS.get(limit.name, _TIER_ICONS[contract.tier])
        title = limit.title[:1].upper() + limit.title[1:]
        rows.append(LimitRow(icon, title, limit.level, limit.binds, limit.note))
    return rows


def _binding(cell: Cell) -> str:
    """Say in words what binds."""
    if cell.effective is None:
        return ""
    titles = [limit.title for limit in cell.effective.binding]
    if len(titles) == len(cell.effective.limits):
        return "nothing holds it back"
    return f"{' and '.join(titles)} {'binds' if len(titles) == 1 else 'bind'}"


def _note(cell: Cell, level: Level) -> str:
    if cell.effective is None:
        return ""
    others = [limit for limit in cell.effective.limits if limit.name != "tool"]
    holding = [limit for limit in others if limit.level.rank < level.rank]
    if not holding:
        return ""
    lowest = min(holding, key=lambda limit: limit.level.rank)
    return f"held at {lowest.level.label} by {lowest.title}"


def _lift(agent: Agent, contract: ToolContract, now: datetime) -> CeilingLift | None:
    lifts = [lift for lift in agent.ceiling_lifts.all() if lift.tier == contract.tier]
    return next((lift for lift in lifts if lift.expires_at > now), None)
