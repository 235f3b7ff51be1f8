"""What was used today (UTC): counted in shards, and read against the budgets.

A cost that nobody knows (a model without a price) is not zero: sums of it say “at least”.
"""

import random
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, TypedDict, Unpack, cast

from django.db import connection

from agents.errors import Usage
from agents.models import Budget, Run
from traces.prepared import prepared_cursor
from traces.pricing import price_table

# A replay answers from a recording and a planted request asks no model: neither spends anything.
COUNTED_KINDS = (Run.Kind.LIVE, Run.Kind.GOLDEN)
# So many that two new ones of the same moment hardly ever have the same number.
_SHARDS = 32_767
# One of it, and any other number.
_UNITS = {
    "tokens": ("token", "tokens"),
    "steps": ("step", "steps"),
    "tool_calls": ("tool call", "tool calls"),
    "seconds": ("s of work", "s of work"),
    "runs": ("run", "runs"),
}
MEASURE_TITLES = {
    "cost_usd": "Cost",
    "tokens": "Tokens",
    "steps": "Steps",
    "tool_calls": "Tool calls",
    "seconds": "Time worked",
    "runs": "Runs",
}


@dataclass(frozen=True)
class Use:
    """One limit of a budget and what the day has used of it.

    Attributes:
        measure: One of `Budget.MEASURES`.
        is_at_least: Whether more was used than is known: calls of unknown cost.
    """

    budget_id: int
    project_id: int
    agent_id: int | None
    measure: str
    limit: Decimal
    used: Decimal
    is_at_least: bool = False

    @property
    def share(self) -> float:
        """Return what is used of the limit; over 1 is over it. A limit of 0 is used up."""
        return float(self.used / self.limit) if self.limit else 1.0

    @property
    def percent(self) -> int:
        """Return the share in whole per cent, rounded down: 100 is reached, not nearly."""
        return int(self.used * 100 / self.limit) if self.limit else 100

    @property
    def title(self) -> str:
        """Return the measure's name."""
        return MEASURE_TITLES[self.measure]

    @property
    def limit_words(self) -> str:
        """Return the limit with its unit."""
        return amount_words(self.measure, self.limit)

    @property
    def used_words(self) -> str:
        """Return what was used, with its unit, and “at least” where more was."""
        words = amount_words(self.measure, self.used, exact=True)
        return f"at least {words}" if self.is_at_least else words


class Used(TypedDict, total=False):
    """What is added to a day's sums; `unpriced` calls have a cost that nobody knows."""

    cost_usd: Decimal | float
    tokens: int
    steps: int
    tool_calls: int
    milliseconds: int
    runs: int
    over_budget: int
    unpriced: int


def count(run: Run, **used: Unpack[Used]) -> None:
    """Add to what the run's agent used today (UTC); call it inside `fenced`, after other locks.

    It takes a shard that no transaction holds, so it waits for nobody, and makes a new one where
    all are held. One query.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {COUNT} SELECT", count_values(run, used))


def count_for(agent_id: int, **used: Unpack[Used]) -> None:
    """Add to what an agent used today (UTC) outside its runs, as what its judges used. One query.

    In a transaction, after other locks; it waits for nobody.
    """
    values = {**_values(agent_id, used), "is_counted": bool(used)}
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {COUNT} SELECT", values)


def cost_of(usage: Usage | None, *, project_id: int, at: date) -> Decimal | None:
    """Return what a model call cost in US dollars; None where its use or its price is unknown."""
    if usage is None:
        return None
    return price_table(project_id).cost(
        model=usage.model,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        at=at,
    )


def used_by(usage: Usage | None, cost: Decimal | None, milliseconds: int) -> Used:
    """Return what a model call used, whose cost may be unknown; one without usage failed."""
    return {
        "cost_usd": cost or 0,
        "tokens": (usage.input_tokens or 0) + (usage.output_tokens or 0) if usage else 0,
        "milliseconds": milliseconds,
        "unpriced": int(usage is not None and cost is None),
    }


def count_values(run: Run, used: Used) -> dict[str, Any]:
    """Return the values of `COUNT`, which does nothing where nothing is counted."""
    is_counted = run.kind in COUNTED_KINDS and bool(used)
    return {**_values(run.agent_id, used), "is_counted": is_counted}


def _values(agent_id: int, used: Used) -> dict[str, Any]:
    return {
        "agent": agent_id,
        "shard": random.randrange(_SHARDS),  # noqa: S311
        **{name: used.get(name.removeprefix("num_"), 0) for name in _AMOUNTS},
    }


def added(first: Used, second: Used) -> Used:
    """Return the sum of what was used at two times."""
    both: dict[str, Any] = {**first}
    for name, amount in second.items():
        both[name] = both.get(name, 0) + amount
    return cast(Used, both)


def uses_today(*, project_id: int | None = None, agent_id: int | None = None) -> list[Use]:
    """Return each limit that is set with what today (UTC) has used of it. One query.

    Args:
        project_id: Of one project; None: of all.
        agent_id: Only what binds this agent: its own budget and the project's.
    """
    with prepared_cursor() as cursor:
        cursor.execute(_USES, {"project": project_id, "agent": agent_id})
        rows = cursor.fetchall()
    return [use for row in rows for use in _uses_of(row)]


def amount_words(measure: str, amount: Decimal | float, *, exact: bool = False) -> str:
    """Return an amount with its unit; dollars to the cent, finer where it or `exact` says so."""
    if measure == "cost_usd":
        is_fine = exact or Decimal(amount) * 100 % 1 != 0
        return f"${amount:,.4f}" if is_fine else f"${amount:,.2f}"
    number, (one, many) = f"{amount:,.0f}", _UNITS[measure]
    return f"{number} {one if number == '1' else many}"


def _uses_of(row: tuple[Any, ...]) -> list[Use]:
    budget, project, agent, unpriced, *numbers = row
    limits, used = numbers[: len(Budget.MEASURES)], numbers[len(Budget.MEASURES) :]
    return [
        Use(
            budget_id=budget,
            project_id=project,
            agent_id=agent,
            measure=measure,
            limit=Decimal(limit),
            used=Decimal(amount),
            is_at_least=measure == "cost_usd" and unpriced > 0,
        )
        for measure, limit, amount in zip(Budget.MEASURES, limits, used, strict=True)
        if limit is not None
    ]


TODAY = "(statement_timestamp() AT TIME ZONE 'UTC')::date"
_AMOUNTS = (
    "cost_usd", "tokens", "steps", "tool_calls", "milliseconds", "runs", "over_budget",
    "num_unpriced",
)  # fmt: skip
# Members of a WITH, so that what is counted is written along.
COUNT = f"""free AS (
    SELECT id FROM agents_spend WHERE %(is_counted)s AND agent_id = %(agent)s AND day = {TODAY}
    ORDER BY shard LIMIT 1 FOR UPDATE SKIP LOCKED
), added AS (
    UPDATE agents_spend AS spend
    SET {", ".join(f"{name} = spend.{name} + %({name})s" for name in _AMOUNTS)}
    FROM free WHERE spend.id = free.id RETURNING spend.id
), made AS (
    INSERT INTO agents_spend (agent_id, day, shard, {", ".join(_AMOUNTS)})
    SELECT %(agent)s, {TODAY}, %(shard)s, {", ".join(f"%({name})s" for name in _AMOUNTS)}
    WHERE %(is_counted)s AND NOT EXISTS (SELECT FROM added)
    ON CONFLICT (agent_id, day, shard) DO UPDATE SET
        {", ".join(f"{name} = agents_spend.{name} + excluded.{name}" for name in _AMOUNTS)}
)"""
_USES = f"""
SELECT budget.id, budget.project_id, budget.agent_id, spend.num_unpriced,
    {", ".join(f"budget.max_{measure}" for measure in Budget.MEASURES)},
    spend.cost_usd, spend.tokens, spend.steps, spend.tool_calls, spend.seconds, spend.runs
FROM agents_budget AS budget, LATERAL (
    SELECT coalesce(sum(num_unpriced), 0) AS num_unpriced,
        coalesce(sum(cost_usd), 0) AS cost_usd, coalesce(sum(tokens), 0) AS tokens,
        coalesce(sum(steps), 0) AS steps, coalesce(sum(tool_calls), 0) AS tool_calls,
        coalesce(sum(milliseconds), 0) / 1000 AS seconds, coalesce(sum(runs), 0) AS runs
    FROM agents_spend JOIN agents_agent ON agents_agent.id = agents_spend.agent_id
    WHERE agents_agent.project_id = budget.project_id AND day = {TODAY}
        AND (budget.agent_id IS NULL OR agents_agent.id = budget.agent_id)
) AS spend
WHERE (%(project)s::bigint IS NULL OR budget.project_id = %(project)s)
    AND (%(agent)s::bigint IS NULL OR budget.agent_id IS NULL OR budget.agent_id = %(agent)s)
ORDER BY budget.project_id, budget.agent_id NULLS LAST
"""
