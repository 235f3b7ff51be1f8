"""The matrix of tools by agents: what holds in each cell, and how often it was called."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from agents.models import Agent, AgentTool, CeilingLift, Tier
from agents.tools.autonomy import EffectiveLevel, effective_levels
from agents.tools.contract import ToolContract
from agents.tools.registry import contracts, contracts_named
from reviewdesk.screens.autonomy.calls import calls_since
from traces.models import Project

DAYS = 30

_GROUPS = {
    Tier.READ: "Reads",
    Tier.READ_SENSITIVE: "Sensitive reads",
    Tier.WRITE_REVERSIBLE: "Writes that can be undone",
    Tier.WRITE_IRREVERSIBLE: "Writes that cannot be undone",
    Tier.MONEY: "Money",
}


_HELD_BY = {
    "stop": "stopped",
    "incident": "incident",
    "candidate": "candidate",
    "tier": "ceiling",
    "agent": "agent's ceiling",
    "tool": "no undo",
}


@dataclass(frozen=True)
class Cell:
    """One tool of one agent.

    Attributes:
        agent: With its live version.
        agent_tool: None where the agent is not given the tool.
        effective: What holds now; None like `agent_tool`.
    """

    agent: Agent
    agent_tool: AgentTool | None
    effective: EffectiveLevel | None

    @property
    def held_by(self) -> str:
        """Return what holds the tool's own level back, in one word, or nothing."""
        if self.effective is None or not self.effective.is_held_back:
            return ""
        names = [limit.name for limit in self.effective.binding]
        return next((word for name, word in _HELD_BY.items() if name in names), names[0])


@dataclass(frozen=True)
class Row:
    """One tool over all agents, with its calls of the last `DAYS` days."""

    contract: ToolContract
    cells: tuple[Cell, ...]
    num_calls: int
    num_failed: int


@dataclass(frozen=True)
class Group:
    """The tools of one tier, and the lifts of its ceiling that hold now."""

    tier: Tier
    title: str
    rows: tuple[Row, ...]
    lifts: tuple[CeilingLift, ...]


@dataclass(frozen=True)
class Matrix:
    """All tools by tier, all agents by name."""

    agents: tuple[Agent, ...]
    groups: tuple[Group, ...]

    def cell(self, agent: Agent, tool: str) -> Cell:
        """Return the cell of an agent and a tool that exists."""
        rows = (row for group in self.groups for row in group.rows if row.contract.name == tool)
        return next(cell for row in rows for cell in row.cells if cell.agent == agent)

    @property
    def num_held_back(self) -> int:
        """Return how many cells are held back."""
        rows = [row for group in self.groups for row in group.rows]
        return sum(bool(cell.held_by) for row in rows for cell in row.cells)


def read_matrix(project: Project, *, now: datetime) -> Matrix:
    """Return the project's matrix. Nine queries at most, whatever its size."""
    agents = agents_with_tools(project)
    calls = _count_calls(project, now)
    given = [agent_tool for agent in agents for agent_tool in agent.tools.all()]
    levels = effective_levels(given, now=now)
    by_tier: dict[Tier, list[Row]] = {tier: [] for tier in Tier}
    for contract in _tools(project, agents):
        row = _row(contract, agents, calls, levels)
        by_tier[contract.tier].append(row)
    groups = tuple(
        Group(tier, _GROUPS[tier], tuple(rows), _lifts(agents, tier, now))
        for tier, rows in by_tier.items()
        if rows
    )
    return Matrix(tuple(agents), groups)


def _tools(project: Project, agents: Sequence[Agent]) -> list[ToolContract]:
    """Return the project's tools by name, and those withdrawn that an agent still has."""
    tools = {contract.name: contract for contract in contracts(project.pk)}
    given = {tool.name for agent in agents for tool in agent.tools.all()}
    both = {**contracts_named(given - tools.keys(), project.pk), **tools}
    return [both[name] for name in sorted(both)]


def agents_with_tools(project: Project) -> list[Agent]:
    """Return the project's agents by name, with live version, tools and lifts. Three queries."""
    agents = list(
        Agent.objects.filter(project=project)
        .select_related("live_version")
        .prefetch_related("tools", "ceiling_lifts")
        .order_by("name", "pk")
    )
    for agent in agents:
        for agent_tool in agent.tools.all():
            agent_tool.agent = agent
    return agents


def since_when(now: datetime) -> datetime:
    """Return when the last `DAYS` days began: whole days (UTC), today among them."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=DAYS - 1)


def _row(
    contract: ToolContract,
    agents: Sequence[Agent],
    calls: dict[tuple[str, str], tuple[int, int]],
    levels: dict[int, EffectiveLevel],
) -> Row:
    counts = [calls.get((agent.slug, contract.name), (0, 0)) for agent in agents]
    return Row(
        contract=contract,
        cells=tuple(_cell(agent, contract, levels) for agent in agents),
        num_calls=sum(count for count, _ in counts),
        num_failed=sum(failed for _, failed in counts),
    )


def _lifts(agents: Sequence[Agent], tier: Tier, now: datetime) -> tuple[CeilingLift, ...]:
    lifts = [(agent, lift) for agent in agents for lift in agent.ceiling_lifts.all()]
    for agent, lift in lifts:
        lift.agent = agent
    return tuple(lift for _, lift in lifts if lift.tier == tier and lift.expires_at > now)


def _cell(agent: Agent, contract: ToolContract, levels: dict[int, EffectiveLevel]) -> Cell:
    given = next((each for each in agent.tools.all() if each.name == contract.name), None)
    return Cell(agent, given, levels.get(given.pk) if given else None)


def _count_calls(project: Project, now: datetime) -> dict[tuple[str, str], tuple[int, int]]:
    counts: dict[tuple[str, str], tuple[int, int]] = {}
    for agent, tool, _, num_calls, num_failed in calls_since(project, since_when(now), now=now):
        calls, failed = counts.get((agent, tool), (0, 0))
        counts[agent, tool] = calls + num_calls, failed + num_failed
    return counts
