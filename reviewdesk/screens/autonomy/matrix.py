"""The matrix of tools by agents: what holds in each cell, and how often it was called."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Count

from agents.models import Agent, AgentTool, CeilingLift, Run, Step, Tier, ToolApproval, UndoableCall
from agents.tools.contract import ToolContract
from agents.tools.levels import EffectiveLevel, RunFacts, Standing, weigh
from agents.tools.registry import contracts, contracts_named
from agents.tools.standing import standings
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
_HANDING_OVER = "Handing over"
# What holds a level back, the weightiest first: (word, icon).
_HOLDERS = {
    "stop": ("stopped", "hand-stop"),
    "incident": ("incident", "urgent"),
    "taint": ("tainted", "virus-search"),
    "candidate": ("candidate", "seedling"),
    "tier": ("ceiling", "shield-lock"),
    "agent": ("agent's ceiling", "robot"),
    "tool": ("no undo", "arrow-back-up"),
}


@dataclass(frozen=True)
class Taint:
    """The runs in progress of an agent that have read content of strangers.

    Attributes:
        first: The first one's `{step, tool, why}`.
        facts: What its calls are weighed by.
    """

    num_runs: int
    first: dict[str, object]
    facts: RunFacts


@dataclass(frozen=True)
class Cell:
    """One tool of one agent.

    Attributes:
        agent: With its live version.
        agent_tool: None where the agent is not given the tool.
        standing: All that is written about it; None like `agent_tool`.
        effective: What holds now, for a run that is tainted where one in progress is; None like
            `agent_tool`.
        taint: Of the agent's runs in progress, or None.
    """

    agent: Agent
    agent_tool: AgentTool | None
    standing: Standing | None
    effective: EffectiveLevel | None
    taint: Taint | None

    @property
    def holder(self) -> str:
        """Return the name of the weightiest limit that holds the tool's own level back."""
        if self.effective is None or not self.effective.is_held_back:
            return ""
        names = {limit.name for limit in self.effective.binding}
        return next((name for name in _HOLDERS if name in names), "")

    @property
    def held_by(self) -> str:
        """Return what holds the tool's own level back, in one word, or nothing."""
        if self.effective is None or not self.holder:
            return ""
        word, _ = _HOLDERS[self.holder]
        return self.effective.limit("incident").title if self.holder == "incident" else word

    @property
    def icon(self) -> str:
        """Return the icon of what holds it back."""
        return _HOLDERS[self.holder][1]


@dataclass(frozen=True)
class Row:
    """One tool over all agents, with its calls of the last `DAYS` days.

    Attributes:
        num_bad: Calls that failed, were rejected, or were undone.
    """

    contract: ToolContract
    cells: tuple[Cell, ...]
    num_calls: int
    num_bad: int


@dataclass(frozen=True)
class Group:
    """The tools of one tier, and the lifts of its ceiling that hold now.

    Attributes:
        tier: None for handing over, which has no tier of its own.
    """

    tier: Tier | None
    title: str
    rows: tuple[Row, ...]
    lifts: tuple[CeilingLift, ...]


@dataclass(frozen=True)
class Matrix:
    """All tools by tier, all agents by name."""

    agents: tuple[Agent, ...]
    groups: tuple[Group, ...]

    def cell(self, agent: Agent, tool: str) -> Cell | None:
        """Return the cell of an agent and a tool, or None where no row is the tool's."""
        rows = (row for group in self.groups for row in group.rows if row.contract.name == tool)
        return next((cell for row in rows for cell in row.cells if cell.agent == agent), None)


def read_matrix(project: Project, *, now: datetime) -> Matrix:
    """Return the project's matrix. Eleven queries, whatever its size."""
    agents = agents_with_tools(project)
    standing = standings([tool.pk for agent in agents for tool in agent.tools.all()])
    taints = _taints(project)
    calls = _count_calls(project, {agent.slug for agent in agents}, now)
    by_title: dict[tuple[Tier | None, str], list[Row]] = {
        (tier, _GROUPS[tier]): [] for tier in Tier
    }
    by_title[None, _HANDING_OVER] = []
    for contract in _tools(project, agents):
        cells = tuple(_cell(agent, contract, standing, taints, now) for agent in agents)
        row = Row(contract, cells, *calls.get(contract.name, (0, 0)))
        tier = None if contract.is_handover else contract.tier
        by_title[tier, _HANDING_OVER if tier is None else _GROUPS[tier]].append(row)
    groups = tuple(
        Group(tier, title, tuple(rows), _lifts(agents, tier, now))
        for (tier, title), rows in by_title.items()
        if rows
    )
    return Matrix(tuple(agents), groups)


def agents_with_tools(project: Project) -> list[Agent]:
    """Return the project's agents by name, with live version, tools and lifts. Three queries."""
    agents = list(
        Agent.objects.filter(project=project)
        .select_related("live_version")
        .prefetch_related("tools", "ceiling_lifts")
        .order_by("name", "pk")
    )
    for agent in agents:
        agent.project = project
        for agent_tool in agent.tools.all():
            agent_tool.agent = agent
    return agents


def since_when(now: datetime) -> datetime:
    """Return when the last `DAYS` days began: whole days (UTC), today among them."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=DAYS - 1)


def _tools(project: Project, agents: Sequence[Agent]) -> list[ToolContract]:
    """Return the project's tools by name, and those withdrawn that an agent still has."""
    tools = {contract.name: contract for contract in contracts(project.pk)}
    given = {tool.name for agent in agents for tool in agent.tools.all()}
    both = {**contracts_named(given - tools.keys(), project.pk), **tools}
    return [both[name] for name in sorted(both)]


def _taints(project: Project) -> dict[int, Taint]:
    """Return what the runs in progress have read, by agent."""
    tainted = Run.objects.filter(
        project=project, finished_at=None, taint__isnull=False, kind=Run.Kind.LIVE
    )
    found: dict[int, list[Run]] = {}
    rows = tainted.select_related("version").only("agent", "taint", "version__number")
    for run in rows.order_by("created_at"):
        found.setdefault(run.agent_id, []).append(run)
    return {agent_id: _taint_of(runs) for agent_id, runs in found.items()}


def _taint_of(runs: Sequence[Run]) -> Taint:
    run, taint = runs[0], runs[0].taint or {}
    facts = RunFacts(run.version_id, str(run.version), is_serious=True, taint=taint)
    return Taint(len(runs), taint, facts)


def _lifts(agents: Sequence[Agent], tier: Tier | None, now: datetime) -> tuple[CeilingLift, ...]:
    lifts = [(agent, lift) for agent in agents for lift in agent.ceiling_lifts.all()]
    for agent, lift in lifts:
        lift.agent = agent
    return tuple(lift for _, lift in lifts if lift.tier == tier and lift.expires_at > now)


def _cell(
    agent: Agent,
    contract: ToolContract,
    standing: Mapping[int, Standing],
    taints: Mapping[int, Taint],
    now: datetime,
) -> Cell:
    given = next((each for each in agent.tools.all() if each.name == contract.name), None)
    found = standing.get(given.pk) if given else None
    if given is None or found is None:
        return Cell(agent, None, None, None, None)
    taint = taints.get(agent.pk)
    facts = taint.facts if taint else None
    return Cell(agent, given, found, weigh(found, contract, now=now, run=facts), taint)


def _count_calls(
    project: Project, slugs: Collection[str], now: datetime
) -> dict[str, tuple[int, int]]:
    """Return calls and bad ones of these agents by tool. Four queries."""
    since = since_when(now)
    calls: Counter[str] = Counter()
    bad = _undone(project, since)
    for agent, tool, _, num_calls, num_failed in calls_since(project, since, now=now):
        if agent in slugs:
            calls[tool] += num_calls
            bad[tool] += num_failed
    # Nobody decided them in time, or what they stood on changed: that is no fault of the call.
    bad.subtract(_undecided(project, since))
    return {tool: (num, max(bad[tool], 0)) for tool, num in calls.items()}


def _undone(project: Project, since: datetime) -> Counter[str]:
    rows = (
        UndoableCall.objects.filter(
            run__project=project,
            status=UndoableCall.Status.UNDONE,
            run__session__started_at__gte=since,
        )
        .values_list("agent_tool__name")
        .annotate(num=Count("pk"))
        .order_by()
    )
    return Counter(dict(rows))


def _undecided(project: Project, since: datetime) -> Counter[str]:
    rows = (
        ToolApproval.objects.filter(
            run__project=project,
            status__in=[ToolApproval.Status.EXPIRED, ToolApproval.Status.VOID],
            step__status=Step.Status.FAILED,
            run__session__started_at__gte=since,
        )
        .values_list("tool")
        .annotate(num=Count("pk"))
        .order_by()
    )
    return Counter(dict(rows))
