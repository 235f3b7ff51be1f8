"""What the panel shows of one tool of one agent."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agents.config import config_from_json
from agents.models import Agent, CeilingLift, Level, Tier, UndoableCall
from agents.tools.autonomy import NO_REASON
from agents.tools.contract import ToolContract
from agents.tools.evidence import evidence_for
from reviewdesk.people.access import DeskRequest, may
from reviewdesk.people.roles import Permission, roles_with
from reviewdesk.screens.autonomy.charts import day_chart
from reviewdesk.screens.autonomy.days import Fate, calls_by_day, totals
from reviewdesk.screens.autonomy.evidence import last_calls, latency_of
from reviewdesk.screens.autonomy.forms import LevelForm, LiftForm, ProposeForm, ReasonForm
from reviewdesk.screens.autonomy.history import Change, changes_of
from reviewdesk.screens.autonomy.matrix import DAYS, Cell
from reviewdesk.screens.autonomy.outcomes import bad_outcomes
from reviewdesk.screens.autonomy.raises import bar_of, note_of, open_raises, raises_for, step_down

_SHOWN_UNDOABLE = 10


@dataclass(frozen=True)
class Choice:
    """A level that the tool could be lowered to.

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


_LIMIT_ICONS = {
    "tool": "adjustments-horizontal",
    "agent": "robot",
    "taint": "virus-search",
    "incident": "urgent",
    "candidate": "seedling",
    "stop": "hand-stop",
}
TIER_ICONS = {
    Tier.READ: "eye",
    Tier.READ_SENSITIVE: "id",
    Tier.WRITE_REVERSIBLE: "pencil",
    Tier.WRITE_IRREVERSIBLE: "alert-triangle",
    Tier.MONEY: "coin",
}


def panel_context(
    request: DeskRequest, cell: Cell, contract: ToolContract, *, now: datetime, **extra: Any
) -> dict[str, Any]:
    """Return the template's variables for a tool of an agent. A fixed number of queries."""
    agent = cell.agent
    days = calls_by_day(agent, contract.name, now=now)
    changes = changes_of([agent], tool=contract.name, tier=contract.tier)
    counts = totals(days)
    return {
        "cell": cell,
        "agent": agent,
        "contract": contract,
        "tier_icon": TIER_ICONS[contract.tier],
        "is_offered": is_offered(agent, contract.name),
        "lift": _lift(agent, contract, now),
        "days": days,
        "chart": day_chart(days, _marks(changes)),
        "counts": [(fate, counts[fate]) for fate in Fate],
        "num_calls": sum(counts.values()),
        "num_days": DAYS,
        "latency": latency_of(agent, contract.name, now=now),
        "outcomes": bad_outcomes(agent, contract.name, now=now),
        "calls": last_calls(agent, contract.name, now=now),
        "changes": changes,
        **_rights(request),
        **(_given(request, cell, contract, now) if cell.agent_tool else {}),
        **_forms(),
        **extra,
    }


def choices_for(request: DeskRequest, cell: Cell, contract: ToolContract) -> tuple[Choice, ...]:
    """Return the level that is set and every lower one that means something, highest first."""
    if cell.agent_tool is None:
        return ()
    now = Level(cell.agent_tool.level)
    found = [Choice(now, True, "", "")]
    level = step_down(now, contract)
    while level is not None:
        found.append(Choice(level, False, refusal_of(request, now, level), note_of(cell, level)))
        level = step_down(level, contract)
    return tuple(found)


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


def _given(
    request: DeskRequest, cell: Cell, contract: ToolContract, now: datetime
) -> dict[str, Any]:
    """Return what there is to say of a tool that the agent is given."""
    agent_tool = cell.agent_tool
    assert agent_tool is not None  # noqa: S101  for the type checker
    assert cell.standing is not None  # noqa: S101
    evidence = evidence_for(agent_tool, now=now, contract=contract)
    raises = raises_for(cell, contract, evidence)
    switches = [switch for switch in cell.standing.switches if switch.holds(contract)]
    return {
        "limits": _limits(cell, contract),
        "binding": _binding(cell),
        "switch": switches[0] if switches else None,
        "choices": choices_for(request, cell, contract),
        "lower_to": step_down(Level(agent_tool.level), contract),
        "wants_reason": agent_tool.reason == NO_REASON,
        "evidence": evidence,
        "interval": bar_of(
            evidence.unedited, evidence.n, evidence.lower, evidence.upper, evidence.target
        ),
        "raises": raises,
        "open_raises": open_raises(raises),
        "proposal": agent_tool.proposals.filter(status="waiting").first(),
        "undoable": _undoable(cell, now),
    }


def _rights(request: DeskRequest) -> dict[str, Any]:
    return {
        "may_raise": may(request, Permission.RAISE_AUTONOMY),
        "raisers": " or ".join(roles_with(Permission.RAISE_AUTONOMY)),
        "may_lower": may(request, Permission.LOWER_AUTONOMY),
        "lowerers": ", ".join(roles_with(Permission.LOWER_AUTONOMY)),
        "may_propose": may(request, Permission.PROPOSE_RAISE),
        "proposers": ", ".join(roles_with(Permission.PROPOSE_RAISE)),
    }


def _forms() -> dict[str, Any]:
    return {
        "level_form": LevelForm(),
        "reason_form": ReasonForm(prefix="why"),
        "propose_form": ProposeForm(prefix="propose"),
        "undo_form": ReasonForm(prefix="undo"),
        "lift_form": LiftForm(),
        "end_lift_form": ReasonForm(prefix="end"),
        "take_form": ReasonForm(prefix="take"),
    }


def _limits(cell: Cell, contract: ToolContract) -> list[LimitRow]:
    if cell.effective is None:
        return []
    rows = []
    for limit in cell.effective.limits:
        icon = _LIMIT_ICONS.get(limit.name, TIER_ICONS[contract.tier])
        title = limit.title.removeprefix("the ").removeprefix("a ")
        title = title[:1].upper() + title[1:]
        if limit.name == "tier":
            title = f"Tier: {contract.tier.label}"
        note = _taint_note(cell) if limit.name == "taint" else limit.note
        rows.append(LimitRow(icon, title, limit.level, limit.binds, note))
    return rows


def _taint_note(cell: Cell) -> str:
    """Say which runs in progress are tainted; each run is weighed by itself."""
    if cell.taint is None:
        return "no run in progress"
    runs = "1 run" if cell.taint.num_runs == 1 else f"{cell.taint.num_runs} runs"
    return f"{runs} in progress read {cell.taint.first.get('tool')}"


def _binding(cell: Cell) -> str:
    """Say in words what binds."""
    if cell.effective is None:
        return ""
    titles = [limit.title for limit in cell.effective.binding]
    if len(titles) == len(cell.effective.limits):
        return "nothing holds it back"
    if len(titles) > 1:
        titles = [", ".join(titles[:-1]), titles[-1]]
    return f"{' and '.join(titles)} {'binds' if len(cell.effective.binding) == 1 else 'bind'}"


def _undoable(cell: Cell, now: datetime) -> list[UndoableCall]:
    """Return the calls that may be taken back now, those that lapse first."""
    assert cell.agent_tool is not None  # noqa: S101  for the type checker
    rows = cell.agent_tool.undoable_calls.filter(status=UndoableCall.Status.OPEN, until__gt=now)
    return list(
        rows.select_related("step", "run__session")
        .defer("run__input", "run__session__said", "run__session__said_vector")
        .order_by("until")[:_SHOWN_UNDOABLE]
    )


def _marks(changes: list[Change]) -> list[tuple[Any, str, str]]:
    """Return (day, word, sentence) of what changed the level, oldest first."""
    told = [each for each in changes if each.word not in {"proposed", "refused", "withdrawn"}]
    return [
        (each.at.date(), each.word, f"{each.at:%d %b}: {each.subject or each.text} {each.word}")
        for each in reversed(told)
    ]


def _lift(agent: Agent, contract: ToolContract, now: datetime) -> CeilingLift | None:
    lifts = [lift for lift in agent.ceiling_lifts.all() if lift.tier == contract.tier]
    return next((lift for lift in lifts if lift.expires_at > now), None)
