"""Setting what an agent, or all of a project's, may use in a day (UTC)."""

from collections.abc import Mapping
from datetime import UTC
from decimal import Decimal

import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from agents.errors import BudgetError
from agents.models import Agent, Budget, BudgetWarning
from agents.tools.autonomy import database_now
from traces.models import Project

MAX_REASON = 500
MAX_LIMIT = {"cost_usd": Decimal(1_000_000)}
_MOST = Decimal(1_000_000_000_000)


def set_budget(
    *,
    project: Project,
    agent: Agent | None = None,
    limits: Mapping[str, Decimal | None],
    reason: str,
    by: AbstractBaseUser,
) -> Budget:
    """Set the limits of a day, all of them; it holds for runs in flight before their next step.

    Warnings of today about a limit that changed may come again.

    Args:
        project: Whose budget it is.
        agent: Of this agent alone; None: of all of the project's together.
        limits: By measure (`Budget.MEASURES`); one that is left out or None is no limit.
        reason: Stays with the change.
        by: Who sets it.

    Raises:
        BudgetError: No reason, a measure that is none, a limit that cannot be, or nothing changed.
    """
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON:
        raise BudgetError(f"Give a reason of 1 to {MAX_REASON} characters; it stays with it.")
    wanted = {measure: limits.get(measure) for measure in Budget.MEASURES}
    if problems := limit_problems(limits):
        raise BudgetError(" ".join(problems.values()))
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="budget"):
        # Of two who set a first budget at once, the second waits here and then changes it.
        Project.objects.select_for_update().only("pk").get(pk=project.pk)
        row = Budget.objects.filter(project=project, agent=agent).first() or Budget(
            project=project, agent=agent
        )
        changed = [each for each in Budget.MEASURES if limit_of(row, each) != wanted[each]]
        if not changed:
            raise BudgetError("These limits are set already; nothing was changed.")
        for measure in changed:
            setattr(row, f"max_{measure}", wanted[measure])
        row.reason, row.changed_by_id = reason, by.pk
        row.save()
        BudgetWarning.objects.filter(
            budget=row, day=database_now().astimezone(UTC).date(), measure__in=changed
        ).delete()
    return row


def limit_of(budget: Budget | None, measure: str) -> Decimal | None:
    """Return a budget's limit of a measure, None where there is none."""
    value = getattr(budget, f"max_{measure}", None)
    return None if value is None else Decimal(value)


def limit_problems(limits: Mapping[str, Decimal | None]) -> dict[str, str]:
    """Return what is wrong with limits, a sentence by measure."""
    problems = {}
    for measure, value in limits.items():
        most = MAX_LIMIT.get(measure, _MOST)
        if measure not in Budget.MEASURES:
            known = ", ".join(Budget.MEASURES)
            problems[measure] = f"{measure} is not measured; it must be one of {known}."
        elif value is None:
            continue
        elif not value.is_finite() or not 0 <= value <= most:
            problems[measure] = (
                f"{measure} is {value}; it must be from 0 to {most:,}, or empty for no limit."
            )
        elif measure != "cost_usd" and value != value.to_integral_value():
            problems[measure] = f"{measure} is {value}; it must be a whole number."
    return problems
