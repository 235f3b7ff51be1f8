"""Incidents that breakers and budgets open by themselves, with what opened them.

Each cause opens one, and is stored in the same transaction.
"""

from datetime import date, datetime

from agents.incidents import add_note, open_incident
from agents.models import Budget, Incident, ToolGuard

_Severity, _Source = Incident.Severity, Incident.Source


def breaker_opened(guard: ToolGuard) -> Incident:
    """Open the incident of a breaker that failures have opened; the guard is locked."""
    return open_incident(
        project=guard.project,
        title=f"{guard.tool} is out of order: {guard.num_failures} failures in a row",
        severity=_Severity.MAJOR,
        source=_Source.BREAKER,
        source_key=_breaker_key(guard, guard.opened_at),
        tool=guard.tool,
        summary=(
            "Its circuit breaker opened. No call starts until one that tries finds the tool "
            "back, or a person closes the breaker on the tool's page, where its last answer is."
        ),
    )


def breaker_closed(guard: ToolGuard, *, opened_at: datetime, why: str) -> None:
    """Note in the log of the incident of a breaker that it closed; people close the incident."""
    incident = Incident.objects.filter(
        project=guard.project_id,
        source=_Source.BREAKER,
        source_key=_breaker_key(guard, opened_at),
    ).first()
    if incident is not None and incident.status != Incident.Status.CLOSED:
        add_note(
            incident=incident,
            text=f"The circuit breaker of {guard.tool} closed: {why.rstrip('.')}.",
        )


def budget_used_up(budget: Budget, *, day: date, limit: str) -> Incident:
    """Open the incident of a budget that is used up: one a day, whichever limit came first.

    Args:
        budget: With project and agent.
        day: In UTC.
        limit: What was reached, with its unit.
    """
    whose = f"of {budget.agent}" if budget.agent else "of the project"
    return open_incident(
        project=budget.project,
        title=f"The budget {whose} is used up: {limit} on {day:%d %b %Y} (UTC)",
        severity=_Severity.MINOR,
        source=_Source.BUDGET,
        source_key=f"budget:{budget.pk}:{day}",
        agent=budget.agent,
        summary=(
            "Runs end as over budget until the day ends (UTC) or somebody raises the budget in "
            "Settings > Budgets. What they did before stays."
        ),
    )


def _breaker_key(guard: ToolGuard, opened_at: datetime | None) -> str:
    return f"breaker:{guard.pk}:{opened_at.isoformat() if opened_at else ''}"
