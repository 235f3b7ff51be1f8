"""What becomes of the spans and log records of one request while they are decoded."""

from dataclasses import dataclass, field

from traces.ingest.wire import WireLog, WireSpan
from traces.records import EmitterRecord

ZERO_TRACE_ID = "0" * 32
ZERO_SPAN_ID = "0" * 16
# OpenTelemetry's own limits are 128 of each; what a request of 20 MB can hold takes half a minute.
MAX_PARTS = 20_000


@dataclass
class Decoded:
    """Spans of a request.

    Attributes:
        spans: In the order they were sent.
        num_rejected: Spans that could not be read.
        problem: Why the first of those could not, a sentence; else empty.
    """

    spans: list[WireSpan] = field(default_factory=list)
    num_rejected: int = 0
    problem: str = ""

    def reject(self, problem: str) -> None:
        """Count one that could not be read."""
        self.num_rejected += 1
        self.problem = self.problem or problem


@dataclass
class DecodedLogs:
    """Log records of a request.

    Attributes:
        logs: Those that name their event, in the order they were sent.
        num_others: Those that do not.
        num_rejected: Those that could not be read.
        problem: Why the first of those could not, a sentence; else empty.
    """

    logs: list[WireLog] = field(default_factory=list)
    num_others: int = 0
    num_rejected: int = 0
    problem: str = ""

    def reject(self, problem: str) -> None:
        """Count one that could not be read."""
        self.num_rejected += 1
        self.problem = self.problem or problem


def problem_of_ids(trace_id: str, span_id: str, parent_id: str) -> str:
    """Return what is wrong with a span's ids (hex digits), or nothing."""
    if len(trace_id) != 32:
        return f"its trace id has {len(trace_id) // 2} bytes, not 16."
    if len(span_id) != 16:
        return f"its span id has {len(span_id) // 2} bytes, not 8."
    if trace_id == ZERO_TRACE_ID:
        return "its trace id is all zeros."
    if span_id == ZERO_SPAN_ID:
        return "its span id is all zeros."
    if parent_id and len(parent_id) != 16:
        return f"its parent's id has {len(parent_id) // 2} bytes, not 8."
    return ""


def ids_of_log(trace_id: str, span_id: str) -> tuple[str, str]:
    """Return a log record's ids, each empty where it is no id; without a trace there is no span."""
    if len(trace_id) != 32 or trace_id == ZERO_TRACE_ID:
        return "", ""
    return trace_id, "" if len(span_id) != 16 or span_id == ZERO_SPAN_ID else span_id


def problem_of_times(start_ns: int, end_ns: int) -> str:
    """Return what is wrong with a span's times, or nothing."""
    if not start_ns:
        return "it has no start."
    if end_ns >= 2**63:
        return f"its end, {end_ns} ns, is after the year 2262."
    if end_ns < start_ns:
        return f"it ends ({end_ns} ns) before it starts ({start_ns} ns)."
    return ""


def num_of_emitter(emitter: EmitterRecord) -> int:
    """Return how many attributes resource and scope have."""
    return len(emitter.resource) + len(emitter.scope.get("attributes") or ())


def problem_of_parts(num: int) -> str:
    """Return what is wrong with so many attributes, events and links, or nothing."""
    if num > MAX_PARTS:
        return (
            f"it has {num:,} attributes, events and links, those of its resource and scope "
            f"included; at most {MAX_PARTS:,} are taken."
        )
    return ""
