"""The customer's step: a turn that is known, or what a model says that plays the customer.

What it says is in the journal before the agent hears it; a run that is resumed never asks again.
What it costs counts into the day's budget of the agent that is tested, but is no part of what its
run cost: tokens and money stand on the span's attributes alone.
"""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from agents.errors import ModelError, ModelRefusedError, ModelUnavailableError, Usage
from agents.golden.customer import customer_messages, words_of
from agents.llm.client import Completion, complete
from agents.llm.routing import endpoint_for
from agents.models import Run, Step
from agents.runtime.claim import Claim, fenced, lend_connection
from agents.runtime.early import ends_lost, is_stopped
from agents.runtime.ending import end_run, note_progress, retry_later
from agents.runtime.entry import WriteEntry, write_entry
from agents.runtime.journal import AskCustomer, TellCustomer
from agents.runtime.model_step import since
from agents.runtime.record import new_step, span_of
from agents.runtime.spending import cost_of, count, used_by
from traces.clean import clean_text

TIMEOUT_SECONDS = 120.0
MAX_ATTEMPTS = 4
_BACKOFF_SECONDS = 2.0


def tell_customer(
    run: Run, claim: Claim, action: TellCustomer, *, write: WriteEntry = write_entry
) -> Step:
    """Write what the customer says next, which is known; return its step."""
    step = new_step(run, claim.token, action.index, Step.Kind.CUSTOMER, "customer")
    step.status, step.response = Step.Status.DONE, {"content": action.content}
    step.finished_at = run.read_at
    note_progress(run)
    write(run=run, step=step, span=span_of(step))
    return step


def begin_customer(
    run: Run, claim: Claim, action: AskCustomer, steps: Sequence[Step]
) -> Callable[[], bool] | None:
    """Begin to ask the model that plays the customer, and return what asks it once.

    Called inside `fenced` with the authority lock; None if the run has ended or parked: a stop of
    models holds the customer's, too. The limits are the agent's; this speaks `max_turns` times at
    most. What it returns says False if the run ended or was put off.
    """
    if ends_lost(run) or is_stopped(run, None):
        return None
    step = action.step or new_step(run, claim.token, action.index, Step.Kind.CUSTOMER, "customer")
    step.claim_token = claim.token
    step.request = {"model": action.model, "goal": action.goal}
    write_entry(run=run, step=step, span=span_of(step, attributes={"played_by": "model"}))
    asked = customer_messages(action.goal, conversation_of(run.input, steps))
    return lambda: _ask(run, claim, step, action, asked)


def conversation_of(run_input: dict[str, Any], steps: Sequence[Step]) -> list[tuple[str, str]]:
    """Return who said what so far, `customer` or `agent`; calls of tools are left out."""
    said = [
        ("customer" if message["role"] == "user" else "agent", message["content"])
        for message in run_input["messages"]
    ]
    for step in steps:
        words = (step.response or {}).get("content")
        if step.kind == Step.Kind.TOOL or not isinstance(words, str) or not words.strip():
            continue
        said.append(("customer" if step.kind == Step.Kind.CUSTOMER else "agent", words))
    return said


def _ask(
    run: Run, claim: Claim, step: Step, action: AskCustomer, asked: list[dict[str, Any]]
) -> bool:
    lend_connection()
    began = time.monotonic()
    try:
        completion = complete(
            endpoint=endpoint_for(model=action.model, agent_base_url=run.agent.model_base_url),
            model=action.model,
            messages=asked,
            tools=[],
            parameters={},
            timeout_seconds=TIMEOUT_SECONDS,
        )
    except ModelError as error:
        milliseconds = since(began)
        with fenced(claim) as run:
            return _after_failure(run, action, error, milliseconds)
    milliseconds = since(began)
    with fenced(claim) as run:
        _store(run, step, completion, milliseconds)
    return True


def _after_failure(run: Run, action: AskCustomer, error: ModelError, milliseconds: int) -> bool:
    attempts = run.num_retries + 1
    usage = error.usage if isinstance(error, ModelRefusedError) else None
    cost = cost_of(usage, project_id=run.project_id, at=run.read_at.date())
    used = used_by(usage, cost, milliseconds)
    if isinstance(error, ModelUnavailableError) and attempts < MAX_ATTEMPTS:
        wait = error.retry_after or _BACKOFF_SECONDS**attempts
        retry_later(run, timedelta(seconds=wait))
        count(run, **used)
        return False
    text = f"The model {action.model!r} that plays the customer failed: {error}"
    end_run(run, Run.Status.FAILED, failure=Run.Failure.MODEL, error=clean_text(text)[:2000])
    count(run, **used)
    return False


def _store(run: Run, step: Step, completion: Completion, milliseconds: int) -> None:
    usage = Usage(completion.model, completion.input_tokens, completion.output_tokens)
    cost = cost_of(usage, project_id=run.project_id, at=run.read_at.date())
    words = words_of(completion.content)
    step.run = run
    step.status, step.finished_at = Step.Status.DONE, run.read_at
    step.response = {"is_over": True} if words is None else {"content": clean_text(words)}
    if run.num_retries:
        Run.objects.filter(pk=run.pk).update(num_retries=0)
    note_progress(run)
    write_entry(
        run=run,
        step=step,
        span=span_of(step, attributes=_about(usage, cost)),
        used=used_by(usage, cost, milliseconds),
    )


def _about(usage: Usage, cost: Decimal | None) -> dict[str, Any]:
    return {
        "played_by": "model",
        "customer_model": usage.model,
        "customer_tokens": (usage.input_tokens or 0) + (usage.output_tokens or 0),
        "customer_cost_usd": None if cost is None else str(cost),
    }
