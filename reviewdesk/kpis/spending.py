"""What agents used per day against their budgets, and what a day comes to at its rate so far."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.db.models import Count, F, Sum
from django.db.models.functions import Power

from agents.models import Agent, Budget, Run, Spend
from agents.runtime.spending import COUNTED_KINDS, Use, uses_today
from traces.models import Project

DAYS = 30
MIN_RUNS = 20
MIN_SHARE_OF_DAY = 0.125
_SUMS = {
    name: Sum(name)
    for name in (
        "cost_usd", "tokens", "steps", "tool_calls", "milliseconds", "runs", "over_budget",
        "num_unpriced",
    )
}  # fmt: skip


@dataclass(frozen=True)
class DaySpend:
    """What was used on one day (UTC).

    Attributes:
        num_unpriced: Model calls of unknown cost: with any, `cost_usd` is at least what stands.
    """

    day: date
    cost_usd: Decimal = Decimal(0)
    tokens: int = 0
    steps: int = 0
    tool_calls: int = 0
    milliseconds: int = 0
    runs: int = 0
    over_budget: int = 0
    num_unpriced: int = 0

    @property
    def seconds(self) -> Decimal:
        """Return the time worked."""
        return Decimal(self.milliseconds) / 1000

    def amount(self, measure: str) -> Decimal:
        """Return what was used of a measure (`Budget.MEASURES`)."""
        return Decimal(getattr(self, measure))

    def plus(self, other: "DaySpend") -> "DaySpend":
        """Return both together, of this one's day."""
        return DaySpend(self.day, *(getattr(self, name) + getattr(other, name) for name in _SUMS))


@dataclass(frozen=True)
class Scope:
    """An agent, or the whole project, with its budget and what it used.

    Attributes:
        agent: None is the project.
        uses: Today's use of each limit that is set.
        days: The last 30 days, oldest first, today last.
    """

    agent: Agent | None
    name: str
    budget: Budget | None
    uses: tuple[Use, ...]
    days: tuple[DaySpend, ...] = field(repr=False)

    @property
    def today(self) -> DaySpend:
        """Return what was used today so far."""
        return self.days[-1]

    @property
    def key(self) -> str:
        """Return what names it in addresses: the agent's slug, empty for the project."""
        return self.agent.slug if self.agent else ""


@dataclass(frozen=True)
class Projection:
    """What the day comes to if it goes on as so far.

    Attributes:
        total: None where it is too early, or too little, to say.
        low: Lower end of the 95 % interval.
        high: Its upper end.
        num_runs: Runs begun today, of known cost.
        why_not: What is missing, where there is no total.
    """

    total: float | None
    low: float
    high: float
    num_runs: int
    why_not: str = ""


def scopes_of(project: Project, *, today: date) -> list[Scope]:
    """Return the project first, then its agents by name. Four queries."""
    agents = list(Agent.objects.filter(project=project).order_by("name", "pk"))
    budgets = {row.agent_id: row for row in Budget.objects.filter(project=project)}
    uses = uses_today(project_id=project.pk)
    first = today - timedelta(days=DAYS - 1)
    spent = _spent_since(project, first)
    days = [first + timedelta(days=number) for number in range(DAYS)]
    of_agents = {
        agent.pk: tuple(spent.get((agent.pk, day), DaySpend(day)) for day in days)
        for agent in agents
    }
    whole = [
        _together(day, [each[at] for each in of_agents.values()]) for at, day in enumerate(days)
    ]

    def scope(agent: Agent | None, name: str, spend: Sequence[DaySpend]) -> Scope:
        key = agent.pk if agent else None
        own = tuple(use for use in uses if use.agent_id == key)
        return Scope(agent, name, budgets.get(key), own, tuple(spend))

    return [
        scope(None, "All agents", whole),
        *(scope(agent, agent.name, of_agents[agent.pk]) for agent in agents),
    ]


def project_day(
    project: Project, *, agent: Agent | None, used: Decimal, now: datetime
) -> Projection:
    """Return what today's cost comes to by midnight UTC. One query."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    runs = Run.objects.filter(
        created_at__gte=midnight, kind__in=COUNTED_KINDS, session__cost_usd__isnull=False
    )
    runs = runs.filter(agent=agent) if agent else runs.filter(agent__project=project)
    found = runs.aggregate(
        num=Count("pk"),
        cost=Sum("session__cost_usd"),
        squares=Sum(Power(F("session__cost_usd"), 2)),
    )
    return projection(
        used=float(used),
        num_runs=found["num"],
        cost=float(found["cost"] or 0),
        squares=float(found["squares"] or 0),
        elapsed=(now - midnight) / timedelta(days=1),
    )


def projection(
    *, used: float, num_runs: int, cost: float, squares: float, elapsed: float
) -> Projection:
    """Return what a day comes to at its rate so far, with a 95 % prediction interval.

    Runs are taken to come at one rate through the day, each with its own cost: a compound Poisson
    process. The rest of the day is expected to cost `cost * rest / elapsed`; its variance is that
    of the rest itself and of the rate that was estimated, `squares / elapsed * rest * (1 + rest /
    elapsed)` (Ross 2014, section 5.4.2: the variance of a compound sum is the rate times the mean
    square).

    Args:
        used: US dollars used so far today, also by runs that began before.
        num_runs: Runs begun today, of known cost.
        cost: What they cost together.
        squares: The sum of their squared costs.
        elapsed: Share of the day that is over, 0-1.
    """
    missing = []
    if elapsed < MIN_SHARE_OF_DAY:
        missing.append(f"{MIN_SHARE_OF_DAY * 24:.0f} hours of the day")
    if num_runs < MIN_RUNS:
        missing.append(f"{MIN_RUNS} runs of known cost ({num_runs} so far)")
    if missing:
        return Projection(None, 0.0, 0.0, num_runs, f"it takes {' and '.join(missing)}")
    rest = max(1 - elapsed, 0.0)
    total = used + cost * rest / elapsed
    deviation = math.sqrt(squares / elapsed * rest * (1 + rest / elapsed))
    return Projection(
        total, max(used, total - 1.96 * deviation), total + 1.96 * deviation, num_runs
    )


def _spent_since(project: Project, first: date) -> dict[tuple[int, date], DaySpend]:
    rows = (
        Spend.objects.filter(agent__project=project, day__gte=first)
        .values("agent_id", "day")
        .annotate(**{f"all_{name}": total for name, total in _SUMS.items()})
        .values_list("agent_id", "day", *(f"all_{name}" for name in _SUMS))
    )
    return {(agent, day): DaySpend(day, *sums) for agent, day, *sums in rows}


def _together(day: date, parts: Sequence[DaySpend]) -> DaySpend:
    total = DaySpend(day)
    for part in parts:
        total = total.plus(part)
    return total
