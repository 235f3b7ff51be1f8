"""A call outside, between two transactions: the first has begun it, the second writes its end.

In between the run's row is free: it may be cancelled or stopped meanwhile, which holds before its
next step. A worker that was lost, or overtaken because its lease ended, writes nothing; its step
stays started, and `agents.runtime.lost_call` says what whoever resumes the run does about it.
The time limit of an attempt is kept by `agents.tools.outside`, whatever the tool does.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, close_old_connections

from agents.errors import ToolUnavailableError
from agents.models import Effect, Run, Step, ToolSlot
from agents.runtime.calls import Attempt, CallOutcome
from agents.runtime.claim import Claim, check_held, fenced
from agents.runtime.early import is_stopped
from agents.runtime.ending import park_run, queue_later
from agents.runtime.lost_call import LookUp
from agents.runtime.record import span_of
from agents.runtime.settling import attributes_of, happened, settle_step, worked_before
from agents.runtime.under_way import call_under_way
from agents.runtime.unknown import ask_what_happened, was_sent
from agents.tools.autonomy import database_now
from agents.tools.contract import ToolContract, ToolError
from agents.tools.guards import Outcome, settle
from agents.tools.outside import look_up, perform
from agents.tools.results import bad_result, result_problems
from agents.tools.stops import stop_for
from traces.models import Span
from traces.recorder import record_spans

MAX_LOOK_UPS = 8
MAX_BACKOFF_SECONDS = 60.0
MAX_RETRY_AFTER_SECONDS = 900.0
# Together less than a lease: a result in hand outlives a restart of the database.
_PATIENCE_SECONDS = (0.2, 0.4, 0.8, 1.6, 3.2)


@dataclass(frozen=True)
class _End:
    """How an attempt ended: with a result, refused, or unavailable."""

    result: Any = None
    refusal: str = ""
    trouble: ToolUnavailableError | None = None


def carry_out(claim: Claim, step: Step, attempt: Attempt) -> bool:
    """Make one attempt and write what it came to; False if the run was parked or put off.

    Raises:
        ClaimLostError: Another worker holds the run now; nothing was written.
    """
    began_ns = time.time_ns()
    # Last of all before the call: this worker may have been stopped since its transaction.
    check_held(claim)
    with call_under_way(is_read=attempt.contract.is_read) as may_begin:
        if not may_begin or stop_for(step.run, attempt.contract):
            return _stop_short(claim, step, attempt)
        end = _perform(step, attempt)
        return _persistently(lambda: _write_end(claim, step, attempt, end, began_ns))


def find_out(claim: Claim, step: Step, asked: LookUp) -> bool:
    """Ask the tool what became of a key, and write it; False if the run was parked or put off.

    Raises:
        ClaimLostError: Another worker holds the run now; nothing was written.
    """
    began_ns = time.time_ns()
    contract = asked.contract
    found, trouble = None, ""
    try:
        found = look_up(
            contract=contract, effect_key=step.effect_key, project_id=step.run.project_id
        )
    except (ToolError, ToolUnavailableError) as error:
        trouble = str(error)
    return _persistently(lambda: _write_found(claim, step, contract, found, trouble, began_ns))


def _perform(step: Step, attempt: Attempt) -> _End:
    contract = attempt.contract
    try:
        result = perform(
            contract=contract,
            arguments=attempt.arguments,
            effect_key=attempt.effect_key,
            project_id=step.run.project_id,
            timeout_seconds=contract.policy.time_limit_seconds,
        )
    except ToolError as error:
        return _End(refusal=str(error) or f"{contract.name} refused the call")
    except ToolUnavailableError as error:
        return _End(trouble=error)
    return _End(result=result)


def _write_end(claim: Claim, step: Step, attempt: Attempt, end: _End, began_ns: int) -> bool:
    contract = attempt.contract
    with fenced(claim) as run:
        row = _started(run, step)
        if row is None:
            return True
        problems = [] if end.refusal or end.trouble else result_problems(contract, end.result)
        settle(
            run=run,
            contract=contract,
            effect_key=attempt.effect_key,
            outcome=_health(end, problems),
            error="; ".join(problems) or str(end.trouble or end.refusal),
            now=database_now(),
        )
        if end.trouble:
            return _after_trouble(run, row, attempt, end.trouble, began_ns)
        if end.refusal:
            outcome = _failed(attempt, end.refusal)
        elif problems:
            outcome = _failed(attempt, bad_result(contract, problems), is_invalid_result=True)
        else:
            outcome = CallOutcome(
                Step.Status.DONE,
                {"result": end.result},
                attempt.attributes,
                made_with=attempt.arguments,
                is_undoable=attempt.is_undoable,
            )
        settle_step(run=run, step=row, outcome=outcome, contract=contract, began_ns=began_ns)
    return True


def _after_trouble(
    run: Run, step: Step, attempt: Attempt, trouble: ToolUnavailableError, began_ns: int
) -> bool:
    """Put the run off, find out, ask a person, fall back or fail; False unless it goes on."""
    contract, text = attempt.contract, str(trouble)
    is_sent = trouble.is_sent or was_sent(step)
    may_repeat = contract.effect != Effect.UNKEYED or not is_sent
    may_have_happened = is_sent and not contract.is_read
    worked_ns = worked_before(step) + time.time_ns() - began_ns
    step.response = {"error": text, "is_sent": is_sent, "worked_ns": worked_ns}
    if may_repeat and step.num_attempts < contract.policy.max_attempts:
        seconds = _backoff(step.num_attempts, trouble.retry_after)
        _put_off(run, step, attempt.attributes, seconds)
        return False
    if may_have_happened and contract.has_lookup:
        # Still started: what comes next is to look its key up.
        step.save(update_fields=["response"])
        return True
    if may_have_happened:
        _ask(run, step, f"{contract.name} did not say whether the call happened: {text}")
        return False
    if contract.policy.fallback is not None:
        extra = {**attempt.attributes, "fallback": "tool"}
        outcome = CallOutcome(Step.Status.DONE, dict(contract.policy.fallback), extra)
    else:
        times = f" (after {step.num_attempts} attempts)" if step.num_attempts > 1 else ""
        outcome = _failed(attempt, f"{contract.name} is not available{times}: {text}")
    settle_step(run=run, step=step, outcome=outcome, contract=contract, began_ns=began_ns)
    return True


def _write_found(
    claim: Claim,
    step: Step,
    contract: ToolContract,
    found: dict[str, Any] | None,
    trouble: str,
    began_ns: int,
) -> bool:
    with fenced(claim) as run:
        row = _started(run, step)
        if row is None:
            return True
        memory = {"is_sent": True, **(row.response or {})}
        if trouble:
            return _after_dumb(run, row, contract, trouble, memory)
        if found is None and row.num_attempts < contract.policy.max_attempts:
            row.status = Step.Status.WAITING
            row.response = {**memory, "is_sent": False}
            row.save(update_fields=["status", "response"])
            return True
        if found is None:
            text = f"{contract.name} was not done: {memory.get('error', 'the call never arrived')}"
            outcome = CallOutcome(Step.Status.FAILED, {"error": text})
        elif problems := result_problems(contract, found.get("result")):
            outcome = CallOutcome(Step.Status.FAILED, {"error": bad_result(contract, problems)})
        else:
            result = found.get("result")
            outcome = happened(
                run=run, step=row, contract=contract, result=result, answered_by="lookup"
            )
        settle_step(run=run, step=row, outcome=outcome, contract=contract, began_ns=began_ns)
    return True


def _after_dumb(
    run: Run, step: Step, contract: ToolContract, trouble: str, memory: dict[str, Any]
) -> bool:
    """Look up again later; after some attempts only a person can find out."""
    num_look_ups = int(memory.get("num_look_ups", 0)) + 1
    if num_look_ups >= MAX_LOOK_UPS:
        _ask(run, step, f"{contract.name} does not say what became of the call: {trouble}")
        return False
    step.response = {**memory, "num_look_ups": num_look_ups}
    step.save(update_fields=["response"])
    queue_later(run, timedelta(seconds=_backoff(num_look_ups, None)))
    return False


def _stop_short(claim: Claim, step: Step, attempt: Attempt) -> bool:
    """Take the start back: a stop, or the worker's end, came between it and the call."""
    with fenced(claim, starts_effect=True) as run:
        row = _started(run, step)
        if row is None:
            return True
        ToolSlot.objects.filter(effect_key=attempt.effect_key).delete()
        row.status, row.num_attempts = Step.Status.WAITING, max(row.num_attempts - 1, 0)
        row.save(update_fields=["status", "num_attempts"])
        record_spans(session=run.session, spans=[span_of(row, attributes=attempt.attributes)])
        return not is_stopped(run, attempt.contract)


def _put_off(run: Run, step: Step, attributes: dict[str, Any], seconds: float) -> None:
    step.status = Step.Status.WAITING
    step.save(update_fields=["status", "response"])
    extra = {**attributes_of(step, attributes), "waits_seconds": round(seconds, 1)}
    span = span_of(step, attributes=extra, status=Span.Status.RUNNING)
    record_spans(session=run.session, spans=[span])
    queue_later(run, timedelta(seconds=seconds))


def _ask(run: Run, step: Step, why: str) -> None:
    ask_what_happened(run, step, why)
    park_run(run, Run.Parked.EFFECT, f"Nobody knows whether {step.name} happened: {why}")


def _started(run: Run, step: Step) -> Step | None:
    """Return the step as it is stored; None where an earlier commit had arrived after all."""
    return Step.objects.filter(pk=step.pk, run=run, status=Step.Status.STARTED).first()


def _failed(attempt: Attempt, text: str, **extra: Any) -> CallOutcome:
    return CallOutcome(Step.Status.FAILED, {"error": text}, {**attempt.attributes, **extra})


def _health(end: _End, problems: list[str]) -> Outcome:
    if end.trouble or problems:
        return Outcome.UNAVAILABLE
    return Outcome.REFUSED if end.refusal else Outcome.OK


def _backoff(num_attempts: int, retry_after: float | None) -> float:
    """Return seconds to wait: doubling, with jitter, and no less than the tool asked for."""
    seconds: float = random.uniform(0.5, 1.0) * 2 ** min(num_attempts - 1, 10)  # noqa: S311
    asked = min(retry_after or 0.0, MAX_RETRY_AFTER_SECONDS)
    return max(min(seconds, MAX_BACKOFF_SECONDS), asked)


def _persistently(write: Callable[[], bool]) -> bool:
    """Write what is known now, also through a short absence of the database."""
    for seconds in _PATIENCE_SECONDS:
        try:
            return write()
        except (InterfaceError, OperationalError):
            time.sleep(seconds)
            close_old_connections()
    return write()
