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
        return _beeai(span, taken)
    if taken.get("crew_agents") is not None:
        return _crewai(taken)
    if taken.has("langfuse_kind"):
        return _langfuse(span, taken)
    return _NO_HINT


def _beeai(span: WireSpan, taken: Taken) -> Hint:
    """BeeAI's ReAct agents make a span of every event of a step; one of them stands for the step.

    Of a tool call that is the agent's update with the result, of a model call its start: the end
    has only the last of the tokens, each as a message.
    """
    target = plain(taken.get("target")) or span.name.rpartition("-")[0]
    what, _, event = target.rpartition(".")
    if what.startswith("backend."):
        return Hint("model" if event == "start" else "other")
    if what.startswith("tool."):
        return Hint("other")
    if what == "agent.react":
        is_call = event == "update" and taken.has("tool") and taken.has("output")
        return Hint("tool" if is_call else "other")
    return _NO_HINT


def _crewai(taken: Taken) -> Hint:
    """CrewAI lists a crew's agents by their roles, and names none of its spans after one."""
    agents = parsed(taken.get("crew_agents"))
    listed = agents if isinstance(agents, list) else []
    roles = [plain(each.get("role")) for each in listed if isinstance(each, dict)]
    names = ", ".join(filter(None, roles))
    return Hint("agent", names) if names and taken.has("output") else _NO_HINT


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
