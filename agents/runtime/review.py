"""Settling a call of unknown outcome: a person says what became of it, once."""

import time
from typing import Any

import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from agents.errors import AlreadyDecidedError, ApprovalError, InvalidArgumentsError
from agents.models import EffectReview, Run, Step
from agents.runtime.calls import CallOutcome
from agents.runtime.ending import end_run, wake_run
from agents.runtime.hints import hint_on_commit
from agents.runtime.settling import happened, settle_step
from agents.tools.autonomy import database_now
from agents.tools.contract import ToolContract
from agents.tools.registry import UnknownToolError, contract_for
from agents.tools.results import result_problems
from traces.clean import clean_json, clean_text

MIN_REASON, MAX_REASON = 3, 1000
Verdict = EffectReview.Verdict


def decide_effect(
    *,
    review: EffectReview,
    verdict: EffectReview.Verdict,
    result: Any = None,
    reason: str,
    by: AbstractBaseUser,
) -> EffectReview:
    """Settle what became of a call, and let its run go on accordingly.

    - happened: the run goes on with `result` as what the call returned;
    - did_not: the call is tried again, under the authority that holds then;
    - abandoned: the run ends as cancelled.

    A run that has ended meanwhile stays ended; the verdict is recorded with its step.

    Args:
        review: Which call.
        verdict: What became of it.
        result: JSON, where it happened.
        reason: How the person knows; everybody reads it.
        by: Who says so; the caller checks the permission.

    Raises:
        ApprovalError: There is no reason or no such verdict.
        InvalidArgumentsError: The result is not what the tool's contract promises.
        AlreadyDecidedError: Somebody was faster.
    """
    verdict, reason = _checked(verdict, reason)
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action=str(verdict)):
        # The run first, as the worker does: the same order everywhere cannot deadlock.
        run = (
            Run.objects.select_for_update(of=("self",))
            .select_related("agent", "version", "session", "project")
            .get(pk=review.run_id)
        )
        row = EffectReview.objects.select_for_update().get(pk=review.pk)
        if row.verdict:
            raise AlreadyDecidedError(_who_was_faster(row))
        step = Step.objects.get(pk=row.step_id)
        contract = _contract(run, step)
        if verdict is Verdict.HAPPENED:
            row.result = _checked_result(contract, result)
        row.verdict, row.reason = verdict, reason
        row.decided_by_id, row.decided_at = by.pk, database_now()
        row.save(update_fields=["verdict", "result", "reason", "decided_by", "decided_at"])
        _follow(run, step, row, contract, by)
    return row


def _follow(
    run: Run,
    step: Step,
    review: EffectReview,
    contract: ToolContract | None,
    by: AbstractBaseUser,
) -> None:
    verdict, is_open = Verdict(review.verdict), run.status in Run.OPEN
    if verdict is Verdict.HAPPENED:
        outcome = happened(
            run=run, step=step, contract=contract, result=review.result, answered_by="person"
        )
        _settle(run, step, outcome, contract)
    elif verdict is Verdict.ABANDONED or not is_open:
        text = f"nobody knows whether it happened; abandoned by {by}: {review.reason}"
        if verdict is Verdict.DID_NOT:
            text = f"it did not happen, says {by}: {review.reason}"
        outcome = CallOutcome(Step.Status.FAILED, {"error": text}, {"answered_by": "person"})
        _settle(run, step, outcome, contract)
        if is_open:
            end_run(run, Run.Status.CANCELLED, error=f"abandoned by {by}: {review.reason}")
        return
    else:
        step.status, step.response = Step.Status.WAITING, None
        step.save(update_fields=["status", "response"])
    if run.status == Run.Status.NEEDS_REVIEW:
        wake_run(run)
        hint_on_commit()


def _settle(run: Run, step: Step, outcome: CallOutcome, contract: ToolContract | None) -> None:
    settle_step(run=run, step=step, outcome=outcome, contract=contract, began_ns=time.time_ns())


def _checked(verdict: EffectReview.Verdict, reason: str) -> tuple[EffectReview.Verdict, str]:
    if verdict not in (Verdict.HAPPENED, Verdict.DID_NOT, Verdict.ABANDONED):
        raise ApprovalError(
            "Say what became of the call: it happened, it did not, or you abandon it."
        )
    reason = clean_text(reason.strip())[:MAX_REASON]
    if len(reason) < MIN_REASON:
        raise ApprovalError(
            f"Say how you know, in at least {MIN_REASON} characters: it is kept with the call."
        )
    return Verdict(verdict), reason


def _checked_result(contract: ToolContract | None, result: Any) -> Any:
    result = clean_json(result)
    if contract is not None and (problems := result_problems(contract, result)):
        raise InvalidArgumentsError(problems)
    return result


def _contract(run: Run, step: Step) -> ToolContract | None:
    try:
        return contract_for(step.name, run.project_id)
    except UnknownToolError:
        return None


def _who_was_faster(row: EffectReview) -> str:
    return (
        f"{row.decided_by} was faster: at {row.decided_at:%H:%M} UTC they said that "
        f"{row.step.name} {row.get_verdict_display()}."
    )
