"""OTLP, as it is sent over HTTP or lies in files, decoded into spans and log records.

The bodies are `ExportTraceServiceRequest` and `ExportLogsServiceRequest` of
https://opentelemetry.io/docs/specs/otlp/ in protobuf or in its JSON mapping. Nothing of what the
attributes mean is known here; see `traces/ingest/dialects`.
"""

import json
import re
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from traces.clean import clean_json
from traces.errors import BadPayloadError
from traces.ingest import otlp_json, otlp_protobuf
from traces.ingest.tally import Decoded, DecodedLogs

__all__ = [
    "JSON_TYPE",
    "PROTOBUF_TYPE",
    "Decoded",
    "DecodedLogs",
    "decode_json_traces",
    "decode_logs",
    "decode_traces",
]

JSON_TYPE = "application/json"
PROTOBUF_TYPE = "application/x-protobuf"
_MAY_BE_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
_NAMES = {"spans": "resourceSpans", "logs": "resourceLogs", "metrics": "resourceMetrics"}
_ADDRESSES = {"spans": "/v1/traces", "logs": "/v1/logs"}


def decode_traces(body: bytes, content_type: str) -> Decoded:
    """Decode a request body; spans that cannot be read are left out, counted and named.

    Raises:
        BadPayloadError: It is no `ExportTraceServiceRequest` at all.
    """
    if content_type == JSON_TYPE:
        return decode_json_traces(json_object(body))
    try:
        decoded = otlp_protobuf.read_traces(body)
    except BadPayloadError:
        _refuse_other_signal(body, "spans")
        raise
    if decoded.num_rejected and not decoded.spans and not otlp_protobuf.has_times(body):
        _refuse_other_signal(body, "spans")
    return decoded


def decode_json_traces(request: dict[str, Any]) -> Decoded:
    """Decode a JSON request that has been parsed; otherwise like `decode_traces`."""
    _refuse_other_names(request, "spans")
    return otlp_json.read_traces(request)


def decode_logs(body: bytes, content_type: str) -> DecodedLogs:
    """Decode a request body of logs: the records that name an event, and how many do not.

    Raises:
        BadPayloadError: It is no `ExportLogsServiceRequest` at all.
    """
    if content_type != JSON_TYPE:
        return otlp_protobuf.read_logs(body)
    request = json_object(body)
    _refuse_other_names(request, "logs")
    return otlp_json.read_logs(request)


def json_object(body: bytes) -> dict[str, Any]:
    """Return a JSON object; halves of characters in it are replaced.

    Raises:
        BadPayloadError: It is none.
    """
    try:
        found = json.loads(body)
        # Only an escape can put half a character into text; few bodies have any such.
        if _MAY_BE_HALF.search(body) and _has_halves(found):
            found = clean_json(found)
    except UnicodeDecodeError as error:
        raise BadPayloadError(f"The body is no JSON in UTF-8: {error}.") from error
    except RecursionError as error:
        raise BadPayloadError("The body is nested too deeply.") from error
    except ValueError as error:
        raise BadPayloadError(f"The body is no JSON: {error}.") from error
    if not isinstance(found, dict):
        raise BadPayloadError("The body must be a JSON object.")
    return found


def _has_halves(value: Any) -> bool:
    """Say whether text in a value is no Unicode: has a surrogate without its other half."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _refuse_other_names(request: dict[str, Any], wanted: str) -> None:
    """Raise where a JSON request is one of another signal."""
    if _has(request, wanted):
        return
    for signal in _NAMES.keys() - {wanted}:
        if _has(request, signal):
            raise BadPayloadError(_other_signal(signal, wanted))


def _has(request: dict[str, Any], signal: str) -> bool:
    return _NAMES[signal] in request or f"resource_{signal}" in request


def _refuse_other_signal(body: bytes, wanted: str) -> None:
    """Raise where a protobuf request reads as one of another signal.

    All three have their resources and scopes under the same field numbers, so that logs and
    metrics decode into spans without ids, or into nothing, by accident.
    """
    for signal in ("logs", "metrics"):
        if _is_of(body, signal):
            raise BadPayloadError(_other_signal(signal, wanted))


def _is_of(body: bytes, signal: str) -> bool:
    try:
        if signal == "logs":
            return any(
                log.time_unix_nano or log.observed_time_unix_nano
                for group in ExportLogsServiceRequest.FromString(body).resource_logs
                for scope in group.scope_logs
                for log in scope.log_records
            )
        return any(
            metric.name and metric.WhichOneof("data")
            for group in ExportMetricsServiceRequest.FromString(body).resource_metrics
            for scope in group.scope_metrics
            for metric in scope.metrics
        )
    except DecodeError:
        return False


def _other_signal(signal: str, wanted: str) -> str:
    address = _ADDRESSES.get(signal)
    way_out = f"send it to {address}" if address else "metrics are not kept here"
    return f"This is an export of {signal}, not of {wanted}: {way_out}."
