"""How an agent's runs of the last 30 days went: outcomes, time, cost, and what was refused.

At most the newest 500 runs are looked at, so that the page takes as long for a busy agent.
"""

from collections import Counter
from dataclasses import dataclass

from django.db import connection

from agents.models import Agent, Run
from reviewdesk.kpis import estimates
from reviewdesk.kpis.definitions import (
    AGENT_KPIS,
    FAILED_ATTEMPTS,
    FALLBACKS,
    INVALID_CALLS,
    NEEDS_REVIEW,
    OVER_BUDGET,
    VIOLATIONS,
    Kpi,
)
from reviewdesk.kpis.estimates import Estimate, Summary

DAYS = 30
MAX_RUNS = 500
MIN_TIMES = 20
_ORDER = (
    Run.Status.COMPLETED,
    Run.Status.OVER_BUDGET,
    Run.Status.FAILED,
    Run.Status.CANCELLED,
    Run.Status.NEEDS_REVIEW,
    Run.Status.WAITING,
    Run.Status.RUNNING,
    Run.Status.QUEUED,
)
_RUNS = """
SELECT run.session_id, run.status, run.created_at, session.working_ns / 1e9, session.cost_usd,
    session.input_tokens, session.output_tokens
FROM agents_run AS run JOIN traces_session AS session ON session.id = run.session_id
WHERE run.agent_id = %s AND run.kind = 'live'
    AND run.created_at >= statement_timestamp() - make_interval(days => %s)
ORDER BY run.created_at DESC LIMIT %s
"""
# A session's spans do not begin before the day of its run; older partitions are left out.
_SPANS = """
SELECT
    count(*) FILTER (WHERE kind = 'model' AND status = 'ok' AND NOT attributes ? 'given'),
    count(*) FILTER (WHERE kind = 'model' AND status = 'ok' AND attributes->>'fallback' = 'model'),
    count(*) FILTER (WHERE kind = 'model' AND status = 'error' AND attributes ? 'will_retry'),
    count(*) FILTER (WHERE kind = 'tool'),
    count(*) FILTER (WHERE kind = 'tool' AND attributes @> '{"is_policy_violation": true}'),
    count(*) FILTER (WHERE kind = 'tool' AND attributes @> '{"is_invalid_call": true}')
FROM traces_span
WHERE session_id = ANY(%s) AND kind IN ('model', 'tool') AND start_ns >= %s
"""


@dataclass(frozen=True)
class Outcome:
    """How many runs stand so; the share is of all that were looked at."""

    status: Run.Status
    number: int
    share: Estimate

    @property
    def title(self) -> str:
        """Return the status in words."""
        return str(self.status.label)


@dataclass(frozen=True)
class AgentKpi:
    """A KPI of an agent with the two numbers it is made of."""

    kpi: Kpi
    number: int
    rate: Estimate

    @property
    def is_missed(self) -> bool:
        """Say whether the whole interval is on the wrong side of the target."""
        return self.rate.interval is not None and self.rate.interval.low > self.kpi.target


@dataclass(frozen=True)
class AgentRuns:
    """How an agent's runs went.

    Attributes:
        is_capped: Whether there were more runs than are looked at.
        median_seconds: Time worked by runs that have ended.
        p95_seconds: Likewise, of which 95 % take less.
        cost_usd: Mean cost of ended runs of known cost.
        num_unknown_cost: Ended runs of unknown cost, left out of it.
        tokens: Mean tokens of ended runs.
    """

    num_runs: int
    is_capped: bool
    outcomes: tuple[Outcome, ...]
    kpis: tuple[AgentKpi, ...]
    median_seconds: Estimate
    p95_seconds: Estimate
    cost_usd: Estimate
    num_unknown_cost: int
    tokens: Estimate


def runs_of(agent: Agent) -> AgentRuns:
    """Return how the agent's live runs of the last 30 days went. Two queries."""
    with connection.cursor() as cursor:
        cursor.execute(_RUNS, [agent.pk, DAYS, MAX_RUNS + 1])
        found = cursor.fetchall()
        rows = found[:MAX_RUNS]
        since = min((row[2] for row in rows), default=None)
        counts = (0,) * 6
        if since is not None:
            since_ns = (int(since.timestamp()) - 86_400) * 1_000_000_000
            cursor.execute(_SPANS, [[row[0] for row in rows], since_ns])
            counts = cursor.fetchone()
    statuses = Counter(Run.Status(row[1]) for row in rows)
    ended = [row for row in rows if Run.Status(row[1]) not in Run.OPEN]
    costs = [float(row[4]) for row in ended if row[4] is not None]
    tokens = [row[5] + row[6] for row in ended if row[5] is not None and row[6] is not None]
    times = [float(row[3]) for row in ended]
    return AgentRuns(
        num_runs=len(rows),
        is_capped=len(found) > MAX_RUNS,
        outcomes=_outcomes(statuses, len(rows)),
        kpis=_kpis(statuses, len(rows), len(ended), counts),
        median_seconds=estimates.median(times, min_n=MIN_TIMES),
        p95_seconds=estimates.quantile(times, 0.95, min_n=MIN_TIMES),
        cost_usd=estimates.mean(summary(costs), min_n=MIN_TIMES),
        num_unknown_cost=len(ended) - len(costs),
        tokens=estimates.mean(summary(tokens), min_n=MIN_TIMES),
    )


def summary(values: list[float]) -> Summary:
    """Return size, mean and sample deviation of some values."""
    n = len(values)
    if not n:
        return Summary(0, None, None)
    mean = sum(values) / n
    squares = sum((value - mean) ** 2 for value in values)
    return Summary(n, mean, (squares / (n - 1)) ** 0.5 if n > 1 else None)


def _outcomes(statuses: Counter[Run.Status], num_runs: int) -> tuple[Outcome, ...]:
    least = OVER_BUDGET.min_n
    return tuple(
        Outcome(status, statuses[status], estimates.rate(statuses[status], num_runs, min_n=least))
        for status in _ORDER
        if statuses[status]
    )


def _kpis(
    statuses: Counter[Run.Status], num_runs: int, num_ended: int, counts: tuple[int, ...]
) -> tuple[AgentKpi, ...]:
    answered, by_fallback, failed, calls, violations, invalid = counts
    parts = {
        OVER_BUDGET.key: (statuses[Run.Status.OVER_BUDGET], num_ended),
        NEEDS_REVIEW.key: (statuses[Run.Status.NEEDS_REVIEW], num_runs),
        FALLBACKS.key: (by_fallback, answered),
        FAILED_ATTEMPTS.key: (failed, answered + failed),
        VIOLATIONS.key: (violations, calls),
        INVALID_CALLS.key: (invalid, calls),
    }
    return tuple(
        AgentKpi(kpi, number, estimates.rate(number, n, min_n=kpi.min_n))
        for kpi in AGENT_KPIS
        for number, n in [parts[kpi.key]]
    )
