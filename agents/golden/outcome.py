"""What a session did, in the form that checks judge and promotion reads: pure data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal

from traces.models import Span

_END_MARKS = ("###STOP###", "###TRANSFER###", "###OUT-OF-SCOPE###")

# Longer words come twice only because a call was sent on; shorter ones people do repeat.
_MAX_REPEATED = 40

Speaker = Literal["customer", "agent"]


@dataclass(frozen=True)
class Message:
    """Something that was said.

    Attributes:
        speaker: Who said it.
        content: The words; never empty.
        step: Number of the model's step, from 1; the last step before it for a customer.
        has_calls: Whether the agent called tools in the same breath, so that nobody could answer.
        span_id: Where the trace keeps it.
    """

    speaker: Speaker
    content: str
    step: int
    has_calls: bool = False
    span_id: str = ""


@dataclass(frozen=True)
class Call:
    """A tool call that ended.

    Attributes:
        tool: The tool's name.
        arguments: What it was called with; nothing where that was no JSON object.
        step: Number of the step, from 1 (model calls and tool calls together).
        result: What it returned; meaningless where `error` is set.
        error: What it failed with, or None.
        span_id: Where the trace keeps it.
        is_refused: Whether the agent may not call it at all.
        is_invalid: Whether there is no such tool, or its arguments do not fit it.
        is_garbled: Whether what it was called with is no JSON object.
    """

    tool: str
    arguments: dict[str, Any]
    step: int
    result: Any = None
    error: str | None = None
    span_id: str = ""
    is_refused: bool = False
    is_invalid: bool = False
    is_garbled: bool = False


Event = Message | Call


@dataclass(frozen=True)
class Outcome:
    """All that checks may look at.

    Attributes:
        events: Messages and calls in the order in which they happened.
        num_steps: Model calls and tool calls together.
        is_handed_over: Whether the session ended with a person.
        records: The shop's records at the end, by kind and key; None where there is no such
            record. Only those that the checks ask for.
        cost_usd: Of all model calls of the agent; None where that of one is not known.
        working_ms: Time that model and tool calls took; None where it is not known.
        customer: Whom the session is with, as the session has it; may be empty.
        instructions: The agent's system prompt.
    """

    events: tuple[Event, ...]
    num_steps: int
    is_handed_over: bool = False
    records: Mapping[tuple[str, str], dict[str, Any] | None] = field(default_factory=dict)
    cost_usd: Decimal | None = None
    working_ms: int | None = None
    customer: str = ""
    instructions: str = ""

    @property
    def calls(self) -> tuple[Call, ...]:
        """Return the tool calls."""
        return tuple(event for event in self.events if isinstance(event, Call))

    @property
    def answers(self) -> tuple[Message, ...]:
        """Return what the agent said."""
        return tuple(
            event
            for event in self.events
            if isinstance(event, Message) and event.speaker == "agent"
        )

    @property
    def wishes(self) -> tuple[Message, ...]:
        """Return what the customer said."""
        return tuple(
            event
            for event in self.events
            if isinstance(event, Message) and event.speaker == "customer"
        )


def events_of(spans: Iterable[Span]) -> tuple[tuple[Event, ...], int]:
    """Return messages and calls of a session's spans, and its number of steps.

    Args:
        spans: In the order of their starts. Others than the customer's, the model's and the
            tools' are passed over, and so are calls that have no answer yet. A greeting that the
            run was given and a model call that was tried again are no steps of the agent. Where
            none is a customer's, as in a session that was received, what the model calls newly
            heard are the customer's words.
    """
    spans = list(spans)
    hears = not any(span.kind == Span.Kind.CUSTOMER for span in spans)
    events: list[Event] = []
    step = 0
    for span in spans:
        if hears and span.kind == Span.Kind.MODEL and (message := _heard(span, step, events)):
            events.append(message)
        if span.kind in {Span.Kind.MODEL, Span.Kind.TOOL} and not _is_no_step(span):
            step += 1
        event = _event(span, step)
        if event is not None and not (hears and _repeats(event, events)):
            events.append(event)
    return tuple(events), step


def cost_of(spans: Iterable[Span]) -> Decimal | None:
    """Return what the agent's model calls cost in US dollars, None where one has no known cost.

    A simulated customer's calls are no cost of the agent's.
    """
    costs = [
        span.cost_usd
        for span in spans
        if span.kind == Span.Kind.MODEL and not span.attributes.get("given")
    ]
    known = [cost for cost in costs if cost is not None]
    return sum(known, Decimal(0)) if costs and len(known) == len(costs) else None


def working_ms_of(spans: Iterable[Span]) -> int | None:
    """Return how long model and tool calls took, in milliseconds, waits for people left out.

    None where there is none.
    """
    taken = [
        span.duration_ns
        for span in spans
        if span.kind in {Span.Kind.MODEL, Span.Kind.TOOL} and not span.attributes.get("given")
    ]
    return sum(taken) // 1_000_000 if taken else None


def without_end_marks(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return the events without the marks with which tau2's simulated customer ends a session.

    Source: tau2-bench `src/tau2/user/base.py` (STOP, TRANSFER, OUT_OF_SCOPE).
    """
    kept: list[Event] = []
    for event in events:
        if isinstance(event, Message) and event.speaker == "customer":
            content = event.content
            for mark in _END_MARKS:
                content = content.replace(mark, "")
            if content.strip():
                kept.append(replace(event, content=content.strip()))
        else:
            kept.append(event)
    return tuple(kept)


def _heard(span: Span, step: int, events: list[Event]) -> Message | None:
    """Return what people newly said to a model, unless another call heard the same."""
    words = span.heard.strip()
    if not words:
        return None
    said = [event.content for event in events if isinstance(event, Message)]
    is_sent_on = len(words) > _MAX_REPEATED and words in said
    if is_sent_on or (said and said[-1] == words):
        return None
    return Message("customer", words, step, span_id=span.span_id)


def _repeats(event: Event, events: list[Event]) -> bool:
    """Say whether the agent says what it just said: two libraries recorded the same call."""
    last = next((each for each in reversed(events) if isinstance(each, Message)), None)
    if last is None or not isinstance(event, Message):
        return False
    return (last.speaker, last.content) == (event.speaker, event.content)


def _is_no_step(span: Span) -> bool:
    is_failed_attempt = span.kind == Span.Kind.MODEL and span.status == Span.Status.ERROR
    return bool(span.attributes.get("given")) or (
        is_failed_attempt and "attempt" in span.attributes
    )


def _event(span: Span, step: int) -> Event | None:
    output = span.output if isinstance(span.output, dict) else {}
    if span.kind == Span.Kind.TOOL:
        return _call(span, output, step)
    content = output.get("content")
    if not isinstance(content, str) or not content.strip():
        return None
    if span.kind == Span.Kind.CUSTOMER:
        return Message("customer", content, step, span_id=span.span_id)
    if span.kind == Span.Kind.MODEL:
        has_calls = bool(output.get("tool_calls"))
        return Message("agent", content, step, has_calls=has_calls, span_id=span.span_id)
    return None


def _call(span: Span, output: dict[str, Any], step: int) -> Call | None:
    if span.status in {Span.Status.RUNNING, Span.Status.WAITING}:
        return None
    given = span.input if isinstance(span.input, dict) else {}
    arguments = given.get("arguments")
    error = output.get("error")
    if error is None and span.status == Span.Status.ERROR:
        error = span.status_message or "failed"
    return Call(
        tool=span.name,
        arguments=arguments if isinstance(arguments, dict) else {},
        step=step,
        result=output.get("result"),
        error=None if error is None else str(error),
        span_id=span.span_id,
        is_refused=bool(span.attributes.get("is_policy_violation")),
        is_invalid=bool(span.attributes.get("is_invalid_call")),
        is_garbled=not isinstance(arguments, dict)
        and bool(arguments or given.get("raw_arguments")),
    )
