"""The shapes that messages have in the wild, each read into the one form of `messages`.

OpenAI's chat and Responses items, OpenTelemetry GenAI's messages and events, Anthropic's, Gemini's,
LangChain's (also as it serialises them), LlamaIndex's, AutoGen's and Pydantic AI's own.
"""

from typing import Any

from traces.ingest.dialects.literals import parsed, plain, text_of
from traces.ingest.dialects.parts import Sorted, call_of, sort_parts

Message = dict[str, Any]

ROLES = {
    "human": "user",
    "humanmessage": "user",
    "humanmessagechunk": "user",
    "usermessage": "user",
    "ai": "assistant",
    "aimessage": "assistant",
    "aimessagechunk": "assistant",
    "assistantmessage": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "chatbot": "assistant",
    "developer": "system",
    "systemmessage": "system",
    "function": "tool",
    "toolmessage": "tool",
    "functionexecutionresultmessage": "tool",
    "ipython": "tool",
}
# Messages stand in messages, but not without end.
_MAX_DEPTH = 8
_KNOWN_ROLES = {"system", "user", "assistant", "tool"}
_TOOL_ROLES = {"tool", "function", "ipython"}
_EVENT_ROLES = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
    "gen_ai.choice": "assistant",
}
# Tuples, because what is looked for may be a list.
_ITEMS = (
    "function_call",
    "function_call_output",
    "reasoning",
    "tool_call",
    "tool_use",
    "tool_result",
    "mcp_call",
)
# Where a request or a response of some API holds its messages.
_LISTS = ("messages", "contents", "input", "prompt", "prompts", "choices", "candidates", "output")
_INNER = ("new_message", "message", "content", "generations", "response", "args")


def found_in(value: Any, role: str, depth: int = 6) -> list[Message]:
    """Return the messages that JSON holds, as they come; none where it has no known shape."""
    if not depth or not isinstance(value, dict | list):
        return []
    if isinstance(value, list):
        if value and all(isinstance(each, str) for each in value):
            return [words(role, "\n".join(value))]
        if value and all(_is_part(each) for each in value):
            return _messages(role, sort_parts(value), {})
        return [message for each in value for message in found_in(parsed(each), role, depth - 1)]
    if plain(value.get("event.name")) in _EVENT_ROLES:
        return _of_event(value)
    if _is_message(value):
        return _of_message(value, role)
    for name in _LISTS:
        inner = parsed(value.get(name))
        if isinstance(inner, list) and inner:
            return _system_of(value) + found_in(inner, role, depth - 1)
        if isinstance(inner, str) and inner.strip():
            return [*_system_of(value), words(role, inner)]
    for name in _INNER:
        inner = parsed(value.get(name))
        if isinstance(inner, dict | list) and (found := found_in(inner, role, depth - 1)):
            return found
    return [words(role, value["text"])] if isinstance(value.get("text"), str) else []


def _is_message(value: dict[str, Any]) -> bool:
    if isinstance(value.get("message"), dict):
        return True
    if value.get("lc") and isinstance(value.get("kwargs"), dict):
        return True
    if value.get("type") in _ITEMS or value.get("kind") in ("request", "response"):
        return True
    if _role(value) and any(name in value for name in ("content", "parts", "contents", "blocks")):
        return True
    if _role(value) and isinstance(value.get("text"), str | list):
        return True
    return bool(_role(value) and value.get("tool_calls"))


def _is_part(value: Any) -> bool:
    """Say whether this is a part of an answer's content and no message or item by itself."""
    if not isinstance(value, dict) or "role" in value:
        return False
    is_call = "toolCallId" in value and "toolName" in value
    return is_call or value.get("type") in ("text", "thinking", "tool_use", "tool-call")


def _of_event(value: dict[str, Any], depth: int = _MAX_DEPTH) -> list[Message]:
    role = _EVENT_ROLES[plain(value["event.name"])]
    inner = parsed(value.get("message"))
    body = parsed(value.get("body"))
    if isinstance(inner, dict):
        return _of_message({**inner, "role": inner.get("role") or role}, role)
    if isinstance(body, dict) and depth:
        return _of_event({**body, "event.name": value["event.name"]}, depth - 1)
    return _of_message({**value, "role": value.get("role") or role}, role)


def _of_message(value: dict[str, Any], default: str, depth: int = _MAX_DEPTH) -> list[Message]:
    if isinstance(value.get("kwargs"), dict) and value.get("lc") and depth:
        names = value.get("id")
        kind = str(names[-1]) if isinstance(names, list) and names else ""
        return _of_message({"type": kind, **value["kwargs"]}, default, depth - 1)
    inner = value.get("message")
    if isinstance(inner, dict) and depth:
        return _of_message(inner, default, depth - 1)
    if value.get("type") in _ITEMS and "role" not in value:
        return _messages("assistant", sort_parts([value]), {}, is_item=True)
    if value.get("kind") in ("request", "response") and isinstance(value.get("parts"), list):
        return _of_model_message(value)
    role = _role(value) or default
    content = next(
        (
            value[name]
            for name in ("parts", "contents", "blocks", "content", "text")
            if value.get(name)
        ),
        None,
    )
    if isinstance(content, str):
        content = _unpacked(content)
    parts = content if isinstance(content, list) else [content]
    found = sort_parts(parts)
    _add_calls(value, found)
    return _messages(role, found, value)


def _of_model_message(value: dict[str, Any]) -> list[Message]:
    """Return the messages of one of Pydantic AI's own: a request has parts of several roles."""
    if value["kind"] == "response":
        return _messages("assistant", sort_parts(value["parts"]), {})
    messages = []
    for part in value["parts"]:
        is_system = isinstance(part, dict) and part.get("part_kind") == "system-prompt"
        messages += _messages("system" if is_system else "user", sort_parts([part]), {})
    return messages


def _add_calls(value: dict[str, Any], found: Sorted) -> None:
    more = value.get("additional_kwargs")
    sources = [value.get("tool_calls"), value.get("toolCalls"), value.get("function_call")]
    if isinstance(more, dict):
        sources.append(more.get("tool_calls"))
    for source in sources:
        calls = parsed(source)
        if calls and not found.calls:
            every = calls if isinstance(calls, list) else [calls]
            found.calls += [call for each in every if (call := call_of(each))]
    for name in ("reasoning_content", "reasoning", "thinking"):
        if isinstance(value.get(name), str) and value[name]:
            found.reasonings.append(value[name])
            break


def _messages(
    role: str, found: Sorted, source: dict[str, Any], *, is_item: bool = False
) -> list[Message]:
    """Return a message of the sorted parts, and one per result that is among them."""
    has_words = bool(found.text or found.others)
    if found.results and role != "tool" and not (has_words or found.calls):
        return found.results
    if role == "tool":
        if found.calls and not found.results:
            role = "assistant"
        elif found.results:
            return found.results
    message: Message = {"role": role, "content": found.text or None}
    if found.calls:
        message["tool_calls"] = found.calls
    if found.reasonings:
        message["reasoning"] = "\n\n".join(found.reasonings)
    if found.others:
        message["parts"] = found.others
    if role == "tool":
        message["content"] = found.text or text_of(found.others[0] if found.others else "")
        message.pop("parts", None)
        if call_id := plain(source.get("tool_call_id") or source.get("id")):
            message["tool_call_id"] = call_id
        said = plain(source.get("role"))
        if name := plain(source.get("name")) or (said if said.lower() not in _TOOL_ROLES else ""):
            message["name"] = name
    if is_item:
        message["is_item"] = True
    return [*found.results, message]


def _unpacked(content: str) -> Any:
    """Return the calls that some libraries write as a message's text, else the text."""
    if content.startswith('[{"') and '"function"' in content[:200]:
        value = parsed(content)
        if isinstance(value, list) and all(
            isinstance(each, dict) and isinstance(each.get("function"), dict) for each in value
        ):
            return [{"type": "tool_call", **each} | {"type": "tool_call"} for each in value]
    return content


def _system_of(value: dict[str, Any]) -> list[Message]:
    config = value.get("config")
    said = value.get("system") or value.get("instructions") or value.get("system_instruction")
    if not said and isinstance(config, dict):
        said = config.get("system_instruction")
    if isinstance(said, list | dict):
        parts = said if isinstance(said, list) else said.get("parts")
        said = sort_parts(parts).text if isinstance(parts, list) else None
    return [words("system", said)] if isinstance(said, str) and said else []


def _role(value: dict[str, Any]) -> str:
    said = value.get("role")
    if said is None:
        name = str(value.get("type") or value.get("source")).lower()
        if name == "textmessage":
            return "user" if value.get("source") == "user" else "assistant"
        return ROLES.get(name, "") or (name if name in _KNOWN_ROLES else "")
    if isinstance(said, dict):
        said = said.get("value")
    name = str(said).rsplit(".", 1)[-1].lower()
    # LangChain's clients put a tool's name in the place of the role.
    return ROLES.get(name) or (name if name in _KNOWN_ROLES else "tool" if name else "")


def words(role: str, text: str) -> Message:
    """Return a message of plain text."""
    return {"role": role, "content": text}
