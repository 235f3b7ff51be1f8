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
from traces.rollups import SUMS, began_in, uncounted

SUCCESS = "resolved"

# Golden tests' runs are not customers' sessions.
_COUNTED = """
SELECT day.day, day.num_sessions, day.num_ended, day.num_with_errors, day.num_costs,
    day.mean_cost, day.deviation_cost
FROM traces_sessionday AS day
WHERE day.project_id = %(project)s AND day.day >= %(first_day)s AND day.day < %(end_day)s
    AND day.day <> ALL(%(without)s) AND (%(agent)s = '' OR day.agent_name = %(agent)s)
"""
_UNCOUNTED = """
SELECT (started_at AT TIME ZONE 'UTC')::date AS day, {sums}
FROM traces_session AS session
WHERE {began} AND project_id = %(project)s AND NOT is_golden
    AND (%(agent)s = '' OR agent_name = %(agent)s)
GROUP BY day
"""
# From the labels, of which there are few, to their sessions: OFFSET 0 keeps the planner from
# reading every session of the period instead.
_LABELS = """
SELECT age, outcome, cause, count(*)
FROM (
    SELECT DISTINCT ON (label.session_id)
        floor(extract(epoch FROM (%(end)s - session.started_at)) / 604800)::int AS age,
        label.outcome, label.cause
    FROM traces_label AS label, LATERAL (
        SELECT started_at FROM traces_session AS session
        WHERE session.id = label.session_id
            AND session.project_id = %(project)s AND NOT session.is_golden
            AND session.started_at >= %(earliest)s AND session.started_at < %(end)s
            AND (%(agent)s = '' OR session.agent_name = %(agent)s)
        OFFSET 0
    ) AS session
    WHERE label.completed_at IS NOT NULL
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
    """Return the weeks of the period, oldest first. Five queries at most.

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
    _add_sessions(weeks, project=project, period=period, agent=agent)
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


def _add_sessions(weeks: list[Week], *, project: Project, period: Period, agent: str) -> None:
    """Add what sums of whole days say, and of days without them the sessions themselves."""
    first, end = period.earliest.date(), period.end.date()
    stretches = uncounted(project.pk, first, end)
    without = [day for stretch in stretches for day in stretch.days]
    values = {
        "project": project.pk,
        "agent": agent,
        "first_day": first,
        "end_day": end,
        "without": without,
    }
    began, bounds = began_in(stretches)
    uncounted_rows = _UNCOUNTED.format(began=began, sums=SUMS)
    rows = _rows(_COUNTED, values) if len(without) < (end - first).days else []
    rows += _rows(uncounted_rows, {**values, **bounds}) if stretches else []
    costs: dict[int, list[Summary]] = {}
    for day, num_sessions, num_ended, num_with_errors, *cost in rows:
        index = (day - first).days // 7
        weeks[index].num_sessions += num_sessions
        weeks[index].num_ended += num_ended
        weeks[index].num_with_errors += num_with_errors
        costs.setdefault(index, []).append(Summary(*cost))
    for index, samples in costs.items():
        weeks[index].cost = pooled(samples)


def _add_decisions(weeks: list[Week], *, project: Project, period: Period, agent: str) -> None:
    found = ToolApproval.objects.filter(
        run__project=project,
        kind=ToolApproval.Kind.APPROVAL,
        is_canary=False,
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
