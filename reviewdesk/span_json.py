"""A span as JSON: for programs that ask the API, and for people who copy a step."""

from typing import Any

from traces.models import Span


def span_json(span: Span) -> dict[str, Any]:
    """Return what is known of a span; what is unknown is null, a cost a plain number."""
    return {
        "span_id": span.span_id,
        "parent_id": span.parent_id or None,
        "kind": span.kind,
        "name": span.name,
        "start_ns": span.start_ns,
        "duration_ns": span.duration_ns,
        "status": span.status,
        "status_message": span.status_message,
        "model": span.model,
        "input_tokens": span.input_tokens,
        "output_tokens": span.output_tokens,
        "cached_tokens": span.cached_tokens,
        "reasoning_tokens": span.reasoning_tokens,
        "cost_usd": None if span.cost_usd is None else float(span.cost_usd),
        "cost_from": span.cost_from or None,
        "input": span.input,
        "output": span.output,
        "attributes": span.attributes,
    }
