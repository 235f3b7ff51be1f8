"""A sample of Inspect as spans: its messages, with times and usage from the events beside them."""

from dataclasses import dataclass, field
from typing import Any

from traces.ingest.importers.chat import add_message, answer_of, said
from traces.ingest.importers.fields import count_at, json_or_text, list_at, object_at, text_at
from traces.ingest.importers.steps import Steps, priced
from traces.models import Span

_ATTACHMENT = "attachment://"


@dataclass
class Sample:
    """A sample and its events, by the message that each belongs to.

    Attributes:
        first_ns: Its beginning, 0 where no time is known.
        last_ns: Its end, likewise.
        models: Model events by the id of the message that they made.
        tools: Tool events by the id of the call.
    """

    value: dict[str, Any]
    steps: Steps
    first_ns: int = 0
    last_ns: int = 0
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    tools: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read the events; the sample's own times count where it has them."""
        events = [event for event in list_at(self.value, "events", "it") if isinstance(event, dict)]
        for event in events:
            if event.get("event") == "model":
                self.models.setdefault(_made_by(event), event)
            elif event.get("event") == "tool":
                self.tools.setdefault(str(event.get("id")), event)
        times = [self.steps.ns_of(event.get("timestamp"), "an event's time") for event in events]
        known = [time for time in times if time is not None]
        started = self.steps.ns_of(self.value.get("started_at"), "started_at")
        ended = self.steps.ns_of(self.value.get("completed_at"), "completed_at")
        self.first_ns = started or min(known, default=0)
        self.last_ns = ended or max(known, default=0)
        self.models.pop("", None)

    def resolve(self, value: Any) -> Any:
        """Return the value with the attachments that it refers to."""
        if isinstance(value, str) and value.startswith(_ATTACHMENT):
            attachments = self.value.get("attachments")
            found = attachments if isinstance(attachments, dict) else {}
            return found.get(value.removeprefix(_ATTACHMENT), value)
        if isinstance(value, dict):
            return {name: self.resolve(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        return value

    def times_of(self, event: dict[str, Any] | None) -> dict[str, int]:
        """Return an event's beginning and end as values of a span."""
        if event is None:
            return {}
        start_ns = self.steps.ns_of(event.get("timestamp"), "an event's time")
        if start_ns is None:
            return {}
        completed = self.steps.ns_of(event.get("completed"), "completed")
        seconds = event.get("working_time")
        if completed is None and isinstance(seconds, int | float):
            completed = start_ns + round(seconds * 1_000_000_000)
        return {"start_ns": start_ns, "end_ns": completed or start_ns}


def add_sample(sample: Sample) -> None:
    """Append the sample's messages, and the calls of models that speak in none of them."""
    told = set()
    for index, value in enumerate(list_at(sample.value, "messages", "the sample")):
        message = sample.resolve(object_at(value, f"message {index}"))
        told.add(message.get("id"))
        _add(sample, message, f"message {index}")
    for message_id, event in sample.models.items():
        if message_id not in told:
            _add_aside(sample, event)


def _add(sample: Sample, message: dict[str, Any], where: str) -> None:
    role = text_at(message, "role")
    if role == "assistant":
        event = sample.models.get(str(message.get("id")))
        sample.steps.add_model(
            _answer_of(message, where),
            model=text_at(event or message, "model"),
            **sample.times_of(event),
            **_use_of(event or {}, where),
        )
    elif role == "tool":
        _add_result(sample, message)
    else:
        add_message(sample.steps, message, where)


def _add_result(sample: Sample, message: dict[str, Any]) -> None:
    call_id = text_at(message, "tool_call_id")
    error = message.get("error")
    words = said(error.get("message")) if isinstance(error, dict) else ""
    sample.steps.add_result(
        call_id,
        json_or_text(said(message.get("content"))),
        name=text_at(message, "function"),
        error=words or ("failed" if error else ""),
        **sample.times_of(sample.tools.get(call_id)),
    )


def _add_aside(sample: Sample, event: dict[str, Any]) -> None:
    """Append a model call beside the conversation: a grader's, or a part's of the agent."""
    message = sample.resolve(_choice_of(event))
    sample.steps.add(
        Span.Kind.OTHER,
        text_at(event, "role") or text_at(event, "model") or "model",
        model=text_at(event, "model"),
        output={"content": said(message.get("content"))},
        **sample.times_of(event),
        **_use_of(event, "a model's event"),
    )


def _answer_of(message: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the message as output; reasoning is one of the parts of its content."""
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    thoughts = [part for part in parts if isinstance(part, dict) and "reasoning" in part]
    spoken = [part for part in parts if part not in thoughts] if parts else content
    output = answer_of({**message, "content": spoken}, where)
    if thoughts:
        output["reasoning"] = "\n".join(
            text for part in thoughts if (text := said(part.get("reasoning")))
        )
    return output


def _use_of(event: dict[str, Any], where: str) -> dict[str, Any]:
    """Return tokens and cost; Inspect counts what was read from a cache beside the input."""
    output = event.get("output")
    usage = output.get("usage") if isinstance(output, dict) else None
    if not isinstance(usage, dict):
        return {}
    counts = [
        count_at(usage, name, where)
        for name in ("input_tokens", "input_tokens_cache_read", "input_tokens_cache_write")
    ]
    known = [count for count in counts if count is not None]
    return {
        "input_tokens": sum(known) if known else None,
        "output_tokens": count_at(usage, "output_tokens", where),
        "cached_tokens": counts[1],
        "reasoning_tokens": count_at(usage, "reasoning_tokens", where),
        **priced(usage.get("total_cost"), f"the cost of {where}"),
    }


def _made_by(event: dict[str, Any]) -> str:
    return str(_choice_of(event).get("id") or "")


def _choice_of(event: dict[str, Any]) -> dict[str, Any]:
    output = event.get("output")
    choices = output.get("choices") if isinstance(output, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    return message if isinstance(message, dict) else {}
