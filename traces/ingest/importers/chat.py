"""Messages in the form of OpenAI's chat completions, and the forms close to it, as spans.

Form: OpenAI's API reference, "Chat completions"; AgentDojo writes `function` (a name) and `args`.
"""

from typing import Any

from traces.errors import BadRecordError
from traces.ingest.importers.fields import count_at, json_or_text, list_at, object_at, text_at
from traces.ingest.importers.steps import Steps

_TOLD = ("system", "developer")
_REASONING = ("reasoning_content", "reasoning")


def add_messages(steps: Steps, messages: list[Any], **values: Any) -> None:
    """Append all messages; `values` are of the last one that the model wrote.

    Raises:
        BadRecordError: One is no message.
    """
    rows = [object_at(message, f"message {index}") for index, message in enumerate(messages)]
    last = max((i for i, row in enumerate(rows) if row.get("role") == "assistant"), default=-1)
    for index, row in enumerate(rows):
        add_message(steps, row, f"message {index}", **(values if index == last else {}))


def add_message(steps: Steps, message: dict[str, Any], where: str, **values: Any) -> None:
    """Append what a message says or answers; `where` names it in errors.

    Raises:
        BadRecordError: Its role is unknown, or a member is of the wrong type.
    """
    role = text_at(message, "role")
    if role in _TOLD:
        steps.told.append({"role": "system", "content": said(message.get("content"))})
    elif role == "user":
        rest = _not_text(message.get("content"))
        more = {"attributes": {"parts": rest}} if rest else {}
        steps.add_customer(said(message.get("content")), **more)
    elif role == "assistant":
        steps.add_model(answer_of(message, where), **values)
    elif role in ("tool", "function"):
        _add_result(steps, message)
    else:
        raise BadRecordError(f"{where} has the unknown role {role!r:.60}")


def answer_of(message: dict[str, Any], where: str) -> dict[str, Any]:
    """Return an assistant's message as the `output` of a model span."""
    calls = [call_of(call, where) for call in list_at(message, "tool_calls", where)]
    if isinstance(message.get("function_call"), dict):
        calls.append(call_of({"id": "function_call", "function": message["function_call"]}, where))
    content = said(message.get("content")) or said(message.get("refusal"))
    output: dict[str, Any] = {"content": content or None, "tool_calls": calls}
    reasoning = next((text for key in _REASONING if (text := said(message.get(key)))), "")
    return {**output, "reasoning": reasoning} if reasoning else output


def call_of(value: Any, where: str) -> dict[str, Any]:
    """Return a tool call as `id`, `name` and `arguments`."""
    call = object_at(value, f"a tool call of {where}")
    function = call.get("function")
    inner = function if isinstance(function, dict) else call
    name = function if isinstance(function, str) else text_at(inner, "name")
    if not name:
        raise BadRecordError(f"a tool call of {where} has no name")
    arguments = next((inner[key] for key in ("arguments", "args", "input") if key in inner), None)
    if isinstance(arguments, str):
        arguments = json_or_text(arguments)
    return {"id": text_at(call, "id"), "name": name, "arguments": arguments or {}}


def said(content: Any) -> str:
    """Return the text of a message's content: a text, parts, or nothing."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(filter(None, map(_text_of, content)))


def tokens_of(usage: Any, where: str) -> dict[str, Any]:
    """Return a usage object's counts as values of a span."""
    if not isinstance(usage, dict):
        return {}
    read = _details(usage, "prompt_tokens_details", "input_tokens_details")
    written = _details(usage, "completion_tokens_details", "output_tokens_details")
    return {
        "input_tokens": _first_count(usage, ("prompt_tokens", "input_tokens"), where),
        "output_tokens": _first_count(usage, ("completion_tokens", "output_tokens"), where),
        "cached_tokens": _first_count(read, ("cached_tokens",), where),
        "reasoning_tokens": _first_count(written, ("reasoning_tokens",), where),
    }


def _add_result(steps: Steps, message: dict[str, Any]) -> None:
    call_id = text_at(message, "tool_call_id") or (
        "function_call" if message.get("role") == "function" else ""
    )
    result = said(message.get("content"))
    steps.add_result(call_id, json_or_text(result), name=text_at(message, "name"))


def _text_of(part: Any) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return ""
    for key in ("text", "content", "refusal"):
        if isinstance(part.get(key), str):
            return str(part[key])
    kind = part.get("type")
    return f"[{kind}]" if isinstance(kind, str) and kind else ""


def _not_text(content: Any) -> list[Any]:
    """Return the parts that `said` cannot tell: images, sounds, files."""
    parts = content if isinstance(content, list) else []
    return [
        part
        for part in parts
        if _text_of(part).startswith("[")
        and isinstance(part, dict)
        and not isinstance(part.get("text"), str)
        and not isinstance(part.get("content"), str)
    ]


def _details(usage: dict[str, Any], *names: str) -> dict[str, Any]:
    return next((usage[name] for name in names if isinstance(usage.get(name), dict)), {})


def _first_count(usage: dict[str, Any], names: tuple[str, ...], where: str) -> int | None:
    return next((count_at(usage, name, where) for name in names if name in usage), None)
