"""The step that does a tool call: decided in one transaction, which also does it in our database.

A call outside is only begun in it and is carried out by `agents.runtime.outside_step`. All calls
of a turn that need a person are asked when the first of them parks the run; they are decided in
any order, and made in the model's.
"""

import time
from bisect import insort
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta

from django.db import transaction

from agents.config import VersionConfig
from agents.models import Run, Step
from agents.runtime.calls import (
    Attempt,
    CallOutcome,
    Decided,
    NotYet,
    ask_ahead,
    decide_call,
    effect_key,
    without_contract,
)
from agents.runtime.claim import Claim
from agents.runtime.early import ends_early, is_stopped
from agents.runtime.ending import park_run, queue_later
from agents.runtime.entry import WriteEntry, write_entry
from agents.runtime.journal import CallTool
from agents.runtime.lost_call import LookUp, may_not_be_repeated, recover
from agents.runtime.outside_step import carry_out, find_out
from agents.runtime.record import new_step, span_of
from agents.runtime.settling import settle_step
from agents.runtime.unknown import ask_what_happened, was_sent
from agents.tools.contract import ToolContract
from agents.tools.registry import UnknownToolError, contract_for
from traces.models import Span
from traces.recorder import record_spans


def begin_tool_call(
    run: Run, claim: Claim, action: CallTool, steps: list[Step], config: VersionConfig
) -> bool | Callable[[], bool]:
    """Decide about one call and, in our own database, do it; `steps` then has its step.

    Called inside `fenced` with the authority lock. False if the run ended, parked or was put off
    with it; what is to be done outside is returned, to be called after the transaction.
    """
    began_ns = time.time_ns()
    if ends_early(run, steps, config, action):
        return False
    contract = _contract(run, action)
    if contract is not None and is_stopped(run, contract):
        return False
    begun = _decide(run, action, contract)
    step = action.step or new_step(run, claim.token, action.index, Step.Kind.TOOL, action.name)
    if isinstance(begun, LookUp):
        return lambda: find_out(claim, step, begun)
    if isinstance(begun, Attempt):
        _write_start(run, claim, action, step, begun)
        return lambda: carry_out(claim, step, begun)
    if action.step is None:
        insort(steps, step, key=lambda each: each.index)
    return _write(run, claim, action, step, contract, begun, began_ns)


def _decide(run: Run, action: CallTool, contract: ToolContract | None) -> Decided | LookUp | str:
    """Return what becomes of the call; a text says why nobody knows whether it happened."""
    step = action.step
    if step is not None and step.status == Step.Status.UNKNOWN:
        review = step.effect_reviews.filter(verdict="").first()
        return review.why if review else f"The outcome of {step.name} is unknown."
    is_lost = step is not None and step.status == Step.Status.STARTED
    if step is not None and is_lost and (found := recover(step, contract)):
        return found
    if contract is None:
        return without_contract(run, action)
    is_repeat = is_lost or was_sent(step)
    with transaction.atomic() if is_repeat else nullcontext():
        decided = decide_call(
            run=run, action=action, contract=contract, now=run.read_at, is_repeat=is_repeat
        )
        problem = may_not_be_repeated(contract, decided) if is_repeat else ""
        if problem:
            transaction.set_rollback(True)
    return problem or decided


def _write(
    run: Run,
    claim: Claim,
    action: CallTool,
    step: Step,
    contract: ToolContract | None,
    begun: CallOutcome | NotYet | str,
    began_ns: int,
) -> bool:
    """Write what needs no call outside; False if the run is parked or put off with it."""
    if isinstance(begun, str):
        ask_what_happened(run, step, begun)
        park_run(run, Run.Parked.EFFECT, f"Nobody knows whether {step.name} happened: {begun}")
        return False
    _describe(step, action, claim)
    if isinstance(begun, NotYet):
        _put_off(run, step, begun)
        return False
    if begun.status is not Step.Status.WAITING:
        _settle(run, action, step, contract, begun, began_ns)
        return True
    _write_waiting(run, step, begun)
    _ask_about_later(run, claim, action)
    park_run(run, Run.Parked.APPROVAL)
    return False


def write_answer(
    run: Run,
    claim: Claim,
    action: CallTool,
    contract: ToolContract | None,
    outcome: CallOutcome,
    *,
    write: WriteEntry,
) -> Step:
    """Write a call that was answered just now without being begun, and return its step."""
    began_ns = time.time_ns()
    step = new_step(run, claim.token, action.index, Step.Kind.TOOL, action.name)
    _describe(step, action, claim)
    _settle(run, action, step, contract, outcome, began_ns, write)
    return step


def _settle(
    run: Run,
    action: CallTool,
    step: Step,
    contract: ToolContract | None,
    outcome: CallOutcome,
    began_ns: int,
    write: WriteEntry = write_entry,
) -> None:
    if outcome.made_with is not None and contract is not None:
        step.effect_key, step.tool_version = effect_key(run, action), contract.version
    settle_step(
        run=run,
        step=step,
        outcome=outcome,
        contract=contract,
        began_ns=began_ns,
        now=run.read_at,
        write=write,
    )


def _write_start(run: Run, claim: Claim, action: CallTool, step: Step, attempt: Attempt) -> None:
    _describe(step, action, claim)
    # A step has a key from its first attempt on.
    step.num_attempts = step.num_attempts + 1 if step.effect_key else 1
    step.effect_key, step.tool_version = attempt.effect_key, attempt.contract.version
    memory = step.response or {}
    step.response = {**memory, "is_sent": was_sent(step) or step.status == Step.Status.STARTED}
    if step.num_attempts == 1:
        step.response = None
    step.status = Step.Status.STARTED
    span = span_of(step, attributes={**attempt.attributes, "effect_key": step.effect_key})
    write_entry(run=run, step=step, span=span)


def _write_waiting(run: Run, step: Step, outcome: CallOutcome) -> None:
    step.status, step.response, step.finished_at = Step.Status.WAITING, None, None
    step.save()
    if outcome.approval:
        outcome.approval.step = step
        outcome.approval.save()
    record_spans(session=run.session, spans=[span_of(step, attributes=outcome.attributes)])


def _ask_about_later(run: Run, claim: Claim, action: CallTool) -> None:
    """Ask about the turn's other calls that need a person, so that all can be decided now."""
    for later in action.later:
        contract = _contract(run, later)
        if contract is None:
            continue
        asked = ask_ahead(run=run, action=later, contract=contract, now=run.read_at)
        if isinstance(asked, CallOutcome):
            step = new_step(run, claim.token, later.index, Step.Kind.TOOL, later.name)
            _describe(step, later, claim)
            _write_waiting(run, step, asked)


def _put_off(run: Run, step: Step, later: NotYet) -> None:
    """Queue the run for when the call may start; what an earlier attempt came to is kept."""
    if later.is_for_decision:
        queue_later(run, timedelta(seconds=later.seconds))
        return
    if step.status == Step.Status.STARTED and step.effect_key:
        step.response = {**(step.response or {}), "is_sent": True}
    step.status = Step.Status.WAITING
    step.save()
    attributes = {**later.attributes, "waits_seconds": round(later.seconds, 1)}
    span = span_of(step, attributes=attributes, status=Span.Status.RUNNING)
    record_spans(session=run.session, spans=[span])
    queue_later(run, timedelta(seconds=later.seconds))


def _describe(step: Step, action: CallTool, claim: Claim) -> None:
    step.call_id, step.claim_token = action.call_id, claim.token
    step.request = {"arguments": action.arguments}
    if action.arguments is None:
        step.request["raw_arguments"] = action.raw_arguments


def _contract(run: Run, action: CallTool) -> ToolContract | None:
    try:
        return contract_for(action.name, run.project_id)
    except UnknownToolError:
        return None
