"""The step that asks the model: started, asked outside any transaction, and stored.

Every attempt is a span of its own; what follows one that failed, `model_attempts` says.
"""

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from agents.config import VersionConfig
from agents.errors import ModelError, ModelRefusedError, ModelUnavailableError, Usage
from agents.llm.client import Completion, complete
from agents.llm.routing import endpoint_for
from agents.models import Run, Step
from agents.runtime.budgets import count
from agents.runtime.claim import Claim, fenced, lend_connection
from agents.runtime.early import ends_early, is_stopped
from agents.runtime.ending import end_run, note_progress, retry_later
from agents.runtime.entry import WriteEntry, write_entry
from agents.runtime.journal import CallModel, messages_of
from agents.runtime.model_attempts import (
    FailedAttempt,
    Kind,
    NextAttempt,
    failed_attempts,
    next_attempt,
)
from agents.runtime.record import new_step, span_of
from agents.runtime.spending import Used, cost_of, used_by
from agents.tools.autonomy import EffectiveLevel, levels_for_run
from agents.tools.contract import ToolContract
from traces.clean import clean_json, clean_text
from traces.models import Span
from traces.recorder import new_span_id, record_spans

# The start of a step's next attempt while that waits for its time.
_NOT_BEGUN = 0
_MAX_ERROR = 2000


def begin_model_call(
    run: Run, claim: Claim, action: CallModel, steps: list[Step], config: VersionConfig
) -> Callable[[], bool] | None:
    """Begin to ask a model, and return what asks it once; None if the run has ended or parked.

    Called inside `fenced` with the authority lock; what it returns, after that. This says False
    if the run has ended or was put off with it. True after a failure means that another model is
    to be asked at once, under the authority and limits that hold then.
    """
    if ends_early(run, steps, config, action) or is_stopped(run, None):
        return None
    tools = offered_tools(run, config)
    step = write_start(run, claim, action, config, tools)
    return lambda: _ask(run, claim, step, steps, config, tools)


def _ask(
    run: Run,
    claim: Claim,
    step: Step,
    steps: list[Step],
    config: VersionConfig,
    tools: list[ToolContract],
) -> bool:
    lend_connection()
    began = time.monotonic()
    try:
        completion = ask_model(run, step, steps, config, tools)
    except ModelError as error:
        milliseconds = since(began)
        with fenced(claim, known=run):
            return store_failure(run, step, config, error, milliseconds)
    milliseconds = since(began)
    with fenced(claim, known=run):
        store_completion(run, step, config, completion, milliseconds)
    return True


def ask_model(
    run: Run, step: Step, steps: list[Step], config: VersionConfig, tools: list[ToolContract]
) -> Completion:
    """Ask the model of a step that has begun, once.

    Raises:
        ModelError: It gave no answer that can be used.
    """
    return complete(
        endpoint=endpoint_for(model=step.name, agent_base_url=run.agent.model_base_url),
        model=step.name,
        messages=messages_of(config.system_prompt, run.input, steps),
        tools=[contract.to_openai() for contract in tools],
        parameters=config.parameters,
        timeout_seconds=config.limits.model_timeout_seconds,
    )


def write_start(
    run: Run,
    claim: Claim,
    action: CallModel,
    config: VersionConfig,
    tools: list[ToolContract],
    *,
    write: WriteEntry = write_entry,
) -> Step:
    """Write that a model call begins, and return its step."""
    step = action.step or new_step(run, claim.token, action.index, Step.Kind.MODEL, config.model)
    failed = step.request.get("attempts", [])
    step.request = {
        "parameters": config.parameters,
        "tools": [contract.name for contract in tools],
    }
    if failed:
        step.request["attempts"] = failed
    if step.start_ns == _NOT_BEGUN:
        step.start_ns = time.time_ns()
    step.claim_token, step.num_attempts = claim.token, len(failed) + 1
    # Not when it is queued: a thousand queued runs would use up a day of which none has begun.
    used: Used = {"runs": 1} if action.index == 0 and action.step is None else {}
    write(run=run, step=step, span=span_of(step, attributes=_about(step, config)), used=used)
    return step


def store_completion(
    run: Run,
    step: Step,
    config: VersionConfig,
    completion: Completion,
    milliseconds: int,
    *,
    write: WriteEntry = write_entry,
) -> None:
    """Write what a model answered after so many milliseconds; `run.read_at` is now."""
    usage = Usage(completion.model, completion.input_tokens, completion.output_tokens)
    step.response = clean_json(_response_json(completion))
    step.status, step.finished_at = Step.Status.DONE, run.read_at
    step.input_tokens, step.output_tokens = usage.input_tokens, usage.output_tokens
    step.cost_usd = cost_of(usage, project_id=run.project_id, at=step.finished_at.date())
    if run.num_retries:
        Run.objects.filter(pk=run.pk).update(num_retries=0)
    note_progress(run)
    write(
        run=run,
        step=step,
        span=span_of(step, attributes=_about(step, config)),
        used={**used_by(usage, step.cost_usd, milliseconds), "steps": 1},
        # What follows it begins at once, or ends or parks the run.
        are_totals_due=False,
    )


def store_failure(
    run: Run, step: Step, config: VersionConfig, error: ModelError, milliseconds: int
) -> bool:
    """Store an attempt that failed; True if the next one is made at once."""
    now = run.read_at
    attempt = _failed(step, error, now)
    failed = [*failed_attempts(step.request), attempt]
    following = next_attempt(config, failed, now=now.timestamp(), jitter=_jitter)
    usage = error.usage if isinstance(error, ModelRefusedError) else None
    cost = cost_of(usage, project_id=run.project_id, at=now.date())
    span = span_of(step, attributes=_about(step, config, attempt, following))
    span = replace(
        span,
        status=Span.Status.ERROR,
        status_message=attempt.error,
        input_tokens=usage.input_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
        cost_usd=cost,
        cost_from=Span.CostFrom.UNKNOWN if cost is None else Span.CostFrom.COMPUTED,
    )
    record_spans(session=run.session, spans=[span])
    is_at_once = _go_on(run, step, [each.to_json() for each in failed], following)
    count(run, **used_by(usage, cost, milliseconds))
    return is_at_once


def _go_on(
    run: Run, step: Step, failed: list[dict[str, Any]], following: NextAttempt | None
) -> bool:
    step.request = {**step.request, "attempts": clean_json(failed)}
    if following is None:
        step.save()
        end_run(run, Run.Status.FAILED, failure=Run.Failure.MODEL, error=failed[-1]["error"])
        return False
    step.name, step.span_id, step.start_ns = following.model, new_span_id(), _NOT_BEGUN
    step.save()
    if following.wait_seconds <= 0:
        return True
    retry_later(run, timedelta(seconds=following.wait_seconds))
    return False


def _failed(step: Step, error: ModelError, now: datetime) -> FailedAttempt:
    kind, wait = Kind.REFUSED, 0.0
    if isinstance(error, ModelUnavailableError):
        kind = Kind.RATE_LIMIT if error.is_rate_limit else Kind.UNAVAILABLE
        wait = error.retry_after or 0.0
    text = clean_text(str(error))[:_MAX_ERROR]
    return FailedAttempt(step.name, kind, text, wait, now.timestamp())


def _about(
    step: Step,
    config: VersionConfig,
    attempt: FailedAttempt | None = None,
    following: NextAttempt | None = None,
) -> dict[str, Any]:
    """Return what the span of an attempt says beside its model: which it is, and why it is made."""
    about: dict[str, Any] = {}
    before = failed_attempts(step.request)
    if before or attempt:
        about["attempt"] = len(before) + 1
    if before:
        about["because"] = before[-1].error
    if step.name != config.model:
        about["fallback"] = "model"
    if attempt:
        about["failure"], about["will_retry"] = str(attempt.kind), following is not None
    if following:
        about["next_model"] = following.model
        about["wait_seconds"] = round(following.wait_seconds, 3)
    return about


def since(began: float) -> int:
    """Return the milliseconds since a moment of `time.monotonic`."""
    return round((time.monotonic() - began) * 1000)


def _jitter(most: float) -> float:
    return random.uniform(0, most)  # noqa: S311


def _response_json(completion: Completion) -> dict[str, Any]:
    calls: list[dict[str, Any]] = []
    for number, call in enumerate(completion.tool_calls):
        is_double = any(call.id == other["id"] for other in calls)
        calls.append(
            {
                "id": f"{call.id}-{number}" if is_double or not call.id else call.id,
                "name": call.name,
                "arguments": call.arguments,
                "raw_arguments": call.raw_arguments,
            }
        )
    return {
        "content": completion.content,
        "tool_calls": calls,
        "model": completion.model,
        "finish_reason": completion.finish_reason,
    }


def offered_tools(run: Run, config: VersionConfig) -> list[ToolContract]:
    """Return the version's tools that are not off now, by name.

    A stopped tool is offered all the same: the run waits before its call, and is told of no change.
    """
    return offered(levels_for_run(run=run, tools=config.tools, now=run.read_at))


def offered(levels: Iterable[tuple[ToolContract, EffectiveLevel]]) -> list[ToolContract]:
    """Return the tools that the model is offered at these levels."""
    return [contract for contract, level in levels if level.is_offered and not contract.withdrawn]
