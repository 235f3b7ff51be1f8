"""Warnings of budgets that came to 80 or 100 per cent on a day, said once each.

One that is used up opens an incident too.
"""

from datetime import UTC
from typing import Any

from django.db import connection, transaction

from agents.incident_causes import budget_used_up
from agents.models import Budget, BudgetWarning
from agents.outbox import tell
from agents.runtime.spending import TODAY, Use, uses_today
from agents.tools.autonomy import database_now

WARN_PERCENTS = (80, 100)


def warn_of_budgets() -> int:
    """Warn of what came to 80 or 100 per cent today and was not said yet; return how many.

    For the sweeper: safe to run anywhere, often. One query where nothing came that far.
    """
    reached = [use for use in uses_today() if use.percent >= WARN_PERCENTS[0]]
    if not reached:
        return 0
    today = database_now().astimezone(UTC).date()
    said = set(
        BudgetWarning.objects.filter(day=today).values_list("budget_id", "measure", "percent")
    )
    return sum(
        _warn(use, percent)
        for use in reached
        for percent in WARN_PERCENTS
        if percent <= use.percent and (use.budget_id, use.measure, percent) not in said
    )


@transaction.atomic
def _warn(use: Use, percent: int) -> bool:
    values: dict[str, Any] = {
        "budget": use.budget_id,
        "measure": use.measure,
        "percent": percent,
        "used": use.used,
        "limit": use.limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SAY_ONCE, values)
        row = cursor.fetchone()
    if row is None:
        return False
    budget = Budget.objects.select_related("project", "agent").get(pk=use.budget_id)
    tell(
        project=budget.project,
        event="budget_warning",
        payload={
            "title": f"{_whose(budget)}: {percent} % of {use.limit_words} a day is used",
            "url": f"/p/{budget.project.slug}/settings/budgets/",
            "budget": budget.pk,
            "measure": use.measure,
            "percent": percent,
        },
        key=f"budget:{budget.pk}:{row[0]}:{use.measure}:{percent}",
    )
    if percent == WARN_PERCENTS[-1]:
        budget_used_up(budget, day=row[0], limit=use.limit_words)
    return True


def _whose(budget: Budget) -> str:
    return f"Budget of {budget.agent.name if budget.agent else budget.project.name}"


_SAY_ONCE = f"""
INSERT INTO agents_budgetwarning (budget_id, day, measure, percent, used, "limit", created_at)
VALUES (%(budget)s, {TODAY}, %(measure)s, %(percent)s, %(used)s, %(limit)s, clock_timestamp())
ON CONFLICT (budget_id, day, measure, percent) DO NOTHING
RETURNING day
"""
