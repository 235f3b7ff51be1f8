"""The step of a golden run in which a model plays the customer: asked once, and remembered.

What it says is in the journal before the agent hears it; a run that is resumed never asks again.
It costs the desk, not the agent: tokens and money stand on the span's attributes alone.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from agents.errors import ModelError, ModelUnavailableError, Usage
from agents.golden.customer import customer_messages, words_of
from agents.llm.client import Completion, complete
from agents.llm.routing import endpoint_for
from agents.models import Run, Step
from agents.runtime.claim import Claim, fenced, lend_connection
from agents.runtime.early import ends_lost, is_stopped
from agents.runtime.ending import end_run, note_progress, retry_later
from agents.runtime.entry import write_entry
from agents.runtime.journal import AskCustomer
from agents.runtime.record import new_step, span_of
from traces.clean import clean_text
from traces.pricing import price_table

TIMEOUT_SECONDS = 120.0
MAX_ATTEMPTS = 4
_BACKOFF_SECONDS = 2.0


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
        with fenced(claim) as run:
            return _after_failure(run, action, error)
    with fenced(claim) as run:
        _store(run, step, completion)
    return True


def _after_failure(run: Run, action: AskCustomer, error: ModelError) -> bool:
    attempts = run.num_retries + 1
    if isinstance(error, ModelUnavailableError) and attempts < MAX_ATTEMPTS:
        wait = error.retry_after or _BACKOFF_SECONDS**attempts
        retry_later(run, timedelta(seconds=wait))
        return False
    text = f"The model {action.model!r} that plays the customer failed: {error}"
    end_run(run, Run.Status.FAILED, failure=Run.Failure.MODEL, error=clean_text(text)[:2000])
    return False


def _store(run: Run, step: Step, completion: Completion) -> None:
    words = words_of(completion.content)
    step.run = run
    step.status, step.finished_at = Step.Status.DONE, run.read_at
    step.response = {"is_over": True} if words is None else {"content": clean_text(words)}
    if run.num_retries:
        Run.objects.filter(pk=run.pk).update(num_retries=0)
    note_progress(run)
    write_entry(
        run=run, step=step, span=span_of(step, attributes=_about(run, completion)),
    )  # fmt: skip


def _about(run: Run, completion: Completion) -> dict[str, Any]:
    usage = Usage(completion.model, completion.input_tokens, completion.output_tokens)
    cost = price_table(run.project_id).cost(
        model=usage.model,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        at=run.read_at.date(),
    )
    return {
        "played_by": "model",
        "customer_model": usage.model,
        "customer_tokens": (usage.input_tokens or 0) + (usage.output_tokens or 0),
        "customer_cost_usd": None if cost is None else str(cost),
    }
