"""How a run here stands beyond its session's status: parked for what, ended by what, retried."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q

from agents.models import EffectReview, Incident, Run
from agents.runtime.retry import resume_index
from traces.models import Session

Pill = tuple[str, str, str]
NEEDS_REVIEW: Pill = ("warn", "alert-octagon", "needs review")
STOPPED: Pill = ("bad", "hand-stop", "stopped")
OVER_BUDGET: Pill = ("bad", "report-money", "over budget")
GIVEN_UP: Pill = ("bad", "archive", "given up")
_TELLING = (
    Q(status__in=[Run.Status.NEEDS_REVIEW, Run.Status.OVER_BUDGET])
    | Q(parked_for=Run.Parked.STOP, status=Run.Status.WAITING)
    | Q(failure=Run.Failure.LOST)
)
_ASKED = (Session.Status.WAITING, Session.Status.FAILED)


@dataclass(frozen=True)
class Standing:
    """What the head of a session's page says of its run.

    Attributes:
        pill: In place of the session status's, or None.
        reviews: Calls of which nobody knows whether they happened.
        incident: The one that was opened because the run was given up.
        retries: Runs that were retried from this one, newest first.
        broke_off_at: The step to retry from, where the run ended before its time; else None.
    """

    run: Run
    pill: Pill | None
    reviews: tuple[EffectReview, ...] = ()
    incident: Incident | None = None
    retries: tuple[Run, ...] = ()
    broke_off_at: int | None = None

    @property
    def is_stopped(self) -> bool:
        """Say whether a kill switch holds the run."""
        return self.pill is STOPPED


def standing_of(run: Run | None) -> Standing | None:
    """Return how a run stands; two queries, four where it ended before its time."""
    if run is None:
        return None
    reviews = EffectReview.objects.filter(run=run, verdict="").select_related("step")
    is_lost = run.failure == Run.Failure.LOST
    incident = None
    if is_lost:
        source = {"source": Incident.Source.DEAD_LETTER, "source_key": f"run:{run.pk}"}
        incident = Incident.objects.filter(project_id=run.project_id, **source).first()
    retries = run.retries.select_related("started_by").order_by("-created_at")[:10]
    broke_off = can_be_retried(run) and run.status != Run.Status.COMPLETED
    return Standing(
        run,
        pill_of(run),
        tuple(reviews.order_by("pk")),
        incident,
        tuple(retries),
        resume_index(run) if broke_off else None,
    )


def can_be_retried(run: Run | None) -> bool:
    """Say whether a new run may start from one of a run's steps."""
    return run is not None and run.kind == Run.Kind.LIVE and run.status not in Run.OPEN


def pill_of(run: Run) -> Pill | None:
    """Return the pill that says more than the session's status, or None."""
    if run.status == Run.Status.NEEDS_REVIEW:
        return NEEDS_REVIEW
    if run.status == Run.Status.OVER_BUDGET:
        return OVER_BUDGET
    if run.status == Run.Status.WAITING and run.parked_for == Run.Parked.STOP:
        return STOPPED
    return GIVEN_UP if run.failure == Run.Failure.LOST else None


def pills_of(sessions: Iterable[Session]) -> dict[uuid.UUID, Pill]:
    """Return the pills that say more than their sessions' status. One query, or none."""
    asked = [
        session.pk
        for session in sessions
        if session.source == Session.Source.RUNTIME and session.status in _ASKED
    ]
    if not asked:
        return {}
    runs = Run.objects.filter(_TELLING, session__in=asked)
    found = {
        run.session_id: pill_of(run)
        for run in runs.only("session_id", "status", "parked_for", "failure")
    }
    return {pk: pill for pk, pill in found.items() if pill}
