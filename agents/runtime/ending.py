"""How a run stops being advanced: ended, parked for a person, or queued for later.

Each is called with the run's row locked: inside `fenced`, or where no worker holds the run.
"""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import connection

from agents.models import Run, Step, ToolApproval
from agents.runtime.claim import clear_suspicion
from agents.runtime.journal import is_handed_over
from agents.runtime.record import root_span_id
from agents.runtime.unknown import ask_what_happened, may_have_happened
from agents.tools.autonomy import database_now
from agents.tools.registry import contracts_named
from traces.models import Session, Span
from traces.prepared import prepared_cursor
from traces.recorder import END_SESSION, set_status
from traces.records import from_ns
from traces.redaction import masker_for

_SESSION_STATUS = {
    Run.Status.COMPLETED: Session.Status.COMPLETED,
    Run.Status.OVER_BUDGET: Session.Status.FAILED,
    Run.Status.FAILED: Session.Status.FAILED,
    Run.Status.CANCELLED: Session.Status.CANCELLED,
}
_NOT_MADE = (
    ToolApproval.Status.WAITING,
    ToolApproval.Status.APPROVED,
    ToolApproval.Status.EDITED,
)
_COMPLETE = (
    f"WITH {END_SESSION}"
    + """
UPDATE agents_run SET status = 'completed', error = '', failure = '', claimed_by = '',
    finished_at = clock_timestamp(), lease_until = NULL, next_at = NULL, parked_for = ''
WHERE id = %(run)s
"""
)


def end_run(
    run: Run,
    status: Run.Status,
    *,
    session_status: Session.Status | None = None,
    failure: Run.Failure = Run.Failure.NONE,
    error: str = "",
) -> None:
    """End a run and its session; calls that were not made become void.

    A call outside that was in progress stays unknown, and people are asked what became of it.
    """
    now = database_now()
    run.status, run.error, run.failure, run.finished_at = status, error, failure, now
    run.claimed_by, run.lease_until, run.next_at = "", None, None
    run.parked_for = Run.Parked.NOT
    run.save(
        update_fields=[
            "status", "error", "failure", "finished_at", "claimed_by", "lease_until", "next_at",
            "parked_for",
        ]
    )  # fmt: skip
    run.approvals.filter(
        status__in=_NOT_MADE, kind=ToolApproval.Kind.APPROVAL, consumed_at=None
    ).update(
        status=ToolApproval.Status.VOID, message=f"the run ended: {error or status.label}"[:1000]
    )
    _close_open_steps(run, error or status.label, error)
    set_status(
        session=run.session,
        status=session_status or _SESSION_STATUS[status],
        reason=error,
        end_ns=time.time_ns(),
    )


def complete_run(run: Run, steps: Sequence[Step]) -> None:
    """End a run that has nothing left to do; one that handed over says so."""
    end_run(run, Run.Status.COMPLETED, session_status=_completed_as(run, steps))


def complete_played(run: Run, steps: Sequence[Step]) -> None:
    """End a run as `complete_run` does, of which nothing is open and nobody was asked anything.

    Its session's totals follow a moment later, where they are due. One statement, and a query
    where it called imported tools.
    """
    end_ns = time.time_ns()
    values: dict[str, Any] = {
        "run": run.pk,
        "session": run.session_id,
        "root": root_span_id(run.pk),
        "first_ns": run.session.first_ns,
        "end_ns": end_ns,
        "end": from_ns(end_ns),
        "session_status": _completed_as(run, steps),
    }
    with prepared_cursor() as cursor:
        cursor.execute(_COMPLETE, values)


def _completed_as(run: Run, steps: Sequence[Step]) -> Session.Status:
    names = {step.name for step in steps if step.kind == Step.Kind.TOOL}
    called = contracts_named(names, run.project_id) if names else {}
    handover = {name for name, contract in called.items() if contract.is_handover}
    is_over = is_handed_over(run, steps, handover)
    return Session.Status.HANDED_OVER if is_over else Session.Status.COMPLETED


def park_run(run: Run, why: Run.Parked = Run.Parked.APPROVAL, reason: str = "") -> None:
    """Park a run until a person decides; it holds no worker meanwhile.

    Args:
        run: The run.
        why: What it waits for; a call of unknown outcome makes it `needs_review`.
        reason: For people who read the session.
    """
    is_unknown = why is Run.Parked.EFFECT
    run.status = Run.Status.NEEDS_REVIEW if is_unknown else Run.Status.WAITING
    run.claimed_by, run.parked_for = "", why
    run.lease_until = run.next_at = None
    run.save(update_fields=["status", "claimed_by", "parked_for", "lease_until", "next_at"])
    set_status(session=run.session, status=Session.Status.WAITING, reason=reason)
    _mark_root(run, Span.Status.WAITING)


def wake_run(run: Run) -> None:
    """Queue a parked run again, after a decision; called with the run's row locked."""
    run.status, run.next_at, run.parked_for = Run.Status.QUEUED, database_now(), Run.Parked.NOT
    run.save(update_fields=["status", "next_at", "parked_for"])
    set_status(session=run.session, status=Session.Status.RUNNING)


def queue_later(run: Run, delay: timedelta) -> None:
    """Queue the run for after `delay`; it holds no worker meanwhile."""
    run.status, run.claimed_by, run.lease_until = Run.Status.QUEUED, "", None
    run.next_at = database_now() + delay
    run.save(update_fields=["status", "claimed_by", "lease_until", "next_at"])


def retry_later(run: Run, delay: timedelta) -> None:
    """Queue the run for another attempt of its model call."""
    run.num_retries += 1
    run.save(update_fields=["num_retries"])
    queue_later(run, delay)


def note_progress(run: Run) -> None:
    """Forget the recoveries in a row: a step was done."""
    if run.num_lost_in_row:
        run.num_lost_in_row, run.lost_since = 0, None
        run.save(update_fields=["num_lost_in_row", "lost_since"])
        clear_suspicion(run.pk)


def _close_open_steps(run: Run, why: str, error: str) -> None:
    """Fail the steps that were in progress; most runs end between two, after one query."""
    open_steps = run.steps.filter(status__in=[Step.Status.STARTED, Step.Status.WAITING])
    found = list(open_steps)
    if not found:
        return
    for step in found:
        if may_have_happened(run, step):
            text = f"The run ended ({why}) while {step.name} was in progress."
            ask_what_happened(run, step, text)
    open_spans = list(open_steps.values_list("span_id", flat=True))
    open_steps.update(
        status=Step.Status.FAILED, finished_at=run.finished_at, response={"error": error}
    )
    Span.objects.filter(session=run.session, span_id__in=open_spans).update(
        status=Span.Status.ERROR,
        status_message=masker_for(run.project_id).text(error) or "the run ended before this step",
    )


def _mark_root(run: Run, status: Span.Status) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE traces_span SET status = %s WHERE session_id = %s AND span_id = %s",
            [status, run.session_id, root_span_id(run.pk)],
        )
