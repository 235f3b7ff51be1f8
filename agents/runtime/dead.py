"""Dead letters: runs whose worker was lost again and again at the same place."""

from datetime import timedelta

from agents.incidents import open_incident
from agents.models import Incident, Run
from agents.outbox import tell
from agents.runtime.ending import end_run
from agents.tools.autonomy import database_now

MAX_RECOVERIES = 5
"""How often in a row a run is taken back from a lost worker without a step being done."""
MIN_SECONDS = 60
"""A machine that starts and fails again and again in seconds says nothing about its runs."""


def is_dead(run: Run) -> bool:
    """Say whether a run was lost too often, over too long, to be tried again."""
    if run.num_lost_in_row <= MAX_RECOVERIES or run.lost_since is None:
        return False
    return database_now() - run.lost_since >= timedelta(seconds=MIN_SECONDS)


def end_as_dead(run: Run) -> None:
    """Give a run up: it ends as lost, an incident is opened, and whoever wants to know is told.

    Called inside `fenced`. What was done stays; `agents.runtime.retry` helps the run back.
    """
    times = run.num_lost_in_row
    error = f"given up: its worker was lost {times} times without a step being done"
    end_run(run, Run.Status.FAILED, failure=Run.Failure.LOST, error=error)
    last = run.steps.order_by("-index").first()
    where = f"at step {last.index} ({last.kind} {last.name})" if last else "before its first step"
    open_incident(
        project=run.project,
        title=f"A run of {run.agent} was given up: its worker was lost {times} times in a row",
        severity=Incident.Severity.MAJOR,
        source=Incident.Source.DEAD_LETTER,
        source_key=f"run:{run.pk}",
        agent=run.agent,
        session=run.session,
        summary=(
            f"Each time a worker took the run, the worker was lost {where}. Read the session; "
            "“Retry from here” on a step starts a new run from there."
        ),
    )
    tell(
        project=run.project,
        event="run_dead",
        payload={
            "title": f"A run of {run.agent} was given up",
            "url": f"/p/{run.project.slug}/sessions/{run.session_id}/",
            "run": str(run.pk),
        },
        key=f"run_dead:{run.pk}",
    )
