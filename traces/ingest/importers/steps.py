"""The spans of a session as a reader goes through its messages, whatever is known of their times.

Where a source has no times, a millisecond stands between the steps: it keeps their order, and their
durations are 0. `metadata["times"]` says so.
"""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC
from decimal import Decimal
from typing import Any

from traces.errors import BadRecordError
from traces.ingest.importers.fields import decimal_of, time_of
from traces.models import Span
from traces.records import SpanRecord, to_ns

ROOT_ID = f"{0:016x}"
STEP_NS = 1_000_000
NO_ZONE = "without a time zone in the file; taken as UTC"
NO_TIMES = "not in the file; its date is taken, and only the order of the steps is known"
ONLY_START = "only the beginning is in the file; of the steps, only the order is known"


@dataclass
class Steps:
    """What was read of one session so far.

    Attributes:
        first_ns: The beginning, nanoseconds since 1970 UTC.
        model: Name of the agent's model, where a message does not name its own.
        now_ns: End of the last step.
        calls: Tool calls by id, the latest of an id: name and arguments.
        told: Messages to the model (its instructions) that no model span has in its input yet.
        has_naive_times: Whether a time without a zone was read (and taken as UTC).
    """

    first_ns: int
    model: str = ""
    now_ns: int = 0
    spans: list[SpanRecord] = field(default_factory=list)
    calls: dict[str, dict[str, Any]] = field(default_factory=dict)
    told: list[dict[str, Any]] = field(default_factory=list)
    tools: list[Any] = field(default_factory=list)
    has_naive_times: bool = False

    def ns_of(self, value: Any, what: str) -> int | None:
        """Return a time stamp in nanoseconds since 1970 UTC, None for null."""
        time = time_of(value, what)
        if time is not None and time.tzinfo is None:
            self.has_naive_times = True
            time = time.replace(tzinfo=UTC)
        return to_ns(time) if time else None

    def add(
        self,
        kind: str,
        name: str,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        **values: Any,
    ) -> None:
        """Append a span; without a start it follows the last one. No two starts are the same."""
        if self.spans:
            last_start_ns = self.spans[-1].start_ns
            step_ns = STEP_NS if end_ns is None else 1
            earliest = max(self.now_ns, last_start_ns + step_ns)
        else:
            earliest, last_start_ns = self.first_ns, self.first_ns - 1
        start_ns = earliest if start_ns is None else max(start_ns, last_start_ns + 1)
        end_ns = start_ns if end_ns is None else max(end_ns, start_ns)
        self.now_ns = max(self.now_ns, end_ns)
        self.spans.append(
            SpanRecord(
                span_id=f"{len(self.spans) + 1:016x}",
                parent_id=ROOT_ID,
                kind=kind,
                name=name,
                start_ns=start_ns,
                duration_ns=end_ns - start_ns,
                **values,
            )
        )

    def add_customer(self, content: str, **values: Any) -> None:
        """Append what the customer says."""
        self.add(Span.Kind.CUSTOMER, "customer", output={"content": content}, **values)

    def add_model(self, output: dict[str, Any], *, model: str = "", **values: Any) -> None:
        """Append a model call with its answer; its input has what the model was newly told."""
        for call in output.get("tool_calls") or []:
            self.calls[call["id"]] = call
        name = model or self.model
        given: dict[str, Any] | None = None
        if self.told or self.tools:
            given = {"messages": self.told, "new": 0, "tools": self.tools}
            self.told, self.tools = [], []
        self.add(Span.Kind.MODEL, name or "model", model=name, input=given, output=output, **values)

    def add_result(
        self, call_id: str, result: Any, *, name: str = "", error: str = "", **values: Any
    ) -> None:
        """Append a tool call with its result; `name` is for a call that nobody made before."""
        call = self.calls.get(call_id, {})
        attributes = {"call_id": call_id, **values.pop("attributes", {})}
        self.add(
            Span.Kind.TOOL,
            call.get("name") or name or "tool",
            status=Span.Status.ERROR if error else Span.Status.OK,
            status_message=error,
            input={"arguments": call.get("arguments", {})},
            output={"error": error} if error else {"result": result},
            attributes=attributes,
            **values,
        )

    def with_root(
        self, name: str, *, error: str = "", end_ns: int = 0, **values: Any
    ) -> tuple[SpanRecord, ...]:
        """Return the agent's span, from the beginning to the end, and all spans under it."""
        first_ns = min([self.first_ns, *(span.start_ns for span in self.spans)])
        root = SpanRecord(
            span_id=ROOT_ID,
            kind=Span.Kind.AGENT,
            name=name or "agent",
            start_ns=first_ns,
            duration_ns=max(end_ns, self.now_ns, first_ns) - first_ns,
            status=Span.Status.ERROR if error else Span.Status.OK,
            status_message=error,
            **values,
        )
        return (root, *self.spans)


def priced(value: Any, what: str) -> dict[str, Any]:
    """Return a reported cost as values of a span; null and 0 (no price known) are unknown."""
    cost: Decimal | None = decimal_of(value, what) if value else None
    return {} if cost is None else {"cost_usd": cost, "cost_from": Span.CostFrom.REPORTED}


def digest_of(value: Any) -> str:
    """Return an id that the same JSON value always has, for rows that carry none.

    Raises:
        BadRecordError: It is nested too deeply.
    """
    try:
        text = json.dumps(value, sort_keys=True)
    except RecursionError:
        raise BadRecordError("it is nested too deeply") from None
    return hashlib.sha256(text.encode()).hexdigest()[:32]
