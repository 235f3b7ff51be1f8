"""A step's name, model, input and output, by its kind."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from traces.ingest.dialects.literals import parsed, plain
from traces.ingest.dialects.messages import last_text, messages_of
from traces.ingest.dialects.parts import result_of
from traces.ingest.dialects.taken import Taken
from traces.ingest.dialects.words import (
    model_input,
    take_words,
    with_system,
    words_of,
)
from traces.ingest.wire import WireEvent, WireSpan

_TOOL_PREFIXES = ("execute_tool ", "running tool: ", "tool.", "tool ")
_AGENT_PREFIXES = ("invoke_agent ", "agent_run ", "invocation ", "invoke_workflow ")
_WRAPPERS = ("input", "args", "arguments", "kwargs")


@dataclass(frozen=True)
class Step:
    """What was read of one span."""

    name: str
    model: str = ""
    heard: str = ""
    input: Any = None
    output: Any = None
    call_id: str = ""

    def failed(self, message: str) -> "Step":
        """Return it with the failure as its output, where it has none."""
        return self if self.output is not None else replace(self, output={"error": message})


def read_step(
    kind: str, span: WireSpan, taken: Taken, words: Sequence[WireEvent], name: str
) -> Step:
    """Take name, model, input and output."""
    match kind:
        case "model":
            return _model(span, taken, words)
        case "tool":
            return _tool(span, taken, name)
        case "agent":
            return _agent(span, taken, words, name)
        case _:
            return _other(span, taken, name)


def _model(span: WireSpan, taken: Taken, words: Sequence[WireEvent]) -> Step:
    messages, answer, tools = words_of(taken, words)
    content, heard = model_input(messages, tools)
    model = _model_name(taken)
    _drop_types(taken)
    return Step(name=model or span.name, model=model, heard=heard, input=content, output=answer)


def _tool(span: WireSpan, taken: Taken, name: str) -> Step:
    arguments = _first(taken, ("arguments", "input", "parameters"))
    raw = _first(taken, ("result", "output"))
    result = result_of(raw)
    call_id = plain(taken.take("call_id")) or _answered(raw)
    said = plain(taken.take("tool")) or name
    _drop_types(taken)
    return Step(
        name=said or _without(span.name, _TOOL_PREFIXES),
        input=None if arguments is None else {"arguments": _arguments(arguments)},
        output=None if raw in (None, "") else {"result": result},
        call_id=call_id,
    )


def _agent(span: WireSpan, taken: Taken, words: Sequence[WireEvent], name: str) -> Step:
    said = plain(taken.peek("agent"))
    if said:
        taken.take("agent")
    messages = take_words(taken, "request", "user")
    if messages:
        messages = with_system(taken, messages)
    output = _plain_or_words(taken, ("response", "said", "output"), "assistant")
    if messages:
        content: Any = {"content": last_text(messages, "user"), "messages": messages}
        if output is None and (answer := last_text(messages, "assistant")):
            output = {"content": answer}
    else:
        content = _plain_or_words(taken, ("input",), "user")
    _drop_types(taken)
    return Step(
        name=said or name or _without(span.name, _AGENT_PREFIXES), input=content, output=output
    )


def _other(span: WireSpan, taken: Taken, name: str) -> Step:
    model = _model_name(taken)
    documents = taken.take_list("documents")
    output = _plain(taken.take("output"))
    if output is None and documents:
        output = [
            each.get("document", each) if isinstance(each, dict) else each for each in documents
        ]
    content = _plain(taken.take("input"))
    _drop_types(taken)
    return Step(name=name or span.name, model=model, input=content, output=output)


def _model_name(taken: Taken) -> str:
    """Take the model's name; of a path to it its end, and then the path stays an attribute."""
    path = plain(taken.peek("model"))
    name = path.rsplit("/models/", 1)[-1].removeprefix("models/")
    if name == path:
        taken.take("model")
    return name


def _plain(value: Any) -> Any:
    """Return a value as the store keeps it of such spans: JSON, or text as `{"content"}`."""
    if value in (None, ""):
        return None
    read = parsed(value)
    return {"content": read} if isinstance(read, str) else read


def _plain_or_words(taken: Taken, fields: Sequence[str], role: str) -> Any:
    """Take the first of the fields that is there: its words, with all else it holds beside."""
    for field in fields:
        if taken.peek(field) in (None, ""):
            continue
        value = parsed(taken.take(field))
        if isinstance(value, str):
            return {"content": value}
        words = messages_of(value, role)
        said = last_text(words, role)
        if not said:
            return value
        if isinstance(value, dict) and isinstance(value.get("content"), str):
            return value
        return {"content": said, "messages": words} if len(words) > 1 else {"content": said}
    return None


def _first(taken: Taken, fields: Sequence[str]) -> Any:
    """Take the first field that says something, and the others where they say the same."""
    found = None
    for field in fields:
        value = taken.peek(field)
        if value in (None, ""):
            continue
        if found is None:
            found = taken.take(field)
        elif value == found:
            taken.take(field)
    return found


def _arguments(value: Any) -> Any:
    """Return a call's arguments, out of what some libraries wrap them in."""
    read = parsed(value)
    if isinstance(read, dict) and len(read) == 1:
        inner = parsed(next((read[name] for name in _WRAPPERS if name in read), None))
        if isinstance(inner, dict):
            return inner
    return read


def _answered(raw: Any) -> str:
    """Return the id of the call that a tool's message answers."""
    value = parsed(raw)
    if isinstance(value, dict) and isinstance(value.get("kwargs"), dict):
        value = value["kwargs"]
    return plain(value.get("tool_call_id")) if isinstance(value, dict) else ""


def _drop_types(taken: Taken) -> None:
    for field in ("input_type", "output_type"):
        taken.take(field)


def _without(name: str, prefixes: Sequence[str]) -> str:
    for prefix in prefixes:
        if name.startswith(prefix) and len(name) > len(prefix):
            return name[len(prefix) :].strip("[]")
    return name
