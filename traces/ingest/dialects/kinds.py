"""What kind of step a span is, by what its dialect calls it.

A retriever, a reranker and a guardrail are `other`: the model did not call them, so they are no
tool calls that a person would judge; embeddings keep their model, tokens and cost all the same.
"""

from traces.ingest.dialects.literals import plain
from traces.ingest.dialects.taken import Taken

_OPERATIONS = {
    "chat": "model",
    "text_completion": "model",
    "generate_content": "model",
    "execute_tool": "tool",
    "invoke_agent": "agent",
    "invoke_workflow": "agent",
    "create_agent": "other",
    "embeddings": "other",
    "retrieval": "other",
}
_KINDS = {
    "llm": "model",
    "chat_model": "model",
    "generation": "model",
    "completion": "model",
    "chat": "model",
    "tool": "tool",
    "agent": "agent",
    "workflow": "agent",
}
_VERCEL_AGENTS = ("ai.generateText", "ai.streamText", "ai.generateObject", "ai.streamObject")
_NAMED = (
    "openinference_kind",
    "traceloop_kind",
    "langsmith_kind",
    "langfuse_kind",
    "mlflow_kind",
    "request_type",
)
# Langfuse calls so whatever nobody gave a kind.
_ARE_NAMED = frozenset(_NAMED)
_VAGUE = ("span", "event", "unknown", "default")
_TOOL_SIGNS = ("call_id", "arguments")
_MODEL_SIGNS = ("flat_request", "flat_response", "input_tokens", "output_tokens", "response")


def kind_of(taken: Taken, *, has_words: bool, is_root: bool) -> str:
    """Take what names the span's kind and return it.

    Args:
        taken: Its attributes.
        has_words: Whether its events are messages to or from a model.
        is_root: A root that no dialect names is the agent, if anything went in or came out.
    """
    kind = _named(taken) or _guessed(taken, has_words)
    if kind == "other" and is_root and (taken.has("input") or taken.has("output")):
        return "agent"
    return kind


def _named(taken: Taken) -> str:
    operation = plain(taken.peek("operation"))
    if operation in _OPERATIONS and not taken.has_any(_ARE_NAMED):
        taken.take("operation")
        return _vercel(taken) or _OPERATIONS[operation]
    said = {field: plain(taken.peek(field)).lower() for field in _NAMED if taken.has(field)}
    kinds = [_KINDS.get(word, "") for word in said.values() if word not in _VAGUE]
    if operation in _OPERATIONS:
        taken.take("operation")
        kind = _OPERATIONS[operation]
    elif kinds:
        kind = next(filter(None, kinds), "other")
    else:
        kind = ""
    for field, word in said.items():
        if word in _VAGUE or _KINDS.get(word, "other") == kind:
            taken.take(field)
    return _vercel(taken) or kind


def _vercel(taken: Taken) -> str:
    """Return the kind of a span of the Vercel AI SDK: the outer one only repeats the inner."""
    if not taken.has("vercel_operation"):
        return ""
    operation = plain(taken.peek("vercel_operation")).split(" ")[0]
    if not operation.startswith("ai."):
        return ""
    if operation == "ai.toolCall":
        return "tool"
    if operation.endswith((".doGenerate", ".doStream")):
        return "model"
    return "agent" if operation in _VERCEL_AGENTS else "other"


def _guessed(taken: Taken, has_words: bool) -> str:
    if taken.has("tool") and any(taken.has(field) for field in _TOOL_SIGNS):
        return "tool"
    if taken.has("agent") and not taken.has("flat_request"):
        return "agent"
    if has_words or (taken.has("model") and any(map(taken.has, _MODEL_SIGNS))):
        return "model"
    if taken.has("request") and (taken.has("response") or taken.has("model")):
        return "model"
    return "other"
