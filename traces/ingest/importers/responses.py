"""Items of OpenAI's Responses API as messages of a chat.

Form: OpenAI's API reference, "The response object" and "Input items".
"""

from typing import Any

from traces.errors import BadRecordError
from traces.ingest.importers.chat import said
from traces.ingest.importers.fields import object_at, text_at


def messages_of_items(value: Any, what: str) -> list[dict[str, Any]]:
    """Return chat messages: calls and reasoning belong to the assistant's message beside them.

    Raises:
        BadRecordError: It is neither text nor a list of items.
    """
    if value is None:
        return []
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    if not isinstance(value, list):
        raise BadRecordError(f"{what} is {value!r:.60}, which is no list of items")
    messages: list[dict[str, Any]] = []
    for index, item in enumerate(value):
        _add_item(messages, object_at(item, f"item {index} of {what}"))
    return messages


def _add_item(messages: list[dict[str, Any]], item: dict[str, Any]) -> None:
    kind = text_at(item, "type") or "message"
    if kind == "function_call_output":
        output = item.get("output")
        messages.append(
            {
                "role": "tool",
                "tool_call_id": text_at(item, "call_id"),
                "content": said(output) if isinstance(output, list) else output,
            }
        )
    elif kind == "function_call":
        call = {"id": text_at(item, "call_id"), "function": item}
        _assistant(messages).setdefault("tool_calls", []).append(call)
    elif kind == "reasoning":
        _assistant(messages, is_new=True)["reasoning"] = said(item.get("summary")) or said(
            item.get("content")
        )
    elif text_at(item, "role") == "assistant":
        message = _assistant(messages)
        message["content"] = "\n".join(
            filter(None, [said(message.get("content")), said(item.get("content"))])
        )
    elif text_at(item, "role"):
        messages.append({"role": text_at(item, "role"), "content": item.get("content")})


def _assistant(messages: list[dict[str, Any]], *, is_new: bool = False) -> dict[str, Any]:
    """Return the assistant's message at the end, made where another's stands there."""
    last = messages[-1] if messages else {}
    if last.get("role") != "assistant" or (is_new and ("content" in last or "tool_calls" in last)):
        messages.append({"role": "assistant"})
    return messages[-1]
