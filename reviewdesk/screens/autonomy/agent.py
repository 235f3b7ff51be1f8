"""What an agent's page shows."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet, prefetch_related_objects
from django.utils import timezone

from agents.config import VersionConfig, config_from_json
from agents.models import Agent, AgentTool, Incident, Level, Run, Schedule, Tier, Version
from agents.runtime.claim import num_live_workers
from agents.runtime.spending import uses_today
from agents.tools.autonomy import EffectiveLevel, effective_levels
from agents.tools.contract import ToolContract
from agents.tools.registry import contracts, contracts_named
from agents.tools.stops import name_of, stops_on
from reviewdesk.kpis.agent import runs_of
from reviewdesk.people.access import DeskRequest, may
from reviewdesk.people.roles import Permission, roles_with
from reviewdesk.screens.autonomy.forms import GiveForm, LevelForm, RunForm
from reviewdesk.screens.autonomy.history import changes_of
from reviewdesk.screens.autonomy.panel import refusal_of
from reviewdesk.screens.settings.budget_charts import use_bar
from reviewdesk.screens.settings.budgets import warnings_today

_RUNS = 12


@dataclass(frozen=True)
class GivenTool:
    """A tool of the agent.

    Attributes:
        is_offered: Whether the live version offers it to its model.
    """

    agent_tool: AgentTool
    contract: ToolContract
    effective: EffectiveLevel
    is_offered: bool


def agent_context(request: DeskRequest, agent: Agent, **extra: Any) -> dict[str, Any]:
    """Return the template's variables. A fixed number of queries."""
    config = config_from_json(agent.live_version.config) if agent.live_version else None
    given = given_tools(agent, config)
    names = {each.contract.name for each in given}
    missing = [each for each in contracts(agent.project_id) if each.name not in names]
    ceiling = Level(agent.ceiling)
    return {
        "agent": agent,
        "config": config,
        "given": given,
        "missing": missing,
        "wanted": sorted(set(config.tools) - names) if config else [],
        "ceilings": [
            (level, refusal_of(request, ceiling, level))
            for level in sorted(Level, key=lambda level: -level.rank)
        ],
        **state_of(agent),
        "runs": latest_runs(agent),
        "num_workers": num_live_workers(),
        "changes": changes_of([agent]),
        "may_raise": may(request, Permission.RAISE_AUTONOMY),
        "may_lower": may(request, Permission.LOWER_AUTONOMY),
        "may_start": may(request, Permission.START_RUNS),
        "raisers": " or ".join(roles_with(Permission.RAISE_AUTONOMY)),
        "starters": ", ".join(roles_with(Permission.START_RUNS)),
        "ceiling_form": LevelForm(prefix="ceiling"),
        "give_form": give_form(agent),
        "run_form": run_form(agent),
        **extra,
    }


def state_of(agent: Agent) -> dict[str, Any]:
    """Return what says how the agent stands now and how its runs went. Seven queries."""
    stops = [switch for switch in stops_on(agent.project_id) if switch.agent_id in (None, agent.pk)]
    return {
        "stops": [(switch, name_of(switch)) for switch in stops],
        "incidents": list(
            Incident.objects.filter(agent=agent, status=Incident.Status.OPEN).order_by("-number")
        ),
        "schedules": list(Schedule.objects.filter(agent=agent, archived_at=None).order_by("name")),
        "warnings": [
            warning
            for warning in warnings_today(agent.project)
            if warning.budget.agent_id in (None, agent.pk)
        ],
        "bars": [
            use_bar(use) for use in uses_today(project_id=agent.project_id, agent_id=agent.pk)
        ],
        "went": runs_of(agent),
    }


def given_tools(agent: Agent, config: VersionConfig | None) -> list[GivenTool]:
    """Return the agent's tools by tier and name. At most five queries."""
    now = timezone.now()
    offered = set(config.tools) if config else set()
    found = []
    prefetch_related_objects([agent], "tools", "ceiling_lifts")
    by_name = contracts_named({each.name for each in agent.tools.all()}, agent.project_id)
    for agent_tool in agent.tools.all():
        agent_tool.agent = agent
    levels = effective_levels(list(agent.tools.all()), now=now)
    for agent_tool in agent.tools.all():
        contract, level = by_name[agent_tool.name], levels[agent_tool.pk]
        found.append(GivenTool(agent_tool, contract, level, contract.name in offered))
    order = list(Tier)
    return sorted(found, key=lambda each: (order.index(each.contract.tier), each.contract.name))


def latest_runs(agent: Agent) -> list[Run]:
    """Return the agent's latest live runs, newest first. One query."""
    runs = Run.objects.filter(agent=agent, kind=Run.Kind.LIVE)
    return list(
        runs.select_related("version", "session", "started_by", "api_key")
        .defer("session__said", "session__said_vector", "session__metadata", "input", "fixtures")
        .order_by("-created_at")[:_RUNS]
    )


def versions_of(agent: Agent) -> QuerySet[Version]:
    """Return the versions that a run can be started with, newest first."""
    return agent.versions.order_by("-number")


def give_form(agent: Agent, data: Any = None) -> GiveForm:
    """Return the form that gives one of the tools the agent has not got."""
    given = set(agent.tools.values_list("name", flat=True))
    missing = [each.name for each in contracts(agent.project_id) if each.name not in given]
    return GiveForm(data, tools=missing, prefix="give")


def run_form(agent: Agent, data: Any = None) -> RunForm:
    """Return the form that starts a run, with the live version chosen."""
    initial = {"version": agent.live_version_id}
    return RunForm(data, versions=versions_of(agent), initial=initial, prefix="run")
