"""How a run stops being advanced: ended, parked for a person, or queued for later.

Each is called inside `fenced`, with the run it yielded.
"""

import time
from datetime import timedelta

from django.db import connection

from agents.models import Run, Step, ToolApproval
from agents.runtime.record import root_span_id
from agents.tools.autonomy import database_now
from traces.models import Session, Span
from traces.recorder import set_status
from traces.redaction import masker_for

_SESSION_STATUS = {
    Run.Status.COMPLETED: Session.Status.COMPLETED,
    Run.Status.FAILED: Session.Status.FAILED,
    Run.Status.CANCELLED: Session.Status.CANCELLED,
}


def end_run(
    run: Run,
    status: Run.Status,
    *,
    session_status: Session.Status | None = None,
    failure: Run.Failure = Run.Failure.NONE,
    error: str = "",
) -> None:
    """End a run and its session; calls that still wait for a person become void."""
    now = database_now()
    run.status, run.error, run.failure, run.finished_at = status, error, failure, now
    run.claimed_by, run.lease_until, run.next_at = "", None, None
    run.save(
        update_fields=[
            "status", "error", "failure", "finished_at", "claimed_by", "lease_until", "next_at",
        ]
    )  # fmt: skip
    run.approvals.filter(
        status=ToolApproval.Status.WAITING, kind=ToolApproval.Kind.APPROVAL
    ).update(status=ToolApproval.Status.VOID, message=f"the run has {status.label}"[:1000])
    open_steps = run.steps.filter(status__in=[Step.Status.STARTED, Step.Status.WAITING])
    open_spans = list(open_steps.values_list("span_id", flat=True))
    open_steps.update(status=Step.Status.FAILED, finished_at=now, response={"error": error})
    Span.objects.filter(session=run.session, span_id__in=open_spans).update(
        status=Span.Status.ERROR,
        status_message=masker_for(run.project_id).text(error) or "the run ended before this step",
    )
    set_status(
        session=run.session,
        status=session_status or _SESSION_STATUS[status],
        reason=error,
        end_ns=time.time_ns(),
    )


def park_run(run: Run) -> None:
    """Park a run until a person decides; it holds no worker meanwhile."""
    run.status, run.claimed_by = Run.Status.WAITING, ""
    run.lease_until = run.next_at = None
    run.save(update_fields=["status", "claimed_by", "lease_until", "next_at"])
    set_status(session=run.session, status=Session.Status.WAITING)
    _mark_root(run, Span.Status.WAITING)


def wake_run(run: Run) -> None:
    """Queue a parked run again, after a decision; called with the run's row locked."""
    run.status, run.next_at = Run.Status.QUEUED, database_now()
    run.save(update_fields=["status", "next_at"])
    set_status(session=run.session, status=Session.Status.RUNNING)


def retry_later(run: Run, delay: timedelta) -> None:
    """Queue the run for another attempt of its model call."""
    run.status, run.claimed_by, run.lease_until = Run.Status.QUEUED, "", None
    run.next_at, run.num_retries = database_now() + delay, run.num_retries + 1
    run.save(update_fields=["status", "claimed_by", "lease_until", "next_at", "num_retries"])


def _mark_root(run: Run, status: Span.Status) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE traces_span SET status = %s WHERE session_id = %s AND span_id = %s",
            [status, run.session_id, root_span_id(run.pk)],
        )
