"""What a span says beside its words: tokens, cost, failure, session and who sent it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from traces.ingest.dialects.literals import cost_of, count_of, parsed, plain
from traces.ingest.dialects.taken import Taken
from traces.ingest.wire import WireEvent, WireSpan

_NO_ID = ("", "none", "null", "undefined")
# OpenAI's chained answers name the answer before as the conversation: another one each turn.
_ANSWER_IDS = ("resp_",)
_METADATA_PREFIXES = (
    "langfuse.trace.metadata.",
    "traceloop.association.properties.",
    "ai.telemetry.metadata.",
    "langsmith.metadata.",
)
_USAGE = {
    "input_tokens": ("input", "input_tokens", "prompt_tokens"),
    "output_tokens": ("output", "output_tokens", "completion_tokens"),
    "cached_tokens": (
        "input_cached_tokens",
        "input_cache_read",
        "cache_read_input_tokens",
        "prompt_details.cache_read",
    ),
    "reasoning_tokens": (
        "output_reasoning_tokens",
        "output_reasoning",
        "completion_details.reasoning",
        "reasoning_tokens",
    ),
}


@dataclass(frozen=True)
class Usage:
    """Tokens and cost of a call; None is unknown."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: Decimal | None = None


_NOTHING = Usage()


def usage_of(taken: Taken, kind: str) -> Usage:
    """Take tokens and cost of a model call or an embedding.

    Of an agent's span they are the sum over its calls, which have spans of their own: there they
    stay among the attributes, or a session would count them twice.
    """
    is_call = kind == "model" or (kind == "other" and taken.has("model"))
    if not is_call:
        return _NOTHING
    usage = _whole(parsed(taken.peek("usage")))
    counts = {field: _count(taken, field, usage) for field in _USAGE}
    cost = _taken_cost(taken)
    if isinstance(usage, dict) and usage:
        taken.take("usage")
    total = count_of(taken.peek("total_tokens"))
    known = counts["input_tokens"], counts["output_tokens"]
    if total is not None and None not in known and total == sum(filter(None, known)):
        taken.take("total_tokens")
    return Usage(**counts, cost_usd=cost)


def error_of(span: WireSpan, taken: Taken) -> tuple[bool, str]:
    """Return whether the span failed, and the message.

    It did if its status says so, or, where no status is set, if it names an error type or an
    exception was recorded in it.
    """
    error_type = plain(taken.peek("error_type"))
    level = plain(taken.peek("level"))
    exception = next((event for event in span.events if event.name == "exception"), None)
    is_error = (
        span.status_code == 2
        or level == "ERROR"
        or (span.status_code == 0 and (bool(error_type) or exception is not None))
    )
    if not is_error:
        return False, span.status_message
    said = plain(taken.peek("level_message"))
    taken.take("level")
    message = span.status_message or said or _exception_text(exception) or error_type
    if message == said:
        taken.take("level_message")
    if message == error_type:
        taken.take("error_type")
    return True, message


def session_key_of(taken: Taken) -> str:
    """Take the conversation's id, unless it is only the answer before's."""
    said = plain(taken.peek("session"))
    if said.lower() in _NO_ID or said.startswith(_ANSWER_IDS):
        return ""
    taken.take("session")
    return said


def version_of(span: WireSpan, taken: Taken, *, is_root: bool) -> str:
    """Take the agent's version; of a root, the service's where it says none."""
    said = plain(taken.take("version"))
    if said or not is_root:
        return said
    return plain(span.emitter.resource.get("service.version"))


def metadata_of(span: WireSpan, taken: Taken, *, is_root: bool) -> dict[str, Any]:
    """Take what the span says of its session: tags, environment and named values."""
    metadata = taken.take_prefixed(_METADATA_PREFIXES)
    if is_root:
        named = parsed(taken.peek("metadata"))
        if isinstance(named, dict):
            taken.take("metadata")
            metadata |= named
        if trace := plain(taken.pop("langfuse.trace.name")):
            metadata["trace_name"] = trace
    tags = parsed(taken.peek("tags"))
    if isinstance(tags, list | tuple) and tags:
        taken.take("tags")
        metadata["tags"] = [plain(tag) for tag in tags if plain(tag)]
    environment = plain(taken.take("environment")) or (_environment(span) if is_root else "")
    if environment and environment != "default":
        metadata["environment"] = environment
    return metadata


def otel_of(span: WireSpan, words: tuple[WireEvent, ...]) -> dict[str, Any] | None:
    """Return what an export needs beside the record; events that became messages are left out."""
    left = [event for event in span.events if event not in words] if words else span.events
    events = [_event(event) for event in left]
    otel: dict[str, Any] = {}
    if span.kind:
        otel["kind"] = span.kind
    if span.status_code:
        otel["status_code"] = span.status_code
    if events:
        otel["events"] = events
    if span.links:
        otel["links"] = list(span.links)
    if span.flags:
        otel["flags"] = span.flags
    if span.trace_state:
        otel["trace_state"] = span.trace_state
    if span.dropped:
        otel["dropped"] = span.dropped
    return otel or None


def _event(event: WireEvent) -> dict[str, Any]:
    found: dict[str, Any] = {"name": event.name, "time_ns": event.time_ns}
    if event.attributes:
        found["attributes"] = event.attributes
    if event.body is not None:
        found["body"] = event.body
    return found


def _whole(usage: Any) -> Any:
    """Return Langfuse's counts with their parts added in, where it took those out of them.

    Source: Langfuse, "Usage types": of OpenAI's usage, cached and reasoning tokens are taken out
    of input and output, so that all counts add up to the total.
    """
    if not isinstance(usage, dict):
        return usage
    counts = {
        name: count for name, value in usage.items() if (count := count_of(value)) is not None
    }
    total = counts.pop("total", None)
    if total is None or sum(counts.values()) != total:
        return usage
    return usage | {
        side: sum(count for name, count in counts.items() if name.split("_")[0] == side)
        for side in ("input", "output")
        if side in counts
    }


def _count(taken: Taken, field: str, usage: Any) -> int | None:
    count = count_of(taken.peek(field))
    if count is not None:
        taken.take(field)
        return count
    if isinstance(usage, dict):
        return next(
            (c for name in _USAGE[field] if (c := count_of(usage.get(name))) is not None), None
        )
    return None


def _taken_cost(taken: Taken) -> Decimal | None:
    cost = cost_of(taken.peek("cost"))
    if cost is not None:
        taken.take("cost")
        return cost
    costs = parsed(taken.peek("costs"))
    cost = cost_of(costs.get("total", costs.get("total_cost"))) if isinstance(costs, dict) else None
    if cost is not None:
        taken.take("costs")
    return cost


def _exception_text(event: WireEvent | None) -> str:
    if event is None:
        return ""
    said = plain(event.attributes.get("exception.message"))
    return said or plain(event.attributes.get("exception.type")) or "an exception was recorded"


def _environment(span: WireSpan) -> str:
    resource = span.emitter.resource
    return plain(
        resource.get("deployment.environment.name")
        or resource.get("deployment.environment")
        or resource.get("langfuse.environment")
    )
