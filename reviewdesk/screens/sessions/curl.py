"""Spans and sessions as `curl` commands to paste into a shell; whatever they hold, nothing runs."""

import json
import shlex
import unicodedata
from typing import Any

from traces.models import Span

# Linux passes no longer argument to a program; what is longer goes in by a here-document.
MAX_ARGUMENT = 100_000
_DELIMITER = "END_OF_REQUEST"
# A quote would end the argument; an interactive bash replaces `!` even where it is quoted.
_ESCAPED = frozenset("'!\x7f")


def curl_of_model_call(span: Span) -> str:
    """Return the model call as a request to an OpenAI-compatible server, or "" without messages.

    Key and server come from `OPENAI_API_KEY` and `OPENAI_BASE_URL` of the shell it is run in.
    """
    given = span.input if isinstance(span.input, dict) else {}
    messages = given.get("messages")
    if span.kind != Span.Kind.MODEL or not isinstance(messages, list) or not messages:
        return ""
    body: dict[str, Any] = {
        "model": span.model or span.name,
        "messages": [_message(each) for each in messages if isinstance(each, dict)],
    }
    if tools := given.get("tools"):
        body["tools"] = [_tool(tool) for tool in tools if isinstance(tool, dict)]
    return "\n".join(
        [
            'curl "${OPENAI_BASE_URL:-https://api.openai.com/v1}/chat/completions" \\',
            '  -H "Authorization: Bearer $OPENAI_API_KEY" \\',
            "  -H 'Content-Type: application/json' \\",
            _data(body),
        ]
    )


def curl_of_session(url: str) -> str:
    """Return the request that reads a session from the API at `url`."""
    return f'curl -H "Authorization: Bearer $REVIEWDESK_API_KEY" {shlex.quote(url)}'


def shell_json(value: Any) -> str:
    """Return JSON on one line that stands between single quotes as it is.

    Quotes, `!` and all that is no visible character (controls, changes of direction, separators)
    are written as JSON's own escapes; `$`, backticks and backslashes mean nothing there.
    """
    text = json.dumps(value, ensure_ascii=False)
    return "".join(_escape(each) if _is_risky(each) else each for each in text)


def _data(body: dict[str, Any]) -> str:
    text = shell_json(body)
    if len(text.encode()) <= MAX_ARGUMENT:
        return f"  --data-raw '{text}'\n"
    # The text is one line that begins with a brace, so no line of it is the delimiter.
    return f"  --data-binary @- <<'{_DELIMITER}'\n{text}\n{_DELIMITER}\n"


def _is_risky(character: str) -> bool:
    return character in _ESCAPED or (
        not character.isascii() and unicodedata.category(character)[0] in "CZ"
    )


def _escape(character: str) -> str:
    return json.dumps(character)[1:-1] if ord(character) > 127 else f"\\u{ord(character):04x}"


def _message(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message in OpenAI's form, where a call's arguments are JSON in a string."""
    names = ("role", "content", "tool_call_id", "name")
    wanted = {name: message[name] for name in names if name in message}
    calls = [_call(call) for call in message.get("tool_calls") or () if isinstance(call, dict)]
    return {**wanted, "tool_calls": calls} if calls else wanted


def _call(call: dict[str, Any]) -> dict[str, Any]:
    function = call.get("function")
    inner = function if isinstance(function, dict) else call
    arguments = inner.get("arguments", {})
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    asked = {"name": inner.get("name", ""), "arguments": arguments}
    return {"id": call.get("id", ""), "type": "function", "function": asked}


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    return tool if "function" in tool else {"type": "function", "function": tool}
