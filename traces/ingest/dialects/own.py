"""Our own export in OTLP, read back: the conventions' attributes, and `reviewdesk.*` beside them.

`traces/export/otlp.py` writes it. What the conventions hold without loss stands in their attributes
alone; the rest is JSON in ours.
"""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from traces.ingest.dialects.own_messages import message_of, messages_of
from traces.ingest.wire import WireSpan
from traces.records import EmitterRecord, IncomingSpan, SpanRecord

PREFIX = "reviewdesk."
KIND = "reviewdesk.kind"
SCOPE = "reviewdesk.export"
# Everything else under other names was the span's own.
WRITTEN = frozenset(
    {
        "gen_ai.operation.name",
        "gen_ai.request.model",
        "gen_ai.conversation.id",
        "gen_ai.agent.name",
        "gen_ai.agent.version",
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.tool.definitions",
        "gen_ai.tool.name",
        "gen_ai.tool.call.id",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.reasoning.output_tokens",
        "user.id",
    }
)
_COUNTS = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
}


def is_own(span: WireSpan) -> bool:
    """Say whether our own export wrote the span."""
    return KIND in span.attributes


def read_own(span: WireSpan) -> IncomingSpan:
    """Return the span as it was exported, with what it says of its session."""
    said = span.attributes
    about = _json(said, "session")
    about = about if isinstance(about, dict) else {}
    metadata = about.get("metadata")
    return IncomingSpan(
        record=_record(span, said),
        session_key=_text(said.get("gen_ai.conversation.id"))[:200],
        customer=_text(about.get("customer"))[:200],
        agent_name=_text(about.get("agent_name"))[:120],
        version_name=_text(about.get("version_name"))[:60],
        title=_text(about.get("title"))[:300],
        metadata=metadata if isinstance(metadata, dict) else {},
    )


def _record(span: WireSpan, said: dict[str, Any]) -> SpanRecord:
    start_ns = _count(said.get("reviewdesk.start_ns"))
    otel, masked = _json(said, "otel"), _json(said, "masked")
    return SpanRecord(
        span_id=_text(said.get("reviewdesk.span_id")) or span.span_id,
        parent_id=_text(said.get("reviewdesk.parent_id")) or span.parent_id,
        kind=_text(said[KIND]),
        name=_text(said.get("reviewdesk.name", span.name)),
        start_ns=span.start_ns if start_ns is None else start_ns,
        duration_ns=span.end_ns - span.start_ns,
        status=_text(said.get("reviewdesk.status")) or "ok",
        status_message=_text(said.get("reviewdesk.status_message")) or span.status_message,
        model=_text(said.get("gen_ai.request.model")),
        cost_usd=_cost(said.get("reviewdesk.cost_usd")),
        cost_from=_text(said.get("reviewdesk.cost_from")),
        heard=_text(said.get("reviewdesk.heard")),
        input=_input(said),
        output=_output(said),
        attributes=_attributes(said),
        trace_id=span.trace_id,
        emitter=_emitter(span),
        otel=otel if isinstance(otel, dict) else None,
        masked=counts_of(masked),
        **{field: _count(said.get(name)) for field, name in _COUNTS.items()},
    )


def counts_of(masked: Any) -> dict[str, int] | None:
    """Return what was masked, by kind, without what is no count: the totals add them up."""
    if not isinstance(masked, dict):
        return None
    return {
        str(kind): number
        for kind, number in masked.items()
        if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 2**31
    } or None


def _input(said: dict[str, Any]) -> Any:
    if "reviewdesk.input" in said:
        return _json(said, "input")
    if "gen_ai.tool.call.arguments" in said:
        return {"arguments": _parsed(said["gen_ai.tool.call.arguments"])}
    if "gen_ai.input.messages" not in said:
        return None
    given: dict[str, Any] = {"messages": messages_of(_parsed(said["gen_ai.input.messages"]))}
    new = _count(said.get("reviewdesk.new"))
    if new is not None:
        given["new"] = new
    if "gen_ai.tool.definitions" in said:
        given["tools"] = _parsed(said["gen_ai.tool.definitions"])
    return given


def _output(said: dict[str, Any]) -> Any:
    if "reviewdesk.output" in said:
        return _json(said, "output")
    if "gen_ai.tool.call.result" in said:
        return {"result": _parsed(said["gen_ai.tool.call.result"])}
    written = _parsed(said.get("gen_ai.output.messages"))
    if isinstance(written, list) and written:
        message = message_of(written[0])
        message.pop("role", None)
        return message
    return None


def _attributes(said: dict[str, Any]) -> dict[str, Any]:
    own = {
        name: value
        for name, value in said.items()
        if name not in WRITTEN and not name.startswith(PREFIX)
    }
    rest = _json(said, "attributes")
    return {**own, **rest} if isinstance(rest, dict) else own


def _emitter(span: WireSpan) -> EmitterRecord | None:
    """Return who sent the span at first; the export's own scope stands for nobody."""
    return None if span.emitter.scope.get("name") == SCOPE else span.emitter


def _json(said: dict[str, Any], name: str) -> Any:
    return _parsed(said.get(PREFIX + name))


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _cost(value: Any) -> Decimal | None:
    try:
        return Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        return None
