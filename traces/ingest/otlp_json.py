"""OTLP's JSON as spans and log records.

It is protobuf's JSON mapping with ids in hex
(https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding); protobuf's own parser would
take those for base64. As that mapping demands, names may be in lowerCamelCase or as in the
`.proto` file, 64-bit integers may be numbers or text, `null` is absent, and members that are not
known are left alone. Enumerations may be names too, and ids base64, which simple programs write.
"""

from typing import Any

from traces.errors import BadPayloadError
from traces.ingest.otlp_values import (
    Json,
    attributes_in,
    checked_object,
    enum_in,
    id_in,
    list_in,
    object_in,
    objects_in,
    text_in,
    value_of,
    whole_in,
)
from traces.ingest.tally import (
    MAX_PARTS,
    ZERO_SPAN_ID,
    Decoded,
    DecodedLogs,
    ids_of_log,
    num_of_emitter,
    problem_of_ids,
    problem_of_parts,
    problem_of_times,
)
from traces.ingest.wire import WireEvent, WireLog, WireSpan
from traces.records import EmitterRecord

_KINDS = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]
_STATUS_CODES = ["UNSET", "OK", "ERROR"]


def read_traces(request: Json) -> Decoded:
    """Return the spans of an `ExportTraceServiceRequest`.

    Raises:
        BadPayloadError: It is none.
    """
    decoded = Decoded()
    for group in objects_in(request, "resourceSpans"):
        resource = attributes_in(object_in(group, "resource"))
        for scope_spans in objects_in(group, "scopeSpans"):
            emitter = EmitterRecord(resource, _scope(scope_spans))
            for span in list_in(scope_spans, "spans"):
                try:
                    decoded.spans.append(_wire_span(checked_object(span, "spans"), emitter))
                except BadPayloadError as error:
                    decoded.reject(f"Span {_name_of(span)!r}: {error}")
    return decoded


def read_logs(request: Json) -> DecodedLogs:
    """Return the log records of an `ExportLogsServiceRequest`.

    Raises:
        BadPayloadError: It is none.
    """
    decoded = DecodedLogs()
    for group in objects_in(request, "resourceLogs"):
        resource = attributes_in(object_in(group, "resource"))
        for scope_logs in objects_in(group, "scopeLogs"):
            emitter = EmitterRecord(resource, _scope(scope_logs))
            for record in list_in(scope_logs, "logRecords"):
                _read_log(decoded, record, emitter)
    return decoded


def _read_log(decoded: DecodedLogs, record: Any, emitter: EmitterRecord) -> None:
    try:
        log = _wire_log(checked_object(record, "logRecords"), emitter)
    except BadPayloadError as error:
        decoded.reject(f"Log record: {error}")
        return
    if log.event.name:
        decoded.logs.append(log)
    else:
        decoded.num_others += 1


def _wire_span(span: Json, emitter: EmitterRecord) -> WireSpan:
    trace_id, span_id = id_in(span, "traceId"), id_in(span, "spanId")
    parent_id = id_in(span, "parentSpanId")
    start_ns, end_ns = whole_in(span, "startTimeUnixNano"), whole_in(span, "endTimeUnixNano")
    if problem := (
        problem_of_ids(trace_id, span_id, parent_id)
        or problem_of_times(start_ns, end_ns)
        or problem_of_parts(_num_parts(span) + num_of_emitter(emitter))
    ):
        raise BadPayloadError(problem)
    status = object_in(span, "status")
    return WireSpan(
        trace_id,
        span_id,
        "" if parent_id == ZERO_SPAN_ID else parent_id,
        text_in(span, "name"),
        enum_in(span, "kind", "SPAN_KIND_", _KINDS),
        start_ns,
        end_ns,
        enum_in(status, "code", "STATUS_CODE_", _STATUS_CODES),
        text_in(status, "message"),
        attributes_in(span),
        tuple(_event(event) for event in objects_in(span, "events")),
        tuple(_link(link) for link in objects_in(span, "links")),
        whole_in(span, "flags", 32),
        text_in(span, "traceState"),
        emitter,
        _dropped(span),
    )


def _num_parts(span: Json) -> int:
    """Return how many attributes, events and links a span has, and attributes these."""
    attributes = list_in(span, "attributes")
    events, links = list_in(span, "events"), list_in(span, "links")
    num = len(attributes) + len(events) + len(links)
    if num <= MAX_PARTS:
        num += sum(len(list_in(each, "attributes")) for each in objects_in(span, "events"))
        num += sum(len(list_in(each, "attributes")) for each in objects_in(span, "links"))
    return num


def _event(event: Json) -> WireEvent:
    return WireEvent(text_in(event, "name"), whole_in(event, "timeUnixNano"), attributes_in(event))


def _link(link: Json) -> Json:
    said = {
        "trace_state": text_in(link, "traceState"),
        "flags": whole_in(link, "flags", 32),
        "attributes": attributes_in(link),
    }
    return {
        "trace_id": id_in(link, "traceId"),
        "span_id": id_in(link, "spanId"),
        **{name: value for name, value in said.items() if value},
    }


def _dropped(span: Json) -> dict[str, int]:
    dropped = {
        "attributes": whole_in(span, "droppedAttributesCount", 32),
        "events": whole_in(span, "droppedEventsCount", 32),
        "links": whole_in(span, "droppedLinksCount", 32),
    }
    return {name: number for name, number in dropped.items() if number}


def _wire_log(record: Json, emitter: EmitterRecord) -> WireLog:
    num = len(list_in(record, "attributes")) + num_of_emitter(emitter)
    if problem := problem_of_parts(num):
        raise BadPayloadError(problem)
    trace_id, span_id = ids_of_log(id_in(record, "traceId"), id_in(record, "spanId"))
    attributes = attributes_in(record)
    name = text_in(record, "eventName") or attributes.pop("event.name", "")
    time_ns = whole_in(record, "timeUnixNano") or whole_in(record, "observedTimeUnixNano")
    return WireLog(
        trace_id,
        span_id,
        WireEvent(
            name if isinstance(name, str) else "",
            time_ns,
            attributes,
            value_of(object_in(record, "body"), 0),
        ),
        emitter,
    )


def _scope(group: Json) -> Json:
    scope = object_in(group, "scope")
    said = {
        "name": text_in(scope, "name"),
        "version": text_in(scope, "version"),
        "attributes": attributes_in(scope),
        "schema_url": text_in(group, "schemaUrl"),
    }
    return {name: value for name, value in said.items() if value}


def _name_of(span: Any) -> str:
    return str(span.get("name", ""))[:60] if isinstance(span, dict) else ""
