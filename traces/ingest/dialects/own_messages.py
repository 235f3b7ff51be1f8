"""Messages of the store as messages of OpenTelemetry's GenAI conventions, and back without loss.

Form: https://opentelemetry.io/docs/specs/semconv/gen-ai/, `gen_ai.input.messages` and
`gen_ai.output.messages` (a role and parts).
"""

from typing import Any

Message = dict[str, Any]


def with_parts(message: Message, role: str = "") -> Message:
    """Return a message of the store as role and parts."""
    parts: list[Message] = []
    who = message.get("role", role)
    if "reasoning" in message:
        parts.append({"type": "reasoning", "content": message["reasoning"]})
    if who == "tool":
        answer = {"type": "tool_call_response", "id": message.get("tool_call_id")}
        parts.append({**answer, "response": message.get("content")})
    elif message.get("content") is not None:
        parts.append({"type": "text", "content": message["content"]})
    calls = message.get("tool_calls")
    parts += [
        {"type": "tool_call", **call} if isinstance(call, dict) else {}
        for call in (calls if isinstance(calls, list) else [])
    ]
    return {"role": who, "parts": parts}


def message_of(value: Any) -> Message:
    """Return role and parts as a message of the store."""
    given = value if isinstance(value, dict) else {}
    role = given.get("role")
    message: Message = {"role": role, "content": None}
    calls: list[Message] = []
    for part in given.get("parts") or []:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "reasoning":
            message["reasoning"] = part.get("content")
        elif kind == "text":
            message["content"] = part.get("content")
        elif kind == "tool_call_response":
            message |= {"content": part.get("response"), "tool_call_id": part.get("id")}
        elif kind == "tool_call":
            calls.append({name: item for name, item in part.items() if name != "type"})
    if role == "assistant":
        message["tool_calls"] = calls
    return message


def messages_of(value: Any) -> list[Message]:
    """Return a list of them."""
    return [message_of(each) for each in value] if isinstance(value, list) else []
