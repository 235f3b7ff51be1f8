"""From a span as it was sent to the one form that the store keeps, whatever dialect it speaks."""

from typing import Any

from traces.ingest.dialects.facts import (
    error_of,
    metadata_of,
    otel_of,
    session_key_of,
    usage_of,
    version_of,
)
from traces.ingest.dialects.frameworks import prepare
from traces.ingest.dialects.kinds import kind_of
from traces.ingest.dialects.literals import plain
from traces.ingest.dialects.own import is_own, read_own
from traces.ingest.dialects.steps import Step, read_step
from traces.ingest.dialects.taken import Taken
from traces.ingest.dialects.words import has_words
from traces.ingest.wire import WireSpan
from traces.records import IncomingSpan, SpanRecord

_MAX_STATUS = 2_000
_NO_SERVICE = ("unknown_service",)
# What libraries call the root of any agent.
_NO_AGENTS = ("ai.", "Agent workflow", "invoke_agent", "agent.")


def normalise(span: WireSpan) -> IncomingSpan:
    """Return the span in the store's form, with what it says of its session.

    Attributes that were understood are not in `attributes` any more; all others are.
    """
    if is_own(span):
        return read_own(span)
    taken = Taken(span.attributes)
    hint = prepare(span, taken)
    words = tuple(event for event in span.events if has_words(event))
    is_root = not span.parent_id
    kind = hint.kind or kind_of(taken, has_words=bool(words), is_root=is_root)
    is_error, message = error_of(span, taken)
    usage = usage_of(taken, kind)
    agent = plain(taken.peek("agent"))
    step = read_step(kind, span, taken, words, hint.name)
    if is_error and kind == "tool":
        step = step.failed(message)
    customer = plain(taken.take("customer"))
    session_key = session_key_of(taken)
    agent = _agent_name(span, agent, kind, step)
    version = version_of(span, taken, is_root=is_root)
    title = plain(taken.take("title"))
    metadata = metadata_of(span, taken, is_root=is_root)
    record = SpanRecord(
        span_id=span.span_id,
        parent_id=span.parent_id,
        kind=kind,
        name=step.name,
        start_ns=span.start_ns,
        duration_ns=max(span.end_ns - span.start_ns, 0),
        status="error" if is_error else "ok",
        status_message=message[:_MAX_STATUS],
        model=step.model,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cached_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cost_usd=usage.cost_usd,
        cost_from="" if usage.cost_usd is None else "reported",
        heard=step.heard,
        input=step.input,
        output=step.output,
        attributes=_attributes(taken, step),
        trace_id=span.trace_id,
        emitter=span.emitter,
        otel=otel_of(span, words),
    )
    return IncomingSpan(
        record=record,
        session_key=session_key[:200],
        customer=customer[:200],
        agent_name=agent[:120],
        version_name=version[:60],
        title=title[:300],
        metadata=metadata,
    )


def _agent_name(span: WireSpan, said: str, kind: str, step: Step) -> str:
    """Return what the span calls its agent; of a root, the service's name where it says none."""
    if said and (kind == "agent" or not span.parent_id):
        return said
    if span.parent_id:
        return step.name if kind == "agent" and step.name != span.name else ""
    service = plain(span.emitter.resource.get("service.name"))
    if service and not service.startswith(_NO_SERVICE):
        return service
    return step.name if kind == "agent" and not step.name.startswith(_NO_AGENTS) else ""


def _attributes(taken: Taken, step: Step) -> dict[str, Any]:
    rest = taken.rest()
    if step.call_id:
        rest["call_id"] = step.call_id
    return rest
