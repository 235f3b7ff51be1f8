"""Messages of any shape, in the one form that the store keeps (see `SpanRecord`).

A message is `{"role", "content"}` with `tool_calls`, `reasoning`, `tool_call_id`, `name` and
`parts` (what is no text, such as a picture) where they say something.
"""

import re
from typing import Any

from traces.ingest.dialects.literals import parsed
from traces.ingest.dialects.shapes import ROLES, Message, found_in, words

MAX_MESSAGES = 5_000
_MAX_PREFILL = 60
_TALKERS = ("system", "user", "assistant")
_TRANSCRIPT = re.compile(r"^(system|developer|user|assistant|tool): ", re.MULTILINE)


def messages_of(value: Any, role: str = "user") -> list[Message]:
    """Return the messages that a value holds, none where it has no shape that is known.

    Args:
        value: JSON, or text of it; other text is one message.
        role: Whose words those are that name nobody.
    """
    value = parsed(value)
    if isinstance(value, str):
        return _transcript(value) or ([words(role, value)] if value.strip() else [])
    if (simple := _simple(value)) is not None:
        return simple
    found = found_in(value, role)
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


def _transcript(text: str) -> list[Message]:
    """Return the messages of `role: words` lines, if the text begins with one."""
    if not _TRANSCRIPT.match(text):
        return []
    marks = list(_TRANSCRIPT.finditer(text))[:MAX_MESSAGES]
    messages = []
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        said = text[mark.end() : after.start() if after else None].strip()
        role = ROLES.get(mark[1], mark[1])
        messages.append(words(role, said))
    return [message for message in messages if message["content"]]
