"""The parts of a message's content, of whatever shape, sorted into text, calls and results.

Shapes: OpenTelemetry GenAI's parts, OpenAI's content parts and Responses items, Anthropic's
content blocks, Gemini's parts, the Vercel AI SDK's, LangChain's, LlamaIndex's and Pydantic AI's.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from traces.ingest.dialects.literals import parsed, plain, text_of

_TEXT_KEYS = ("text", "content", "value", "output_text", "refusal")
_CALL_NAMES = ("name", "toolName", "tool_name")
_CALL_IDS = ("id", "call_id", "toolCallId", "tool_call_id", "tool_use_id")
_ARGUMENTS = ("arguments", "input", "args", "parameters")
_RESULTS = ("response", "result", "output", "content", "functionResponse")


@dataclass
class Sorted:
    """What the parts of one message say.

    Attributes:
        results: Answers to calls, each a message of its own in OpenAI's form.
        others: Parts that are no text (pictures, files), as they came.
    """

    texts: list[str] = field(default_factory=list)
    reasonings: list[str] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)
    others: list[Any] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return the text, its parts apart by a line."""
        return "\n".join(text for text in self.texts if text)


def sort_parts(parts: Iterable[Any]) -> Sorted:
    """Sort the parts of one message."""
    found = Sorted()
    for part in parts:
        if isinstance(part, str):
            found.texts.append(part)
        elif isinstance(part, dict):
            _sort(part, found)
        elif part is not None:
            found.others.append(part)
    return found


def call_of(value: Any) -> dict[str, Any] | None:
    """Return a tool call as `{"id", "name", "arguments"}`, whatever its shape; None if none."""
    if isinstance(value, str):
        value = parsed(value)
    if not isinstance(value, dict):
        return None
    value = value.get("tool_call", value)
    inner = value.get("function") if isinstance(value, dict) else None
    said = inner if isinstance(inner, dict) else value
    if not isinstance(said, dict):
        return None
    name = _first(said, _CALL_NAMES) or (inner if isinstance(inner, str) else "")
    if not plain(name):
        return None
    call_id = _first(value, ("call_id",)) or _first(value, _CALL_IDS) or _first(said, _CALL_IDS)
    return {"id": plain(call_id), "name": plain(name), "arguments": _arguments(said)}


def result_of(value: Any, depth: int = 8) -> Any:
    """Return a tool's result as JSON: unpacked from text blocks and message objects around it."""
    value = None if value == "null" else parsed(value)
    if isinstance(value, dict) and depth:
        kwargs = value.get("kwargs")
        if value.get("lc") and isinstance(kwargs, dict):
            return result_of(kwargs.get("content"), depth - 1)
        if set(value) == {"type", "value"} or value.get("type") in ("tool", "ToolMessage"):
            return result_of(value.get("value", value.get("content")), depth - 1)
        if value.get("type") == "function_result" and "result" in value:
            return result_of(value["result"], depth - 1)
        if isinstance(value.get("content"), list) and set(value) <= {
            "content",
            "isError",
            "is_error",
        }:
            return result_of(value["content"], depth - 1)
    if isinstance(value, list) and value and all(map(_is_text_block, value)):
        return parsed("\n".join(str(block.get("text", "")) for block in value))
    return value


def _is_text_block(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") == "text" and "text" in value


def _sort(part: dict[str, Any], found: Sorted) -> None:
    part = part.get("message_content", part)
    if not isinstance(part, dict):
        found.texts.append(text_of(part))
        return
    kind = part.get("type") or part.get("part_kind") or part.get("block_type") or ""
    handler = _HANDLERS.get(kind) if isinstance(kind, str) else None
    if handler is not None:
        handler(part, found)
    elif "functionCall" in part or "function_call" in part:
        _call(part.get("functionCall") or part.get("function_call"), found)
    elif "functionResponse" in part or "function_response" in part:
        _result(part.get("functionResponse") or part.get("function_response"), found)
    elif "toolCallId" in part and "toolName" in part:
        (_result if "output" in part or "result" in part else _call)(part, found)
    elif isinstance(part.get("text"), str):
        (found.reasonings if part.get("thought") is True else found.texts).append(part["text"])
    else:
        found.others.append(part)


def _text(part: dict[str, Any], found: Sorted) -> None:
    said = _first(part, _TEXT_KEYS)
    found.texts.append(said if isinstance(said, str) else text_of(said))


def _reasoning(part: dict[str, Any], found: Sorted) -> None:
    summary = part.get("summary")
    if isinstance(summary, list):
        found.reasonings += [
            text_of(each.get("text")) for each in summary if isinstance(each, dict)
        ]
    said = _first(part, ("thinking", "reasoning", "content", "text", "thought"))
    if isinstance(said, list):
        said = "\n".join(text_of(each.get("text")) for each in said if isinstance(each, dict))
    if isinstance(said, str) and said:
        found.reasonings.append(said)


def _call(part: Any, found: Sorted) -> None:
    call = call_of(part)
    if call is None:
        found.others.append(part)
    else:
        found.calls.append(call)


def _result(part: Any, found: Sorted) -> None:
    if not isinstance(part, dict):
        found.others.append(part)
        return
    said = next((part[name] for name in _RESULTS if part.get(name) is not None), None)
    message = {"role": "tool", "content": text_of(result_of(said))}
    if call_id := plain(part.get("tool_use_id") or part.get("call_id") or _first(part, _CALL_IDS)):
        message["tool_call_id"] = call_id
    if name := plain(_first(part, _CALL_NAMES)):
        message["name"] = name
    found.results.append(message)


def _file(part: dict[str, Any], found: Sorted) -> None:
    found.others.append(part)


def _first(value: dict[str, Any], names: Iterable[str]) -> Any:
    return next((value[name] for name in names if value.get(name) not in (None, "")), None)


def _arguments(value: dict[str, Any]) -> Any:
    said = parsed(_first(value, _ARGUMENTS))
    return {} if said is None else said


_HANDLERS: dict[str, Callable[[dict[str, Any], Sorted], None]] = {
    **dict.fromkeys(
        ("text", "input_text", "output_text", "refusal", "user-prompt", "system-prompt"), _text
    ),
    **dict.fromkeys(("retry-prompt", "summary_text"), _text),
    **dict.fromkeys(("reasoning", "thinking", "thought"), _reasoning),
    **dict.fromkeys(
        ("tool_call", "tool_use", "tool-call", "function_call", "server_tool_use", "mcp_call"),
        _call,
    ),
    **dict.fromkeys(
        (
            "tool_call_response",
            "tool_result",
            "tool-result",
            "tool-return",
            "function_call_output",
            "mcp_tool_result",
        ),
        _result,
    ),
    **dict.fromkeys(("image", "image_url", "input_image", "file", "blob", "uri", "audio"), _file),
}
