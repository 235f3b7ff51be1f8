"""What was said to a model and what it answered, from wherever a dialect keeps it."""

from collections.abc import Sequence
from typing import Any

from traces.ingest.dialects.literals import parsed
from traces.ingest.dialects.messages import (
    answer_of,
    heard_in,
    is_definition,
    messages_of,
    split_assistant,
    tools_in,
)
from traces.ingest.dialects.parts import call_of
from traces.ingest.dialects.shapes import Message
from traces.ingest.dialects.taken import Taken
from traces.ingest.wire import WireEvent

_REQUESTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_PROMPTS = ("gen_ai.content.prompt", "gen_ai.prompt")
_COMPLETIONS = ("gen_ai.content.completion", "gen_ai.completion")
# The one event of the newest conventions that holds whole messages.
_DETAILS = "gen_ai.client.inference.operation.details"
_WORDS = {*_REQUESTS, *_PROMPTS, *_COMPLETIONS, _DETAILS, "gen_ai.choice"}


def has_words(event: WireEvent) -> bool:
    """Say whether an event is a message to or from a model."""
    return event.name in _WORDS


def words_of(
    taken: Taken, events: Sequence[WireEvent]
) -> tuple[list[Message], Message | None, list[Any]]:
    """Take a model call's messages, its answer and the tools it was offered."""
    request, response = _of_events(events)
    request = _taken_list(taken, "flat_request", "user") or request
    is_whole = not request and taken.has("request")
    request = request or _request(taken)
    response = (
        _taken_list(taken, "flat_response", "assistant")
        or response
        or (is_whole and _split(taken, request))
        or _response(taken)
    )
    tools = _tools(taken)
    if defined := [each["content"] for each in request if is_definition(each)]:
        tools += tools_in(defined)
    messages = [each for each in with_system(taken, request) if not is_definition(each)]
    answer = answer_of(response)
    if answer and messages and _is_same(messages[-1], answer):
        messages.pop()
    return messages, _with_rest(taken, answer), tools


def model_input(messages: list[Message], tools: list[Any]) -> tuple[dict[str, Any] | None, str]:
    """Return a model span's `input`, None if nothing is known, and what people newly said."""
    if not messages and not tools:
        return None, ""
    new, heard = heard_in(messages)
    content: dict[str, Any] = {"messages": messages, "new": new}
    if tools:
        content["tools"] = tools
    return content, heard


def take_words(taken: Taken, field: str, role: str) -> list[Message]:
    """Take a field if it holds messages; it stays among the attributes if it does not."""
    value = taken.peek(field)
    if value in (None, ""):
        return []
    found = messages_of(value, role)
    if found:
        taken.take(field)
    return found


def _request(taken: Taken) -> list[Message]:
    prompts = taken.take_list("flat_prompts")
    return (
        take_words(taken, "request", "user")
        or messages_of(
            [{"role": "user", **each.get("prompt", {})} for each in prompts if _is_prompt(each)]
        )
        or take_words(taken, "input", "user")
    )


def _is_prompt(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("prompt"), dict)


def _response(taken: Taken) -> list[Message]:
    for field in ("response", "said", "output"):
        if taken.peek(field) == "None":
            taken.take(field)
        elif found := take_words(taken, field, "assistant"):
            return [
                {**each, "role": "assistant"} if each["role"] == "user" else each for each in found
            ]
    return []


def _split(taken: Taken, request: list[Message]) -> list[Message]:
    """Take the answer from the end of a request that holds the whole conversation."""
    if any(taken.has(field) for field in ("response", "said", "output", "called")):
        return []
    rest, answer = split_assistant(request)
    if answer is None:
        return []
    request[:] = rest
    return [answer]


def _taken_list(taken: Taken, field: str, role: str) -> list[Message]:
    items = taken.take_list(field)
    if not items:
        return []
    return messages_of(items, role)


def _is_same(message: Message, answer: Message) -> bool:
    return message["role"] == "assistant" and all(
        message.get(name) == answer.get(name) for name in ("content", "tool_calls")
    )


def _tools(taken: Taken) -> list[Any]:
    tools = taken.take_list("flat_tools")
    found = tools_in(tools or taken.peek("definitions"))
    if found and not tools:
        taken.take("definitions")
    return found


def with_system(taken: Taken, messages: list[Message]) -> list[Message]:
    """Take the instructions that stand beside the messages, and put them before these."""
    said = taken.peek("system")
    if not said:
        return messages
    instructions = messages_of(said, "system")
    if not instructions:
        return messages
    taken.take("system")
    if any(each["role"] == "system" for each in messages):
        return messages
    return [{**each, "role": "system"} for each in instructions] + messages


def _with_rest(taken: Taken, answer: Message | None) -> Message | None:
    """Add calls and reasoning that stand in attributes of their own."""
    calls = parsed(taken.peek("called"))
    if isinstance(calls, list) and calls and not (answer and answer.get("tool_calls")):
        taken.take("called")
        found = [call for each in calls if (call := call_of(each))]
        answer = {**(answer or {"content": None}), "tool_calls": found}
    reasoned = taken.peek("reasoned")
    if isinstance(reasoned, str) and answer is not None and reasoned:
        taken.take("reasoned")
        answer["reasoning"] = reasoned
    return answer


def _of_events(events: Sequence[WireEvent]) -> tuple[list[Message], list[Message]]:
    request: list[Message] = []
    response: list[Message] = []
    for event in events:
        if event.name in _REQUESTS:
            request += messages_of([_body(event)])
        elif event.name == "gen_ai.choice":
            response += messages_of([_body(event)], "assistant")
        elif event.name in _PROMPTS:
            request += messages_of(event.attributes.get("gen_ai.prompt") or event.body)
        elif event.name in _COMPLETIONS:
            said = event.attributes.get("gen_ai.completion") or event.body
            response += messages_of(said, "assistant")
        elif event.name == _DETAILS:
            request += messages_of(event.attributes.get("gen_ai.input.messages"))
            response += messages_of(event.attributes.get("gen_ai.output.messages"), "assistant")
    return request, response


def _body(event: WireEvent) -> dict[str, Any]:
    body = parsed(event.body)
    inner = body if isinstance(body, dict) else {"content": body} if body else {}
    return {**event.attributes, **inner, "event.name": event.name}
