"""What an undone call leaves in its session, and in the conversation that goes on."""

import time

from django.contrib.auth.models import AbstractBaseUser

from agents.models import Run, UndoableCall
from agents.runtime.record import root_span_id
from traces.models import Span
from traces.recorder import new_span_id, record_spans
from traces.records import SpanRecord


def note_undo(*, run: Run, call: UndoableCall, by: AbstractBaseUser) -> None:
    """Record the undo as a call of its session, and tell the model at its next turn.

    Inside the transaction that undoes, with the run's row locked. The model reads it with the
    result of the call that was undone (see `agents.runtime.journal.result_text`).
    """
    is_undone = call.status == UndoableCall.Status.UNDONE
    response = call.result or {}
    record_spans(
        session=run.session,
        spans=[
            SpanRecord(
                span_id=new_span_id(),
                parent_id=root_span_id(run.pk),
                kind=Span.Kind.TOOL,
                name=call.undo_tool,
                start_ns=time.time_ns(),
                status=Span.Status.OK if is_undone else Span.Status.ERROR,
                status_message="" if is_undone else str(response.get("error", "")),
                input={"arguments": call.undo_arguments},
                output=response,
                attributes={
                    "undo_of": call.step.span_id,
                    "undone_by": str(by),
                    "reason": call.reason,
                },
            )
        ],
        has_totals_now=run.finished_at is not None,
    )
    if is_undone:
        step = call.step
        step.response = {**(step.response or {}), "undone": call.reason}
        step.save(update_fields=["response"])
