"""A span as it was sent, decoded and not yet understood."""

from dataclasses import dataclass, field
from typing import Any

from traces.records import EmitterRecord


@dataclass(frozen=True)
class WireEvent:
    """Something that happened within a span, or a log record that belongs to it."""

    name: str
    time_ns: int
    attributes: dict[str, Any] = field(default_factory=dict)
    body: Any = None


@dataclass(frozen=True)
class WireSpan:
    """One span of OpenTelemetry; values are plain JSON (bytes are base64 text).

    Attributes:
        trace_id: 32 hex digits.
        span_id: 16 hex digits.
        parent_id: 16 hex digits, empty for a root.
        kind: OpenTelemetry's span kind, 0-5.
        start_ns: Nanoseconds since 1970.
        end_ns: Likewise; not before the start.
        status_code: 0 unset, 1 ok, 2 error.
        links: `{"trace_id", "span_id"}`, and `trace_state`, `flags`, `attributes` where they say
            something.
        dropped: How many `attributes`, `events`, `links` the sender left out, where it did.
    """

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    start_ns: int
    end_ns: int
    status_code: int = 0
    status_message: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    events: tuple[WireEvent, ...] = ()
    links: tuple[dict[str, Any], ...] = ()
    flags: int = 0
    trace_state: str = ""
    emitter: EmitterRecord = field(default_factory=EmitterRecord)
    dropped: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class WireLog:
    """A log record that names its event; `trace_id` and `span_id` are empty where it has none."""

    trace_id: str
    span_id: str
    event: WireEvent
    emitter: EmitterRecord = field(default_factory=EmitterRecord)
