"""Langfuse's observations as spans of OpenTelemetry, with the attributes that they came with."""

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC
from typing import Any

from traces.errors import BadRecordError
from traces.ingest.credentials import without_credentials
from traces.ingest.importers.fields import json_or_text, text_at, time_of
from traces.ingest.wire import WireSpan
from traces.records import EmitterRecord, to_ns

_SPAN_ID = re.compile(r"[0-9a-f]{16}")
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_OBSERVATION = "langfuse.observation"
_COLUMNS = {
    "type": "type",
    "input": "input",
    "output": "output",
    "model": "model.name",
    "modelParameters": "model.parameters",
    "completionStartTime": "completion_start_time",
    "promptName": "prompt.name",
    "promptVersion": "prompt.version",
    "statusMessage": "status_message",
}
_TRACE_COLUMNS = {
    "sessionId": "langfuse.session.id",
    "userId": "langfuse.user.id",
    "version": "langfuse.version",
    "release": "langfuse.release",
    "name": "langfuse.trace.name",
    "tags": "langfuse.trace.tags",
    "environment": "langfuse.environment",
}
_MADE_FROM = {
    "input": (
        "input.value",
        "llm.input_messages.",
        "gen_ai.prompt",
        "gcp.vertex.agent.llm_request",
    ),
    "output": ("output.value", "llm.output_messages.", "gen_ai.completion", "gcp.vertex.agent.llm"),
    "modelParameters": ("llm.invocation_parameters", "gen_ai.request.", "ai.settings."),
}
_CALLS = {"GENERATION", "EMBEDDING"}
_NOTHING: tuple[Any, ...] = (None, "", [], {})


def wire_spans_of(
    trace_id: str, trace: dict[str, Any], observations: Sequence[dict[str, Any]]
) -> list[WireSpan]:
    """Return a trace's spans; of a trace without observations one of its own.

    Raises:
        BadRecordError: A time cannot be read.
    """
    known = {text_at(each, "id") for each in observations}
    inner = _parents_of_calls(observations)
    spans = []
    has_root = False
    for each in sorted(observations, key=lambda each: str(each.get("startTime"))):
        parent = text_at(each, "parentObservationId")
        parent = parent if parent in known and parent != each.get("id") else ""
        attributes = _attributes_of(each, repeats=text_at(each, "id") in inner)
        if not parent:
            attributes = _with_trace(trace, each, attributes, is_first=not has_root)
            has_root = True
        spans.append(_span_of(_trace_id(trace_id), each, parent, attributes))
    if spans or (trace.get("input") in _NOTHING and trace.get("output") in _NOTHING):
        return spans
    alone = {"id": trace_id, "name": trace.get("name"), "startTime": trace.get("timestamp")}
    return [_span_of(_trace_id(trace_id), alone, "", _with_trace(trace, {}, {}, is_first=True))]


def _span_of(
    trace_id: str, each: dict[str, Any], parent: str, attributes: dict[str, Any]
) -> WireSpan:
    start_ns = _ns_of(each, "startTime")
    if start_ns is None:
        raise BadRecordError(f"observation {each.get('id')!r:.60} has no startTime")
    end_ns = _ns_of(each, "endTime")
    metadata = _metadata_of(each)
    scope = metadata.get("scope")
    resource = metadata.get("resourceAttributes")
    is_error = each.get("level") == "ERROR"
    return WireSpan(
        trace_id=trace_id,
        span_id=_span_id(text_at(each, "id")),
        parent_id=_span_id(parent) if parent else "",
        name=text_at(each, "name") or "observation",
        kind=1,
        start_ns=start_ns,
        end_ns=max(end_ns or start_ns, start_ns),
        status_code=2 if is_error else 0,
        status_message=text_at(each, "statusMessage") if is_error else "",
        attributes=attributes,
        emitter=EmitterRecord(
            resource=without_credentials(resource) if isinstance(resource, dict) else {},
            scope=_scope_of(scope) if isinstance(scope, dict) else {},
        ),
    )


def _attributes_of(each: dict[str, Any], *, repeats: bool) -> dict[str, Any]:
    """Return the attributes that it was sent with, and its columns as Langfuse's attributes.

    Args:
        each: The observation.
        repeats: Whether a call within it counts the same tokens.
    """
    metadata = _metadata_of(each)
    sent = metadata.pop("attributes", None)
    for name in ("scope", "resourceAttributes"):
        metadata.pop(name, None)
    attributes: dict[str, Any] = without_credentials(metadata)
    if isinstance(sent, dict):
        attributes |= without_credentials(sent)
    for column, name in _COLUMNS.items():
        value = each.get(column)
        if value not in _NOTHING and not _has(attributes, column):
            attributes.setdefault(f"{_OBSERVATION}.{name}", value)
    if "type" in each:
        attributes[f"{_OBSERVATION}.type"] = str(each["type"]).lower()
    if each.get("level") not in (None, "DEFAULT"):
        attributes[f"{_OBSERVATION}.level"] = each["level"]
    if each.get("type") in _CALLS and not repeats:
        usage = each.get("providedUsageDetails") or each.get("usageDetails")
        cost = each.get("providedCostDetails") or each.get("costDetails")
        if isinstance(usage, dict) and usage:
            attributes.setdefault(f"{_OBSERVATION}.usage_details", usage)
        if isinstance(cost, dict) and cost:
            attributes.setdefault(f"{_OBSERVATION}.cost_details", cost)
    return attributes


def _has(attributes: dict[str, Any], column: str) -> bool:
    """Say whether the attributes hold, in a dialect, what Langfuse made its column from."""
    prefixes = _MADE_FROM.get(column)
    return prefixes is not None and any(name.startswith(prefixes) for name in attributes)


def _with_trace(
    trace: dict[str, Any], root: dict[str, Any], attributes: dict[str, Any], *, is_first: bool
) -> dict[str, Any]:
    found = dict(attributes)
    for column, name in _TRACE_COLUMNS.items():
        if trace.get(column) not in _NOTHING:
            found.setdefault(name, trace[column])
    if not is_first:
        return found
    metadata = _metadata_of(trace)
    for name in ("attributes", "resourceAttributes", "scope"):
        metadata.pop(name, None)
    for name, value in without_credentials(metadata).items():
        found.setdefault(f"langfuse.trace.metadata.{name}", value)
    for column in ("input", "output"):
        value = trace.get(column)
        if isinstance(value, str):
            value = json_or_text(value)
        if value not in _NOTHING and root.get(column) in _NOTHING:
            found[f"langfuse.trace.{column}"] = value
    return found


def _parents_of_calls(observations: Sequence[dict[str, Any]]) -> set[str]:
    """Return the ids of calls around another call: two instrumentations of the same request."""
    calls = {text_at(each, "id") for each in observations if each.get("type") in _CALLS}
    return {
        text_at(each, "parentObservationId")
        for each in observations
        if each.get("type") in _CALLS and each.get("parentObservationId") in calls
    }


def _metadata_of(each: dict[str, Any]) -> dict[str, Any]:
    metadata = each.get("metadata")
    if isinstance(metadata, str):
        metadata = json_or_text(metadata)
    return dict(metadata) if isinstance(metadata, dict) else {}


def _scope_of(scope: dict[str, Any]) -> dict[str, Any]:
    kept = {name: scope[name] for name in ("name", "version") if scope.get(name)}
    inner = scope.get("attributes")
    rest = {k: v for k, v in inner.items() if k != "public_key"} if isinstance(inner, dict) else {}
    return {**kept, "attributes": without_credentials(rest)} if rest else kept


def _ns_of(each: dict[str, Any], name: str) -> int | None:
    time = time_of(each.get(name), name)
    if time is None:
        return None
    return to_ns(time if time.tzinfo else time.replace(tzinfo=UTC))


def _span_id(given: str) -> str:
    if _SPAN_ID.fullmatch(given):
        return given
    return hashlib.sha256(given.encode("utf-8", "replace")).hexdigest()[:16]


def _trace_id(given: str) -> str:
    short = given.replace("-", "").lower()
    if _TRACE_ID.fullmatch(short):
        return short
    return hashlib.sha256(given.encode("utf-8", "replace")).hexdigest()[:32]
