"""The Overview screen: how well the agents do, what moved, and what waits for this person."""

from datetime import date
from typing import Any

from django.http import Http404, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from agents.models import Agent
from agents.runtime.spending import uses_today
from reviewdesk.kpis.measure import measure_weeks
from reviewdesk.kpis.period import WEEK, Period
from reviewdesk.kpis.tiles import tiles_of
from reviewdesk.people.access import DeskRequest, may, project_for
from reviewdesk.people.roles import Permission, roles_with
from reviewdesk.screens.overview.charts import chart_rows, outcome_figure, success_figure
from reviewdesk.screens.overview.health import causes_of, health_of, top_of
from reviewdesk.screens.overview.plots import charts_of, outcome_plot, rate_plot
from reviewdesk.screens.overview.waiting import waits_for
from reviewdesk.screens.pages import render_page
from reviewdesk.screens.settings.budget_charts import UseBar, use_bar
from reviewdesk.screens.settings.budgets import warnings_today
from traces.models import Project

MAX_BARS = 3


@require_safe
def index(request: DeskRequest, slug: str) -> HttpResponse:
    """Show the KPIs of seven days against the four weeks before, and what waits."""
    project = project_for(request, slug)
    agents = list(Agent.objects.filter(project=project).order_by("name", "pk"))
    wanted = request.GET.get("agent", "")
    agent = next((each for each in agents if each.slug == wanted), None)
    period = Period(last_day=read_day(request.GET.get("until", "")))
    context = {
        "project": project,
        "agents": agents,
        "agent": agent,
        "waits": waits_for(request.membership),
        "may_write": may(request, Permission.WRITE_VERSIONS),
        "writers": " or ".join(roles_with(Permission.WRITE_VERSIONS)),
        "warnings": warnings_today(project),
        "bars": bars_of(project, agents, agent),
        **period_context(project, period, agent.slug if agent else ""),
    }
    return render_page(request, "overview/index.html", context, partial="overview")


@require_safe
def figure(request: DeskRequest, slug: str, key: str) -> HttpResponse:
    """Answer one chart as plotly's JSON, for those who open it."""
    project = project_for(request, slug)
    period = Period(last_day=read_day(request.GET.get("until", "")))
    weeks = measure_weeks(project=project, period=period, agent=request.GET.get("agent", ""))
    if key == "success":
        data = success_figure(tiles_of(weeks)[0], period)
    elif key == "outcomes":
        data = outcome_figure(weeks, period)
    else:
        raise Http404(f"The Overview has no chart {key}.")
    return HttpResponse(data, content_type="application/json")


def bars_of(project: Project, agents: list[Agent], agent: Agent | None) -> list[UseBar]:
    """Return today's use of the project's limits and its agents', the fullest first. One query."""
    names = {each.pk: each.name for each in agents}
    uses = uses_today(project_id=project.pk, agent_id=agent.pk if agent else None)
    fullest = sorted(uses, key=lambda use: -use.share)[:MAX_BARS]
    return [use_bar(use, names.get(use.agent_id or 0, "all agents")) for use in fullest]


def period_context(project: Project, period: Period, agent: str) -> dict[str, Any]:
    """Return the numbers of a period."""
    weeks = measure_weeks(project=project, period=period, agent=agent)
    tiles = tiles_of(weeks)
    causes = causes_of(weeks)
    today = timezone.now().date()
    return {
        "period": period,
        "is_current": period.last_day >= today,
        "week_before": period.last_day - WEEK,
        "week_after": min(period.last_day + WEEK, today),
        "has_sessions": any(week.num_sessions for week in weeks),
        "tiles": tiles,
        "health": health_of(tiles[0], weeks[-1]),
        "causes": causes,
        "top": top_of(causes),
        "rows": chart_rows(weeks, tiles[0], period),
        "charts": charts_of(tiles[0], weeks),
        "rate_plot": rate_plot(tiles[0], period),
        "outcome_plot": outcome_plot(weeks, period),
    }


def read_day(text: str) -> date:
    """Return the day asked for, or today (UTC) where it is no day, or one to come."""
    today = timezone.now().date()
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return today
    return min(max(day, date(2000, 1, 1)), today)
