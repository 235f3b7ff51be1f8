"""Exports of Langfuse: traces with their observations, as its UI, its API or its tests keep them.

Form: Langfuse's public API, "Trace with full details" and "Observation". An observation that came
over OpenTelemetry keeps what was sent under `metadata.attributes`; it is read by the same dialects
as a span that is sent to us, with Langfuse's own columns as Langfuse's own attributes.
"""

from collections.abc import Iterator
from typing import Any

from traces.errors import BadRecordError
from traces.ingest.dialects import normalise
from traces.ingest.importers.fields import list_at, object_at, text_at
from traces.ingest.importers.json_file import Found, Row, documents_of, records_of
from traces.ingest.importers.langfuse_spans import wire_spans_of
from traces.ingest.importers.source import Source
from traces.models import Session
from traces.records import IncomingSpan, SessionRecord


def read_langfuse(source: Source) -> Iterator[Found]:
    """Yield each trace as a session, or as the reason why it is left out.

    Raises:
        BadImportError: The file is no JSON, or breaks off.
    """
    return records_of(documents_of(source), _records_of)


def _records_of(row: Row) -> SessionRecord:
    document = object_at(row.value, "the line")
    if isinstance(document.get("data"), dict):
        document = document["data"]
    trace = document.get("trace", document)
    trace = object_at(trace, "the trace")
    observations = list_at(document, "observations", "it") or list_at(
        trace, "observations", "the trace"
    )
    whole = [each for each in observations if isinstance(each, dict)]
    trace_id = text_at(trace, "id") or next((text_at(each, "traceId") for each in whole), "")
    if not trace_id:
        raise BadRecordError("it has neither a trace's id nor observations")
    spans = [normalise(span) for span in wire_spans_of(trace_id, trace, whole)]
    if not spans:
        raise BadRecordError(f"trace {trace_id} has no observations and says nothing itself")
    return _record_of(trace_id, trace, spans)


def _record_of(trace_id: str, trace: dict[str, Any], spans: list[IncomingSpan]) -> SessionRecord:
    """Return one session; where spans differ in what they say of it, a root's word counts."""
    ranked = sorted(spans, key=lambda each: (bool(each.record.parent_id), each.record.start_ns))
    failed = next(
        (
            each.record.status_message
            for each in ranked
            if not each.record.parent_id and each.record.status == "error"
        ),
        None,
    )
    metadata: dict[str, Any] = {}
    for each in reversed(ranked):
        metadata |= each.metadata
    if session_key := _first(each.session_key for each in ranked):
        metadata["session_id"] = session_key
    if scores := _scores_of(trace):
        metadata["scores"] = scores
    records = sorted(
        (each.record for each in spans), key=lambda each: (each.start_ns, each.span_id)
    )
    return SessionRecord(
        source=Session.Source.LANGFUSE,
        external_id=trace_id,
        status=Session.Status.COMPLETED if failed is None else Session.Status.FAILED,
        status_reason=failed or "",
        agent_name=_first(each.agent_name for each in ranked),
        version_name=_first(each.version_name for each in ranked),
        customer=_first(each.customer for each in ranked),
        spans=tuple(records),
        metadata=metadata,
    )


def _first(values: Iterator[str]) -> str:
    return next(filter(None, values), "")


def _scores_of(trace: dict[str, Any]) -> dict[str, Any]:
    scores = trace.get("scores")
    return {
        str(each["name"]): each.get("stringValue") or each.get("value")
        for each in (scores if isinstance(scores, list) else [])
        if isinstance(each, dict) and each.get("name") and not each.get("observationId")
    }
