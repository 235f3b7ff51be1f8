"""What single frameworks do in their own way, put right before the span is read."""

from dataclasses import dataclass

from traces.ingest.dialects.literals import parsed, plain
from traces.ingest.dialects.taken import Taken
from traces.ingest.wire import WireSpan

_BEEAI = "openinference.instrumentation.beeai"


@dataclass(frozen=True)
class Hint:
    """What the framework settles; empty where it does not."""

    kind: str = ""
    name: str = ""


_NO_HINT = Hint()


def prepare(span: WireSpan, taken: Taken) -> Hint:
    """Return what the span's framework settles beforehand."""
    scope = span.emitter.scope.get("name")
    if scope == _BEEAI:
        return _beeai(taken)
    if taken.has("langfuse_kind"):
        return _langfuse(span, taken)
    return _NO_HINT


def _beeai(taken: Taken) -> Hint:
    """BeeAI makes a span of every event of a step; only the one with the result is the step."""
    target = plain(taken.get("target"))
    parts = target.split(".")
    if len(parts) < 3 or parts[0] not in ("tool", "backend"):
        return _NO_HINT
    if parts[0] == "tool":
        is_result = parts[-1] in ("success", "error")
        return Hint("tool" if is_result else "other", parts[-2])
    return Hint("model" if parts[-1] in ("success", "error") else "other", "")


def _langfuse(span: WireSpan, taken: Taken) -> Hint:
    """Langfuse's older clients call a tool's span a span: its result is LangChain's message."""
    if taken.peek("langfuse_kind") not in ("span", "SPAN"):
        return _NO_HINT
    output = taken.peek("output")
    if not isinstance(output, str | dict) or (isinstance(output, str) and len(output) > 1_000_000):
        return _NO_HINT
    if isinstance(output, str) and '"tool_call_id"' not in output:
        return _NO_HINT
    value = parsed(output)
    if isinstance(value, dict) and isinstance(value.get("kwargs"), dict):
        names = value.get("id")
        is_tool = isinstance(names, list) and bool(names) and names[-1] == "ToolMessage"
        return Hint("tool", span.name) if is_tool else _NO_HINT
    is_tool = isinstance(value, dict) and value.get("type") == "tool" and "tool_call_id" in value
    return Hint("tool", span.name) if is_tool else _NO_HINT
