"""The conversation beside a planted call: a real one copied up to the call, under new ids."""

import copy
import time
import uuid
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.utils import timezone

from agents.models import Agent
from traces.models import Session, Span
from traces.recorder import new_span_id, open_session, record_spans
from traces.records import SpanRecord

LOOK_BACK = timedelta(days=60)
_NEWEST = 100
_GAP_NS = 1_500_000
_COPIED = (
    "kind",
    "name",
    "duration_ns",
    "status",
    "status_message",
    "model",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "cost_from",
    "output",
    "attributes",
)


@dataclass(frozen=True)
class SourceCall:
    """A real call that succeeded, with where it was made."""

    session: Session
    span_id: str
    start_ns: int
    tool: str
    arguments: dict[str, Any]

    @property
    def customer(self) -> str:
        """Return whom the session was with."""
        return self.session.customer


def source_calls(agent: Agent, tool: str) -> list[SourceCall]:
    """Return the calls of a tool in the newest of the agent's sessions. Two queries."""
    sessions = Session.objects.filter(
        project=agent.project_id,
        agent_name=agent.slug,
        is_golden=False,
        tools__contains=[tool],
        started_at__gte=timezone.now() - LOOK_BACK,
    ).exclude(status__in=[Session.Status.RUNNING, Session.Status.WAITING])
    newest = sessions.defer("said", "said_vector").order_by("-started_at", "-pk")[:_NEWEST]
    by_id = {session.pk: session for session in newest}
    spans = Span.objects.filter(
        session__in=by_id,
        kind=Span.Kind.TOOL,
        name=tool,
        status=Span.Status.OK,
        start_ns__gte=min((each.first_ns for each in by_id.values()), default=0),
    ).order_by("start_ns", "span_id")
    found: dict[uuid.UUID, SourceCall] = {}
    for span in spans:
        arguments = span.input.get("arguments") if isinstance(span.input, dict) else None
        if isinstance(arguments, dict) and span.session_id not in found:
            found[span.session_id] = SourceCall(
                by_id[span.session_id], span.span_id, span.start_ns, tool, arguments
            )
    return list(found.values())


def copy_talk(
    *, agent: Agent, source: SourceCall, arguments: dict[str, Any]
) -> tuple[Session, SpanRecord]:
    """Open a session that says what the source said before its call; return it and the call.

    Times are moved so that the call was asked for just now.
    """
    spans = list(
        Span.objects.filter(
            session=source.session.pk,
            start_ns__gte=source.session.first_ns,
            start_ns__lte=source.start_ns,
        ).order_by("start_ns", "span_id")
    )
    shift = time.time_ns() - _GAP_NS - source.start_ns
    ids = {span.span_id: new_span_id() for span in spans}
    session = open_session(
        project=agent.project,
        agent_name=agent.slug,
        version_name=str(agent.live_version),
        start_ns=source.session.first_ns + shift,
        customer=source.session.customer,
        title=source.session.title,
        is_golden=True,
        metadata={"planted": True, "right_arguments": source.arguments},
    )
    root = next((each.span_id for each in spans if not each.parent_id), "")
    ids[root] = session.pk.hex[:16]
    copies = [_copied(span, ids, shift) for span in spans if span.span_id != source.span_id]
    copies = [_with_wish(each, source, arguments) for each in copies]
    asked = next(span for span in spans if span.span_id == source.span_id)
    call = SpanRecord(
        span_id=ids[asked.span_id],
        parent_id=ids.get(asked.parent_id, ""),
        kind=Span.Kind.TOOL,
        name=asked.name,
        start_ns=asked.start_ns + shift,
        status=Span.Status.WAITING,
        input={"arguments": arguments},
        attributes={"call_id": (asked.attributes or {}).get("call_id", ""), "level": "approve"},
    )
    record_spans(session=session, spans=[*copies, call])
    return session, call


def _copied(span: Span, ids: dict[str, str], shift: int) -> SpanRecord:
    values = {name: copy.deepcopy(getattr(span, name)) for name in _COPIED}
    if span.kind == Span.Kind.AGENT and not span.parent_id:
        values |= {"status": Span.Status.RUNNING, "duration_ns": 0, "status_message": ""}
    if span.kind == Span.Kind.TOOL:
        values["input"] = copy.deepcopy(span.input)
    return SpanRecord(
        span_id=ids[span.span_id],
        parent_id=ids.get(span.parent_id, ""),
        start_ns=span.start_ns + shift,
        **values,
    )


def _with_wish(record: SpanRecord, source: SourceCall, arguments: dict[str, Any]) -> SpanRecord:
    """Return a model's span as if it had asked for the wrong call."""
    calls = record.output.get("tool_calls") if isinstance(record.output, dict) else None
    if record.kind != Span.Kind.MODEL or not isinstance(calls, list):
        return record
    changed = [
        {**call, "arguments": arguments}
        if isinstance(call, dict)
        and call.get("name") == source.tool
        and call.get("arguments") == source.arguments
        else call
        for call in calls
    ]
    for call in changed:
        if isinstance(call, dict) and call.get("arguments") is arguments:
            call.pop("raw_arguments", None)
    return replace(record, output={**record.output, "tool_calls": changed})
