"""Messages of any shape, in the one form that the store keeps (see `SpanRecord`).

A message is `{"role", "content"}` with `tool_calls`, `reasoning`, `tool_call_id`, `name` and
`parts` (what is no text, such as a picture) where they say something.
"""

import re
from typing import Any

from traces.ingest.dialects.literals import parsed, plain, text_of
from traces.ingest.dialects.parts import Sorted, call_of, sort_parts

Message = dict[str, Any]

MAX_MESSAGES = 5_000
_MAX_PREFILL = 60

_ROLES = {
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
_KNOWN_ROLES = {"system", "user", "assistant", "tool"}
_TALKERS = {"system", "user", "assistant"}
_TOOL_ROLES = {"tool", "function", "ipython"}
_EVENT_ROLES = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
    "gen_ai.choice": "assistant",
}
_ITEMS = {
    "function_call",
    "function_call_output",
    "reasoning",
    "tool_call",
    "tool_use",
    "tool_result",
    "mcp_call",
}
# Where a request or a response of some API holds its messages.
_LISTS = ("messages", "contents", "input", "prompt", "prompts", "choices", "candidates", "output")
_INNER = ("new_message", "message", "content", "generations", "response", "args")
_TRANSCRIPT = re.compile(r"^(system|developer|user|assistant|tool): ", re.MULTILINE)


def messages_of(value: Any, role: str = "user") -> list[Message]:
    """Return the messages that a value holds, none where it has no shape that is known.

    Args:
        value: JSON, or text of it; other text is one message.
        role: Whose words those are that name nobody.
    """
    value = parsed(value)
    if isinstance(value, str):
        return _transcript(value) or ([_said(role, value)] if value.strip() else [])
    if (simple := _simple(value)) is not None:
        return simple
    found = _found(value, role, depth=6)
    return _merged(found[:MAX_MESSAGES])


def _simple(value: Any) -> list[Message] | None:
    """Return messages that are all plain text of a known role, the usual case; else None."""
    if not isinstance(value, list) or len(value) > MAX_MESSAGES:
        return None
    messages: list[Message] = []
    for each in value:
        if not isinstance(each, dict) or each.get("role") not in _TALKERS:
            return None
        if len(each) != 2 + ("finish_reason" in each):
            return None
        text = each.get("content")
        if len(parts := each.get("parts") or ()) == 1 and isinstance(parts, list):
            part = parts[0]
            is_text = isinstance(part, dict) and part.get("type") == "text" and len(part) == 2
            text = part.get("content") if is_text else None
        if not isinstance(text, str) or not text or text[:3] == '[{"':
            return None
        messages.append({"role": each["role"], "content": text})
    return messages


def tools_in(value: Any) -> list[Any]:
    """Return definitions of tools, as text, JSON, one or many; OpenAI's wrapping taken off."""
    value = parsed(value)
    found = []
    for each in value if isinstance(value, list) else [value]:
        tool = parsed(each)
        if isinstance(tool, dict):
            tool = parsed(tool.get("tool", tool))
        if isinstance(tool, dict) and "json_schema" in tool:
            tool = parsed(tool["json_schema"])
        if isinstance(tool, dict) and isinstance(tool.get("function"), dict):
            tool = tool["function"]
        if isinstance(tool, dict) and tool:
            found.append(tool)
    return found


def is_definition(message: Message) -> bool:
    """Say whether a message in fact describes a tool, as Langfuse's LangChain client sends it."""
    content = message.get("content")
    if message["role"] != "tool" or not isinstance(content, str) or "tool_call_id" in message:
        return False
    return content.startswith('{"type": "function"') and '"parameters"' in content


def split_assistant(messages: list[Message]) -> tuple[list[Message], Message | None]:
    """Return the messages before the answer, and the answer: the last message, if it is one."""
    if messages and messages[-1]["role"] == "assistant":
        return messages[:-1], messages[-1]
    return messages, None


def answer_of(messages: list[Message]) -> Message | None:
    """Return one assistant message of the messages of a response, None where there is none.

    Of several choices the first; what was called and said in parts is put together.
    """
    mine = [message for message in messages if message["role"] == "assistant"]
    if not mine:
        return None
    answer: Message = {"content": mine[0].get("content")}
    for message in mine:
        for name in ("tool_calls", "parts"):
            if message.get(name):
                answer[name] = [*answer.get(name, []), *message[name]]
        for name in ("content", "reasoning"):
            if message.get(name) and not answer.get(name):
                answer[name] = message[name]
    return answer


def heard_in(messages: list[Message]) -> tuple[int, str]:
    """Return where the new messages begin and what people say in them.

    New is what follows the last answer of the model; a few words at the end that begin its next
    answer for it do not count as one.
    """
    last = len(messages)
    if messages and messages[-1]["role"] == "assistant":
        last -= len(messages[-1].get("content") or "") <= _MAX_PREFILL
    new = next((n for n in range(last, 0, -1) if messages[n - 1]["role"] == "assistant"), 0)
    roles = [message["role"] for message in messages[new:last]]
    if "tool" in roles and "user" in roles[: roles.index("tool")]:
        # The call that the results answer is not told, but it was made after those words.
        new += roles.index("tool")
    said = [
        message["content"]
        for message in messages[new:]
        if message["role"] == "user" and message.get("content")
    ]
    return new, "\n".join(said)


def last_text(messages: list[Message], role: str) -> str:
    """Return the words of the last message of a role that has any."""
    return next(
        (
            str(message["content"])
            for message in reversed(messages)
            if message["role"] == role and message.get("content")
        ),
        "",
    )


def _found(value: Any, role: str, depth: int) -> list[Message]:
    if not depth or not isinstance(value, dict | list):
        return []
    if isinstance(value, list):
        if value and all(isinstance(each, str) for each in value):
            return [_said(role, "\n".join(value))]
        if value and all(_is_part(each) for each in value):
            return _messages(role, sort_parts(value), {})
        return [message for each in value for message in _found(parsed(each), role, depth - 1)]
    if value.get("event.name") in _EVENT_ROLES:
        return _of_event(value)
    if _is_message(value):
        return _of_message(value, role)
    for name in _LISTS:
        inner = parsed(value.get(name))
        if isinstance(inner, list) and inner:
            return _system_of(value) + _found(inner, role, depth - 1)
        if isinstance(inner, str) and inner.strip():
            return _system_of(value) + messages_of(inner, role)
    for name in _INNER:
        inner = parsed(value.get(name))
        if isinstance(inner, dict | list) and (found := _found(inner, role, depth - 1)):
            return found
    return [_said(role, value["text"])] if isinstance(value.get("text"), str) else []


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
    return is_call or value.get("type") in {"text", "thinking", "tool_use", "tool-call"}


def _of_event(value: dict[str, Any]) -> list[Message]:
    role = _EVENT_ROLES[value["event.name"]]
    inner = parsed(value.get("message"))
    body = parsed(value.get("body"))
    if isinstance(inner, dict):
        return _of_message({**inner, "role": inner.get("role") or role}, role)
    if isinstance(body, dict):
        return _of_event({**body, "event.name": value["event.name"]})
    return _of_message({**value, "role": value.get("role") or role}, role)


def _of_message(value: dict[str, Any], default: str) -> list[Message]:
    if isinstance(value.get("kwargs"), dict) and value.get("lc"):
        names = value.get("id")
        kind = str(names[-1]) if isinstance(names, list) and names else ""
        return _of_message({"type": kind, **value["kwargs"]}, default)
    inner = value.get("message")
    if isinstance(inner, dict):
        return _of_message(inner, default)
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


def _merged(messages: list[Message]) -> list[Message]:
    """Put an answer that came as items (reasoning, words, calls) together again."""
    merged: list[Message] = []
    was_item = False
    for message in messages:
        is_item = message.pop("is_item", False)
        before = merged[-1] if merged else None
        joins = is_item or was_item
        if before and joins and before["role"] == message["role"] == "assistant":
            before["content"] = before["content"] or message["content"]
            for name in ("tool_calls", "parts"):
                if message.get(name):
                    before[name] = [*before.get(name, []), *message[name]]
            if message.get("reasoning"):
                before["reasoning"] = message["reasoning"]
        elif message.get("content") or len(message) > 2:
            merged.append(message)
        was_item = is_item
    return merged


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
    return [_said("system", said)] if isinstance(said, str) and said else []


def _role(value: dict[str, Any]) -> str:
    said = value.get("role")
    if said is None:
        name = str(value.get("type") or value.get("source")).lower()
        if name == "textmessage":
            return "user" if value.get("source") == "user" else "assistant"
        return _ROLES.get(name, "") or (name if name in _KNOWN_ROLES else "")
    if isinstance(said, dict):
        said = said.get("value")
    name = str(said).rsplit(".", 1)[-1].lower()
    # LangChain's clients put a tool's name in the place of the role.
    return _ROLES.get(name) or (name if name in _KNOWN_ROLES else "tool" if name else "")


def _said(role: str, text: str) -> Message:
    return {"role": role, "content": text}


def _transcript(text: str) -> list[Message]:
    """Return the messages of `role: words` lines, if the text begins with one."""
    if not _TRANSCRIPT.match(text):
        return []
    marks = list(_TRANSCRIPT.finditer(text))[:MAX_MESSAGES]
    messages = []
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        said = text[mark.end() : after.start() if after else None].strip()
        role = _ROLES.get(mark[1], mark[1])
        messages.append(_said(role, said))
    return [message for message in messages if message["content"]]
