"""The step that asks the model: started, asked outside any transaction, and stored."""

import random
import time
from datetime import timedelta
from typing import Any

from agents.config import VersionConfig
from agents.errors import ModelRefusedError, ModelUnavailableError
from agents.llm.client import Completion, complete
from agents.llm.routing import endpoint_for
from agents.models import AgentTool, Run, Step
from agents.runtime.claim import Claim, fenced
from agents.runtime.early import ends_early
from agents.runtime.ending import end_run, retry_later
from agents.runtime.journal import CallModel, messages_of
from agents.runtime.record import new_step, root_span_id, span_of
from agents.tools.autonomy import database_now, effective_levels
from agents.tools.contract import ToolContract
from agents.tools.registry import contracts
from traces.clean import clean_json
from traces.models import Span
from traces.pricing import price_table
from traces.recorder import new_span_id, record_spans
from traces.records import SpanRecord

MAX_RETRIES = 5


def call_model(claim: Claim, action: CallModel, steps: list[Step], config: VersionConfig) -> bool:
    """Ask the model once; False if the run has ended or was put off with it."""
    with fenced(claim) as run:
        if ends_early(run, steps, config):
            return False
        step = action.step or new_step(
            run, claim.token, action.index, Step.Kind.MODEL, config.model
        )
        tools = offered_tools(run, config)
        step.request = {
            "parameters": config.parameters,
            "tools": [contract.name for contract in tools],
        }
        step.save()
        record_spans(session=run.session, spans=[span_of(step)])
    try:
        completion = complete(
            endpoint=endpoint_for(model=config.model, agent_base_url=run.agent.model_base_url),
            model=config.model,
            messages=messages_of(config.system_prompt, run.input, steps),
            tools=[contract.to_openai() for contract in tools],
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


def offered_tools(run: Run, config: VersionConfig) -> list[ToolContract]:
    """Return the version's tools that are not off now, by name.

    A stopped tool is offered all the same: the run waits before its call, and is told of no change.
    """
    found = AgentTool.objects.filter(agent=run.agent, name__in=config.tools)
    given = list(found.select_related("agent").order_by("name"))
    levels = effective_levels(given, now=database_now(), run=run)
    known = {contract.name: contract for contract in contracts(run.project_id)}
    return [
        known[tool.name]
        for tool in given
        if tool.name in known and tool.pk in levels and levels[tool.pk].is_offered
    ]
