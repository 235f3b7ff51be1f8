"""What a session and its spans are before they are stored: the form every source is read into."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class EmitterRecord:
    """Who sent spans: OpenTelemetry's resource and scope (`name`, `version`, `attributes`)."""

    resource: dict[str, Any] = field(default_factory=dict)
    scope: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SpanRecord:
    """One span, as `traces.models.Span` keeps it.

    Attributes:
        span_id: 16 hex digits, unique in its session.
        parent_id: The parent's span id, empty for the root.
        kind: A `Span.Kind` value. `agent` is the root, `customer` a customer's message (its
            `output` is `{"content": str}`), `model` a model call (`output` is the assistant
            message in OpenAI's form, `{"content": str | None, "tool_calls": [{"id", "name",
            "arguments": {…}}]}`, with `reasoning` where it was told; `input`, where it is known,
            is `{"messages": [message…], "new": int, "tools": […]}`: a message also has `role`
            (system, user, assistant, tool) and, answering a call, `tool_call_id`; those from
            index `new` on were not in the input of the model call before), `tool` a tool call
            (`input` is `{"arguments": {…}}`, `output` is `{"result": JSON}` or `{"error": str}`;
            `attributes["call_id"]` is the model's id), `other` any other (`input` and `output`
            as the source has them; of `agent` and `other`, text is `{"content": str}`).
        name: The model's or tool's name, `customer` or the agent's name.
        start_ns: Start, nanoseconds since 1970 UTC.
        duration_ns: 0 or more.
        status: A `Span.Status` value.
        cost_usd: US dollars; None is unknown.
        cost_from: A `Span.CostFrom` value.
        cached_tokens: Of `input_tokens`, those read from a cache.
        reasoning_tokens: Of `output_tokens`, those that were reasoning.
        heard: What people newly said in `input`: the text of its new user messages. Of a
            `customer` span it stays empty, its `output` says it.
        attributes: What the source said beside all this; nothing that was understood is in it.
        trace_id: 32 hex digits, empty where the source has no traces.
        emitter: Who sent it, None where it was not sent.
        otel: What else OpenTelemetry keeps of a span and an export needs: `kind` (1-5),
            `status_code`, `events` (`[{"name", "time_ns", "attributes"}]`), `links`, `flags`,
            `trace_state`, `dropped`; only members that say something.
        masked: How much of it was masked, by kind; the store fills it in.
    """

    span_id: str
    kind: str
    name: str
    start_ns: int
    duration_ns: int = 0
    parent_id: str = ""
    status: str = "ok"
    status_message: str = ""
    model: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None
    cost_from: str = ""
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    heard: str = ""
    input: Any = None
    output: Any = None
    attributes: dict[str, Any] = field(default_factory=dict)
    trace_id: str = ""
    emitter: EmitterRecord | None = None
    otel: dict[str, Any] | None = None
    masked: dict[str, int] | None = None

    @property
    def end_ns(self) -> int:
        """Return the end, nanoseconds since 1970 UTC."""
        return self.start_ns + self.duration_ns


@dataclass(frozen=True)
class SessionRecord:
    """A whole session with its spans, ready to be stored.

    Attributes:
        source: A `Session.Source` value.
        external_id: The source's own id; the same id stored again changes nothing.
        status: A `Session.Status` value.
        spans: In the order of their starts; never empty.
        metadata: What else the source knows (`task_id`, `reward`, …).
    """

    source: str
    external_id: str
    status: str
    agent_name: str
    version_name: str
    spans: tuple[SpanRecord, ...]
    customer: str = ""
    status_reason: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class IncomingSpan:
    """A span that arrives by itself, with what it says of its session.

    Spans of one session may arrive in any order, in many requests, twice, or never.

    Attributes:
        record: The span, with its `trace_id`.
        session_key: The source's own id of the conversation; empty where this span does not name
            it. Without one from any of its spans, a trace is a session.
        customer: The end user's id.
        metadata: What it says of the session (`tags`, `task_id`, …).
        title: A name of the session that the source gives it.
    """

    record: SpanRecord
    session_key: str = ""
    customer: str = ""
    agent_name: str = ""
    version_name: str = ""
    title: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


def from_ns(value: int) -> datetime:
    """Return the instant of `value` nanoseconds since 1970, cut to microseconds, in UTC."""
    return datetime.fromtimestamp(value // 1_000_000_000, tz=UTC).replace(
        microsecond=value % 1_000_000_000 // 1000
    )


def to_ns(value: datetime) -> int:
    """Return nanoseconds since 1970 of an aware datetime, exactly."""
    whole = int(value.replace(microsecond=0).timestamp())
    return whole * 1_000_000_000 + value.microsecond * 1000
