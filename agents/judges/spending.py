"""What judges use of the day's budgets: counted for the agent that they judge, and held by them.

Judges use money, tokens and time; budgets of steps, tool calls and runs are not about them. A
session of an agent that is not known here is counted for nobody: only the project's budget holds
its judges.
"""

from datetime import UTC, datetime, timedelta

from agents.models import Agent, EvalRun, Judgement, Run
from agents.runtime.spending import uses_today

_ASKED_OF = ("cost_usd", "tokens", "seconds")
# A budget that is raised has its judges go on within so long.
_LOOK_AGAIN_SECONDS = 60


def agent_judged(row: Judgement) -> int | None:
    """Return the id of the agent that a judgement is about; None where it is not known here.

    One query, two for a session outside eval runs.

    Args:
        row: With its session and version.
    """
    if row.eval_result_id is not None:
        runs = EvalRun.objects.filter(results=row.eval_result_id)
        return runs.values_list("agent_id", flat=True).first()
    run = Run.objects.filter(session=row.session_id).values_list("agent_id", flat=True).first()
    if run is not None:
        return run
    known = Agent.objects.filter(project=row.version.judge.project_id, slug=row.session.agent_name)
    return known.values_list("pk", flat=True).first()


def budget_reached(*, project_id: int, agent_id: int | None) -> str:
    """Return which budget of the day keeps a judge from asking, in words; or nothing. One query."""
    for use in uses_today(project_id=project_id, agent_id=agent_id):
        is_of_it = use.agent_id is None or use.agent_id == agent_id
        if is_of_it and use.measure in _ASKED_OF and use.used >= use.limit:
            whose = "the agent's" if use.agent_id else "the project's"
            return (
                f"Waits: {whose} budget of {use.limit_words} a day (UTC) is used up, "
                f"{use.used_words} used. It goes on once the budget is raised, or at 00:00 UTC."
            )
    return ""


def look_again_at(now: datetime) -> datetime:
    """Return when a judgement that waits for a budget looks again: soon, or at midnight UTC."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return min(now + timedelta(seconds=_LOOK_AGAIN_SECONDS), midnight + timedelta(days=1))
