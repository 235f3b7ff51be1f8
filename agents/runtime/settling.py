"""What a tool call has come to: found out late, and written with all that follows from it."""

import time
from datetime import datetime
from typing import Any

from agents.models import Level, Run, Step, ToolApproval
from agents.runtime.calls import CallOutcome
from agents.runtime.ending import note_progress
from agents.runtime.entry import WriteEntry, write_entry
from agents.runtime.record import span_of
from agents.runtime.spending import Used
from agents.tools.autonomy import database_now, level_for_effect
from agents.tools.contract import ToolContract
from agents.tools.taint import note_result
from agents.tools.undo import offer_undo


def settle_step(
    *,
    run: Run,
    step: Step,
    outcome: CallOutcome,
    contract: ToolContract | None,
    began_ns: int,
    now: datetime | None = None,
    write: WriteEntry = write_entry,
) -> None:
    """Write the end of a call: its step and span, taint, undo, and what it counts as.

    Called inside `fenced`. `began_ns` is when this attempt began; what came before it, except for
    earlier attempts, was waiting. `now` is the database's clock, where it was just read.
    """
    attempt_ns = max(time.time_ns() - began_ns, 0)
    worked_ns = worked_before(step) + attempt_ns
    now = now or database_now()
    step.status, step.response, step.finished_at = outcome.status, outcome.response, now
    if _is_fallback(outcome):
        step.response = {**(outcome.response or {}), "is_fallback": True}
    if outcome.approval:
        step.save()
        outcome.approval.step = step
        outcome.approval.save()
    attributes = attributes_of(step, outcome.attributes)
    if contract and _was_answered(step, outcome):
        note_result(run=run, step=step, contract=contract)
    if outcome.status is Step.Status.DONE and outcome.made_with is not None and contract:
        attributes |= _after_success(run, step, outcome, contract, now)
    waited_ns = max(time.time_ns() - step.start_ns - worked_ns, 0)
    span = span_of(step, attributes=attributes, waited_ns=waited_ns)
    note_progress(run)
    used = Used(steps=1, tool_calls=1, milliseconds=attempt_ns // 1_000_000)
    write(run=run, step=step, span=span, used=used)


def _was_answered(step: Step, outcome: CallOutcome) -> bool:
    """Say whether the model reads the tool's own words: of a failed call, too, its error's."""
    is_made = outcome.made_with is not None or bool(step.effect_key)
    return is_made and not _is_fallback(outcome)


def _is_fallback(outcome: CallOutcome) -> bool:
    """Say whether the contract answered in place of the tool, which was away."""
    return outcome.attributes.get("fallback") == "tool"


def happened(
    *, run: Run, step: Step, contract: ToolContract | None, result: Any, answered_by: str
) -> CallOutcome:
    """Return a call as done of which it was found out later that it happened.

    It was made with what a person decided, where one did, else as it was asked for. Where nobody
    decided, it may be undone unless the tool is autonomous by now: nobody saw it happen.

    Args:
        run: Locked.
        step: The call.
        contract: Of its tool, or None if that is gone: nothing can be undone then.
        result: What the call returned.
        answered_by: Who knows: `lookup` or `person`.
    """
    asked = (step.request or {}).get("arguments") or {}
    used = ToolApproval.objects.filter(step=step, consumed_at__isnull=False).first()
    made_with = used.decided_arguments if used else None
    attributes: dict[str, Any] = {"answered_by": answered_by}
    if made_with is not None and made_with != asked:
        attributes["executed_arguments"] = made_with
    return CallOutcome(
        Step.Status.DONE,
        {"result": result},
        attributes,
        made_with=asked if made_with is None else made_with,
        is_undoable=used is None and contract is not None and _is_watched(run, contract),
    )


def _is_watched(run: Run, contract: ToolContract) -> bool:
    level = level_for_effect(run=run, tool=contract.name, now=database_now(), contract=contract)
    return level is None or level.level is not Level.AUTONOMOUS


def worked_before(step: Step) -> int:
    """Return the nanoseconds that earlier attempts of a step took."""
    return int((step.response or {}).get("worked_ns", 0))


def attributes_of(step: Step, attributes: dict[str, Any]) -> dict[str, Any]:
    """Return what a call's span says of it, with key and attempt where it was made."""
    if step.effect_key:
        attributes = {**attributes, "effect_key": step.effect_key, "attempt": step.num_attempts}
    return attributes


def _after_success(
    run: Run, step: Step, outcome: CallOutcome, contract: ToolContract, now: datetime
) -> dict[str, Any]:
    if not outcome.is_undoable:
        return {}
    if step.pk is None:
        step.save()
    undoable = offer_undo(
        run=run,
        step=step,
        contract=contract,
        arguments=outcome.made_with or {},
        result=(outcome.response or {}).get("result"),
        now=now,
    )
    return {"undo_until": undoable.until.isoformat()} if undoable else {}
