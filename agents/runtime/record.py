"""The spans of a run: its steps as the trace store keeps them."""

import time
import uuid
from typing import Any

from agents.models import Run, Step
from traces.models import Span
from traces.recorder import new_span_id
from traces.records import SpanRecord


def root_span_id(run_id: uuid.UUID) -> str:
    """Return the root span's id: the first 16 hex digits of the run's."""
    return run_id.hex[:16]


def opening_spans(
    agent_name: str, run_id: uuid.UUID, messages: list[dict[str, str]], start_ns: int
) -> list[SpanRecord]:
    """Return the root span and one span per message of the run's input."""
    root = root_span_id(run_id)
    spans = [
        SpanRecord(
            span_id=root,
            kind=Span.Kind.AGENT,
            name=agent_name,
            start_ns=start_ns,
            status=Span.Status.RUNNING,
        )
    ]
    for offset, message in enumerate(messages, 1):
        is_customer = message["role"] == "user"
        spans.append(
            SpanRecord(
                span_id=new_span_id(),
                parent_id=root,
                kind=Span.Kind.CUSTOMER if is_customer else Span.Kind.MODEL,
                name="customer" if is_customer else "greeting",
                start_ns=start_ns + offset,
                output={"content": message["content"]},
                attributes={"given": True},
            )
        )
    return spans


def span_of(
    step: Step,
    *,
    attributes: dict[str, Any] | None = None,
    waited_ns: int = 0,
    status: Span.Status | None = None,
) -> SpanRecord:
    """Return a step as a span that lasts until now, without the `waited_ns` of waiting.

    Workers may not agree about the time to the millisecond; a span never lasts less than nothing.
    """
    end_ns = time.time_ns()
    response = step.response or {}
    is_model = step.kind == Step.Kind.MODEL
    extra = {"step": step.index, **(attributes or {})}
    if waited_ns:
        extra["waited_ns"] = waited_ns
    if step.call_id:
        extra["call_id"] = step.call_id
    return SpanRecord(
        span_id=step.span_id,
        parent_id=root_span_id(step.run_id),
        kind=step.kind,
        name=step.name or step.kind,
        start_ns=step.start_ns,
        duration_ns=0
        if step.kind == Step.Kind.CUSTOMER
        else max(end_ns - step.start_ns - waited_ns, 0),
        status=status or _STATUS[Step.Status(step.status)],
        status_message=str(response.get("error", "")),
        model=str(response.get("model") or step.name) if is_model else "",
        input_tokens=step.input_tokens,
        output_tokens=step.output_tokens,
        cost_usd=step.cost_usd,
        cost_from=Span.CostFrom.UNKNOWN if step.cost_usd is None else Span.CostFrom.COMPUTED,
        input=step.request or None,
        output=step.response,
        attributes=extra,
    )


def new_step(run: Run, claim_token: int, index: int, kind: Step.Kind, name: str) -> Step:
    """Return a step that starts now, of a run that `fenced` yielded; nothing is written."""
    return Step(
        run=run,
        index=index,
        kind=kind,
        status=Step.Status.STARTED,
        name=name[:120],
        claim_token=claim_token,
        span_id=new_span_id(),
        start_ns=time.time_ns(),
        started_at=run.read_at,
    )


_STATUS = {
    Step.Status.STARTED: Span.Status.RUNNING,
    Step.Status.WAITING: Span.Status.WAITING,
    Step.Status.UNKNOWN: Span.Status.WAITING,
    Step.Status.DONE: Span.Status.OK,
    Step.Status.FAILED: Span.Status.ERROR,
}
