"""The messages of a tau2 simulation as spans.

A message becomes a span that lasts from the message before it to its own time stamp, which tau2
sets when the message is complete. Customers' own tool calls (telecom) are tool spans with
`attributes.requestor` = `user`.
"""

from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from traces.errors import BadRecordError
from traces.ingest.importers.fields import (
    count_at,
    json_or_text,
    list_at,
    object_at,
    text_at,
    time_of,
)
from traces.ingest.importers.steps import ROOT_ID, priced
from traces.models import Span
from traces.records import SpanRecord, to_ns

_HANDOVER_MARK = "###TRANSFER###"
_HANDOVER_TOOL = "transfer_to_human_agents"


@dataclass
class Talk:
    """What was read of one simulation so far.

    Attributes:
        model: Name of the agent's model.
        first_ns: The beginning, nanoseconds since 1970 UTC.
        now_ns: End of the last message, nanoseconds since 1970 UTC.
        calls: Tool calls by id, the latest of an id.
        has_naive_times: Whether a time without a zone was read (and taken as UTC).
        is_handed_over: Whether the customer was transferred to a person.
    """

    model: str
    first_ns: int = 0
    now_ns: int = 0
    spans: list[SpanRecord] = field(default_factory=list)
    calls: dict[str, dict[str, Any]] = field(default_factory=dict)
    has_naive_times: bool = False
    is_handed_over: bool = False

    def ns_of(self, value: Any, what: str) -> int | None:
        """Return a time stamp in nanoseconds since 1970 UTC, None for null."""
        time = time_of(value, what)
        if time is not None and time.tzinfo is None:
            self.has_naive_times = True
            time = time.replace(tzinfo=UTC)
        return to_ns(time) if time else None

    def add(self, kind: str, name: str, end_ns: int, **values: Any) -> None:
        """Append a span from the end of the last one to `end_ns`; no two starts are the same."""
        last_start_ns = self.spans[-1].start_ns if self.spans else self.first_ns
        start_ns = max(self.now_ns, last_start_ns + 1)
        self.now_ns = max(end_ns, start_ns)
        span = SpanRecord(
            span_id=f"{len(self.spans) + 1:016x}",
            parent_id=ROOT_ID,
            kind=kind,
            name=name,
            start_ns=start_ns,
            duration_ns=self.now_ns - start_ns,
            **values,
        )
        self.spans.append(span)


def add_message(talk: Talk, value: Any, where: str) -> None:
    """Append what a message says or answers; `where` names it in errors.

    Raises:
        BadRecordError: It is no message.
    """
    message = object_at(value, where)
    end_ns = talk.ns_of(message.get("timestamp"), f"the time of {where}") or talk.now_ns
    calls = [_call(call, where) for call in list_at(message, "tool_calls", where)]
    talk.calls.update((call["id"], call) for call in calls)
    role = text_at(message, "role")
    if role == "assistant":
        _add_answer(talk, message, calls, end_ns, where)
    elif role == "user":
        _add_request(talk, text_at(message, "content"), bool(calls), end_ns)
    elif role == "tool":
        _add_result(talk, message, end_ns, where)
    elif role != "system":
        raise BadRecordError(f"{where} has the unknown role {role!r:.60}")


def _add_answer(
    talk: Talk, message: dict[str, Any], calls: list[dict[str, Any]], end_ns: int, where: str
) -> None:
    usage = object_at(message.get("usage") or {}, f"the usage of {where}")
    talk.add(
        Span.Kind.MODEL,
        talk.model or "model",
        end_ns,
        model=talk.model,
        input_tokens=count_at(usage, "prompt_tokens", where),
        output_tokens=count_at(usage, "completion_tokens", where),
        **priced(message.get("cost"), f"the cost of {where}"),
        output={"content": text_at(message, "content") or None, "tool_calls": calls},
    )


def _add_request(talk: Talk, content: str, has_calls: bool, end_ns: int) -> None:
    """Append what the customer says; a customer who only acts is seen in the tool spans."""
    if content or not has_calls:
        talk.add(Span.Kind.CUSTOMER, "customer", end_ns, output={"content": content})
    talk.now_ns = max(talk.now_ns, end_ns)
    talk.is_handed_over |= _HANDOVER_MARK in content


def _add_result(talk: Talk, message: dict[str, Any], end_ns: int, where: str) -> None:
    call_id = text_at(message, "id")
    call = talk.calls.get(call_id)
    if call is None:
        raise BadRecordError(f"{where} answers the unknown call {call_id!r:.60}")
    is_error = message.get("error") is True
    text = text_at(message, "content")
    talk.add(
        Span.Kind.TOOL,
        call["name"],
        end_ns,
        status=Span.Status.ERROR if is_error else Span.Status.OK,
        status_message=text if is_error else "",
        input={"arguments": call["arguments"]},
        output={"error": text} if is_error else {"result": json_or_text(text)},
        attributes={
            "call_id": call_id,
            "requestor": text_at(message, "requestor") or "assistant",
        },
    )
    talk.is_handed_over |= call["name"] == _HANDOVER_TOOL and not is_error


def _call(value: Any, where: str) -> dict[str, Any]:
    call = object_at(value, f"a tool call of {where}")
    name = text_at(call, "name")
    if not name:
        raise BadRecordError(f"a tool call of {where} has no name")
    arguments = call.get("arguments")
    if isinstance(arguments, str):
        arguments = json_or_text(arguments)
    return {"id": text_at(call, "id"), "name": name, "arguments": arguments or {}}
