"""What a session and its spans are before they are stored: the form every source is read into."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class SpanRecord:
    """One span, as `traces.models.Span` keeps it.

    Attributes:
        span_id: 16 hex digits, unique in its session.
        parent_id: The parent's span id, empty for the root.
        kind: A `Span.Kind` value. `agent` is the root, `customer` a customer's message (its
            `output` is `{"content": str}`), `model` a model call (`output` is the assistant
            message in OpenAI's form, `{"content": str | None, "tool_calls": [{"id", "name",
            "arguments": {…}}]}`), `tool` a tool call (`input` is `{"arguments": {…}}`, `output`
            is `{"result": JSON}` or `{"error": str}`; `attributes["call_id"]` is the model's id).
        name: The model's or tool's name, `customer` or the agent's name.
        start_ns: Start, nanoseconds since 1970 UTC.
        duration_ns: 0 or more.
        status: A `Span.Status` value.
        cost_usd: US dollars; None is unknown.
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
    input: Any = None
    output: Any = None
    attributes: dict[str, Any] = field(default_factory=dict)

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


def from_ns(value: int) -> datetime:
    """Return the instant of `value` nanoseconds since 1970, cut to microseconds, in UTC."""
    return datetime.fromtimestamp(value // 1_000_000_000, tz=UTC).replace(
        microsecond=value % 1_000_000_000 // 1000
    )


def to_ns(value: datetime) -> int:
    """Return nanoseconds since 1970 of an aware datetime, exactly."""
    whole = int(value.replace(microsecond=0).timestamp())
    return whole * 1_000_000_000 + value.microsecond * 1000
