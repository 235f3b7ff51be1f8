"""What the KPIs are counted from: sums per week, read from sessions, labels and approvals."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from agents.models import ToolApproval
from reviewdesk.kpis.estimates import Summary
from reviewdesk.kpis.period import NUM_WEEKS, Period
from traces.models import Project

SUCCESS = "resolved"

# The week's age: 0 is the newest. Golden tests' runs are not customers' sessions.
_SESSIONS = """
SELECT floor(extract(epoch FROM (%(end)s - started_at)) / 604800)::int AS age,
    count(*) AS num_sessions,
    count(*) FILTER (WHERE {ended}) AS num_ended,
    count(*) FILTER (WHERE {ended} AND num_errors > 0) AS num_with_errors,
    count(cost_usd) FILTER (WHERE {ended}) AS num_costs,
    avg(cost_usd::float8) FILTER (WHERE {ended}) AS mean_cost,
    stddev_samp(cost_usd::float8) FILTER (WHERE {ended}) AS deviation_cost
FROM traces_session
WHERE project_id = %(project)s AND NOT is_golden
    AND started_at >= %(earliest)s AND started_at < %(end)s
    AND (%(agent)s = '' OR agent_name = %(agent)s)
GROUP BY age
"""
_ENDED = "status NOT IN ('running', 'waiting')"
_LABELS = """
SELECT age, outcome, cause, count(*)
FROM (
    SELECT DISTINCT ON (label.session_id)
        floor(extract(epoch FROM (%(end)s - session.started_at)) / 604800)::int AS age,
        label.outcome, label.cause
    FROM traces_session AS session
    JOIN traces_label AS label ON label.session_id = session.id
    WHERE session.project_id = %(project)s AND NOT session.is_golden
        AND session.started_at >= %(earliest)s AND session.started_at < %(end)s
        AND (%(agent)s = '' OR session.agent_name = %(agent)s)
        AND label.completed_at IS NOT NULL
    ORDER BY label.session_id, label.completed_at DESC, label.id DESC
) AS newest
GROUP BY age, outcome, cause
"""
MAX_DECISIONS = 5000
_NO_COST = Summary(0, None, None)


@dataclass
class Week:
    """What was counted in one week, or in several together.

    Attributes:
        outcomes: Labelled sessions by outcome.
        causes: Labelled sessions that were not resolved, by primary cause.
        cost: Cost of the ended sessions, US dollars.
        decisions: Seconds that each decided call waited.
    """

    num_sessions: int = 0
    num_ended: int = 0
    num_with_errors: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    cost: Summary = _NO_COST
    decisions: list[float] = field(default_factory=list)

    @property
    def num_labelled(self) -> int:
        """Return the sessions with a completed label."""
        return self.outcomes.total()

    @property
    def num_resolved(self) -> int:
        """Return the sessions labelled as resolved."""
        return self.outcomes[SUCCESS]


def measure_weeks(*, project: Project, period: Period, agent: str = "") -> list[Week]:
    """Return the weeks of the period, oldest first. Three queries.

    Args:
        project: Whose sessions are counted.
        period: Which weeks.
        agent: Slug of one agent, or empty for all.
    """
    weeks = [Week() for _ in range(NUM_WEEKS)]
    values = {
        "project": project.pk,
        "agent": agent,
        "earliest": period.earliest,
        "end": period.end,
    }
    for row in _rows(_SESSIONS.format(ended=_ENDED), values):
        week = weeks[NUM_WEEKS - 1 - row[0]]
        week.num_sessions, week.num_ended, week.num_with_errors = row[1:4]
        week.cost = Summary(*row[4:7])
    for age, outcome, cause, number in _rows(_LABELS, values):
        week = weeks[NUM_WEEKS - 1 - age]
        week.outcomes[outcome or ""] += number
        if outcome != SUCCESS and cause:
            week.causes[cause] += number
    _add_decisions(weeks, project=project, period=period, agent=agent)
    return weeks


def together(weeks: Iterable[Week]) -> Week:
    """Return several weeks as one."""
    total = Week()
    known = list(weeks)
    for week in known:
        total.num_sessions += week.num_sessions
        total.num_ended += week.num_ended
        total.num_with_errors += week.num_with_errors
        total.outcomes += week.outcomes
        total.causes += week.causes
        total.decisions += week.decisions
    total.cost = pooled([week.cost for week in known])
    return total


def pooled(samples: Iterable[Summary]) -> Summary:
    """Return the summary of several samples taken together.

    Source: the sum of squares within the samples and between their means (Chan et al. 1983).
    """
    known = [(each.n, each.mean, each.deviation) for each in samples if each.mean is not None]
    n = sum(size for size, _, _ in known)
    if not n:
        return Summary(0, None, None)
    mean = sum(size * middle for size, middle, _ in known) / n
    if n == 1:
        return Summary(1, mean, None)
    within = sum((size - 1) * (deviation or 0.0) ** 2 for size, _, deviation in known)
    between = sum(size * (middle - mean) ** 2 for size, middle, _ in known)
    return Summary(n, mean, math.sqrt((within + between) / (n - 1)))


def _add_decisions(weeks: list[Week], *, project: Project, period: Period, agent: str) -> None:
    found = ToolApproval.objects.filter(
        run__project=project,
        kind=ToolApproval.Kind.APPROVAL,
        decided_by__isnull=False,
        decided_at__isnull=False,
        created_at__gte=period.earliest,
        created_at__lt=period.end,
    ).order_by("-created_at")
    if agent:
        found = found.filter(run__agent__slug=agent)
    for asked, decided in found.values_list("created_at", "decided_at")[:MAX_DECISIONS]:
        age = (period.end - asked).days // 7
        seconds = (decided - asked).total_seconds() if decided else 0.0
        weeks[max(NUM_WEEKS - 1 - age, 0)].decisions.append(seconds)


def _rows(sql: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
