"""A run's conversation as lines of text, while it goes on."""

import time
from collections.abc import Iterator

from agents.config import canonical_json
from agents.models import Run, Step, ToolApproval

POLL_SECONDS = 0.3
_WIDTH = 160
_MOVING = (Run.Status.QUEUED, Run.Status.RUNNING)
_ENDED = (Step.Status.DONE, Step.Status.FAILED)


def follow(run: Run, *, poll_seconds: float = POLL_SECONDS) -> Iterator[str]:
    """Yield the conversation line by line until the run ends or waits for a person.

    Brings `run` up to date; the last line says how it stands.
    """
    for message in run.input["messages"]:
        yield f"{'customer' if message['role'] == 'user' else 'agent'}: {message['content']}"
    told = -1
    while True:
        # The status first: whatever step came before it is read below.
        run.refresh_from_db(fields=["status", "error", "parked_for"])
        for step in run.steps.filter(index__gt=told).order_by("index"):
            if step.status not in _ENDED:
                break
            yield from _lines_of(step)
            told = step.index
        if run.status not in _MOVING:
            break
        time.sleep(poll_seconds)
    yield _ending(run)


def _lines_of(step: Step) -> Iterator[str]:
    response = step.response or {}
    if step.kind == Step.Kind.TOOL:
        arguments = canonical_json(step.request.get("arguments", {}))
        failed = "error" in response
        outcome = (
            f"error: {response['error']}" if failed else canonical_json(response.get("result"))
        )
        line = f"  {step.name} {arguments} -> {outcome}"
        yield line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"
    elif content := response.get("content"):
        yield f"{'customer' if step.kind == Step.Kind.CUSTOMER else 'agent'}: {content}"


def _ending(run: Run) -> str:
    if run.status == Run.Status.NEEDS_REVIEW:
        unknown = run.effect_reviews.filter(verdict="").order_by("pk")
        tools = ", ".join(unknown.values_list("step__name", flat=True))
        return f"The run waits for a person to say whether the call of {tools} happened."
    if run.status == Run.Status.WAITING and run.parked_for == Run.Parked.STOP:
        return "The run waits for a kill switch to be lifted."
    if run.status == Run.Status.WAITING:
        waiting = run.approvals.filter(status=ToolApproval.Status.WAITING)
        tools = ", ".join(waiting.order_by("pk").values_list("tool", flat=True))
        return f"The run waits for a person to decide the call of {tools}."
    if run.status == Run.Status.FAILED:
        return f"The run failed: {run.error}"
    if run.status == Run.Status.OVER_BUDGET:
        return f"The run ended over budget: {run.error}"
    return f"The run is {run.get_status_display()}."
