"""Incidents that a critical label opens: the sweep finds it, for labels know nothing of agents."""

from datetime import timedelta

from agents.incidents import open_incident
from agents.models import Incident, Run
from agents.tools.autonomy import database_now
from agents.tools.evidence import CRITICAL
from traces.models import Label

WINDOW = timedelta(days=1)


def open_for_labels() -> int:
    """Open an incident for each session that was labelled critical or harmful within a day.

    One per session, however many people say so; only of live runs, whose agents act. For the
    sweeper: safe to run anywhere, often. One query where no such label is, else two.

    Returns:
        How many were opened.
    """
    labels = Label.objects.filter(CRITICAL, completed_at__gte=database_now() - WINDOW)
    sessions = set(labels.values_list("session_id", flat=True))
    if not sessions:
        return 0
    keys = {f"session:{session}" for session in sessions}
    known = set(
        Incident.objects.filter(source=Incident.Source.LABEL, source_key__in=keys).values_list(
            "source_key", flat=True
        )
    )
    new = [session for session in sessions if f"session:{session}" not in known]
    runs = Run.objects.filter(session__in=new, kind=Run.Kind.LIVE) if new else Run.objects.none()
    for run in runs.select_related("agent", "project", "session").order_by("created_at"):
        _open_for_label(run)
    return len(runs)


def _open_for_label(run: Run) -> Incident:
    return open_incident(
        project=run.project,
        title=f"A session of {run.agent} was labelled critical or harmful",
        severity=Incident.Severity.CRITICAL,
        source=Incident.Source.LABEL,
        source_key=f"session:{run.session_id}",
        agent=run.agent,
        session=run.session,
        summary=(
            "Read the session and its labels. Tools that acted in it were lowered by rule; what "
            "else the agent may do is for people to lower or stop."
        ),
    )
