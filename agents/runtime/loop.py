"""Advancing a run: one step after the other, each written under the claim before the next."""

import json
import logging
import random
import time
import uuid
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, InterfaceError, OperationalError

from agents.config import VersionConfig, config_from_json
from agents.errors import ClaimLostError, ModelRefusedError, ModelUnavailableError
from agents.llm.client import Completion, complete
from agents.llm.routing import endpoint_for
from agents.models import AgentTool, Level, Run, Step
from agents.runtime.calls import perform_call
from agents.runtime.claim import MAX_RECOVERIES, Claim, claim_due_run, fenced, let_go
from agents.runtime.ending import end_run, park_run, retry_later
from agents.runtime.journal import (
    CallModel,
    CallTool,
    TellCustomer,
    is_handed_over,
    messages_of,
    next_action,
    totals,
)
from agents.runtime.record import root_span_id, span_of
from agents.tools.autonomy import database_now, effective_level
from agents.tools.registry import contract_for, contracts
from traces.clean import clean_json
from traces.models import Session, Span
from traces.pricing import price_table
from traces.recorder import new_span_id, record_spans
from traces.records import SpanRecord

_logger = logging.getLogger(__name__)
MAX_RETRIES = 5


def advance(run_id: uuid.UUID | None = None) -> bool:
    """Claim a due run (or this one) and advance it until it ends or parks; False if none is due."""
    claim = claim_due_run(run_id)
    if claim is None:
        return False
    advance_claimed(claim)
    return True


def advance_claimed(claim: Claim) -> None:
    """Advance a claimed run until it ends or parks.

    A lost claim ends the loop without a trace. A database that is away interrupts the run: what
    was begun is rolled back, and the run goes on from its journal when its lease has ended. Any
    other error is stored as the run's failure and raised.
    """
    try:
        while advance_step(claim):
            pass
    except ClaimLostError as error:
        _logger.info("%s", error)
    except (InterfaceError, OperationalError) as error:
        _logger.warning("Run %s is interrupted and will go on: %s", claim.run_id, error)
    except Exception as error:
        _store_defect(claim, error)
        raise
    finally:
        let_go(claim)


def advance_step(claim: Claim) -> bool:
    """Do what comes next in a claimed run; False if the run has ended or parked with it.

    Raises:
        ClaimLostError: Another worker holds the run now.
    """
    run = Run.objects.select_related("agent", "version", "session").get(pk=claim.run_id)
    steps = list(run.steps.order_by("index"))
    config = config_from_json(run.version.config)
    action = next_action(run.input, steps)
    if isinstance(action, CallModel):
        return _call_model(claim, action, steps, config)
    if isinstance(action, CallTool):
        return _call_tool(claim, action, steps, config)
    if isinstance(action, TellCustomer):
        return _tell_customer(claim, action)
    return _finish(claim, steps)


def _call_model(claim: Claim, action: CallModel, steps: list[Step], config: VersionConfig) -> bool:
    with fenced(claim) as run:
        if _ends_early(run, steps, config):
            return False
        step = action.step or _start_step(run, claim, action.index, Step.Kind.MODEL, config.model)
        tools = offered_tools(run, config)
        step.request = {"parameters": config.parameters, "tools": tools}
        step.save(update_fields=["request"])
        record_spans(session=run.session, spans=[span_of(step)])
    try:
        completion = complete(
            endpoint=endpoint_for(model=config.model, agent_base_url=run.agent.model_base_url),
            model=config.model,
            messages=messages_of(config.system_prompt, run.input, steps),
            tools=[contract_for(name).to_openai() for name in tools],
            parameters=config.parameters,
        )
    except ModelUnavailableError as error:
        return _after_unavailable(claim, config, error)
    except ModelRefusedError as error:
        with fenced(claim) as run:
            end_run(run, Run.Status.FAILED, failure=Run.Failure.MODEL, error=str(error))
        return False
    with fenced(claim) as run:
        _store_completion(run, step, completion)
    return True


def _store_completion(run: Run, step: Step, completion: Completion) -> None:
    step.response = clean_json(_response_json(completion))
    step.status, step.finished_at = Step.Status.DONE, database_now()
    step.input_tokens, step.output_tokens = completion.input_tokens, completion.output_tokens
    step.cost_usd = price_table(run.project_id).cost(
        model=completion.model,
        input_tokens=completion.input_tokens,
        output_tokens=completion.output_tokens,
        at=step.finished_at.date(),
    )
    step.save()
    if run.num_retries:
        Run.objects.filter(pk=run.pk).update(num_retries=0)
    record_spans(session=run.session, spans=[span_of(step)])


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


def _after_unavailable(claim: Claim, config: VersionConfig, error: ModelUnavailableError) -> bool:
    with fenced(claim) as run:
        end_ns = time.time_ns()
        attempt = SpanRecord(
            span_id=new_span_id(),
            parent_id=root_span_id(run.pk),
            kind=Span.Kind.MODEL,
            name=config.model,
            model=config.model,
            start_ns=end_ns,
            status=Span.Status.ERROR,
            status_message=str(error),
            attributes={
                "attempt": run.num_retries + 1,
                "will_retry": run.num_retries < MAX_RETRIES,
            },
        )
        record_spans(session=run.session, spans=[attempt])
        if run.num_retries >= MAX_RETRIES:
            end_run(run, Run.Status.FAILED, failure=Run.Failure.MODEL, error=str(error))
        else:
            backoff = random.uniform(0.5, 1.0) * 2**run.num_retries  # noqa: S311
            retry_later(run, timedelta(seconds=max(backoff, error.retry_after or 0)))
    return False


def _call_tool(claim: Claim, action: CallTool, steps: list[Step], config: VersionConfig) -> bool:
    with fenced(claim) as run:
        if _ends_early(run, steps, config):
            return False
        now = database_now()
        waited_ns = time.time_ns() - action.step.start_ns if action.step else 0
        step = action.step or _new_step(run, claim, action.index, Step.Kind.TOOL, action.name)
        step.call_id = action.call_id
        step.request = {"arguments": action.arguments}
        if action.arguments is None:
            step.request["raw_arguments"] = action.raw_arguments
        outcome = perform_call(run=run, action=action, now=now)
        step.status, step.response = outcome.status, outcome.response
        is_waiting = outcome.status is Step.Status.WAITING
        step.finished_at = None if is_waiting else database_now()
        step.save()
        if outcome.approval:
            outcome.approval.step = step
            outcome.approval.save()
        span = span_of(step, attributes=outcome.attributes, waited_ns=waited_ns)
        record_spans(session=run.session, spans=[span])
        if is_waiting:
            park_run(run)
    return not is_waiting


def _tell_customer(claim: Claim, action: TellCustomer) -> bool:
    with fenced(claim) as run:
        if run.cancel_requested_at:
            end_run(run, Run.Status.CANCELLED, error=run.error)
            return False
        step = _new_step(run, claim, action.index, Step.Kind.CUSTOMER, "customer")
        step.status, step.response = Step.Status.DONE, {"content": action.content}
        step.finished_at = database_now()
        step.save()
        record_spans(session=run.session, spans=[span_of(step)])
    return True


def _finish(claim: Claim, steps: list[Step]) -> bool:
    with fenced(claim) as run:
        handover = {contract.name for contract in contracts() if contract.is_handover}
        is_over = is_handed_over(run, steps, handover)
        status = Session.Status.HANDED_OVER if is_over else Session.Status.COMPLETED
        end_run(run, Run.Status.COMPLETED, session_status=status)
    return False


def _ends_early(run: Run, steps: list[Step], config: VersionConfig) -> bool:
    """End the run where it was cancelled, lost too often, or is over a limit; say if so."""
    if run.cancel_requested_at:
        end_run(run, Run.Status.CANCELLED, error=run.error)
    elif run.num_recoveries > MAX_RECOVERIES:
        text = f"given up: its worker was lost {run.num_recoveries} times"
        end_run(run, Run.Status.FAILED, failure=Run.Failure.LOST, error=text)
    elif text := _limit_passed(run, steps, config):
        end_run(run, Run.Status.FAILED, failure=Run.Failure.LIMIT, error=text)
    else:
        return False
    return True


def _limit_passed(run: Run, steps: list[Step], config: VersionConfig) -> str:
    limits = config.limits
    num_steps = sum(
        step.kind != Step.Kind.CUSTOMER and step.status in {Step.Status.DONE, Step.Status.FAILED}
        for step in steps
    )
    tokens, cost = totals(steps)
    seconds = run.session.working_ns / 1e9
    if num_steps >= limits.max_steps:
        return f"over its limit of {limits.max_steps} steps"
    if tokens >= limits.max_tokens:
        return f"over its limit of {limits.max_tokens:,} tokens: {tokens:,} used"
    if cost >= limits.max_cost_usd:
        return f"over its limit of ${limits.max_cost_usd:.2f}: ${cost:.4f} used"
    if seconds >= limits.max_seconds:
        return f"over its limit of {limits.max_seconds} s of work: {seconds:.0f} s used"
    return ""


def offered_tools(run: Run, config: VersionConfig) -> list[str]:
    """Return the names of the version's tools that are not off now, sorted."""
    given = (
        AgentTool.objects.filter(agent=run.agent, name__in=config.tools)
        .select_related("agent")
        .prefetch_related("agent__ceiling_lifts")
        .order_by("name")
    )
    now = database_now()
    known = {contract.name for contract in contracts()}
    return [
        tool.name
        for tool in given
        if tool.name in known and effective_level(tool, now=now).level is not Level.OFF
    ]


def _start_step(run: Run, claim: Claim, index: int, kind: Step.Kind, name: str) -> Step:
    step = _new_step(run, claim, index, kind, name)
    step.save()
    return step


def _new_step(run: Run, claim: Claim, index: int, kind: Step.Kind, name: str) -> Step:
    return Step(
        run=run,
        index=index,
        kind=kind,
        status=Step.Status.STARTED,
        name=name[:120],
        claim_token=claim.token,
        span_id=new_span_id(),
        start_ns=time.time_ns(),
        started_at=database_now(),
    )


def _store_defect(claim: Claim, error: Exception) -> None:
    try:
        with fenced(claim) as run:
            text = f"{type(error).__name__}: {error}"
            end_run(run, Run.Status.FAILED, failure=Run.Failure.DEFECT, error=text[:2000])
    except (ClaimLostError, IntegrityError, json.JSONDecodeError):
        _logger.warning("The failure of run %s could not be stored.", claim.run_id)
