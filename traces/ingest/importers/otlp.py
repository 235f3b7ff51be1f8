"""OTLP in JSON: one request, a list of them, or one a line (as the collector's file exporter).

Form: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding and
https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/. The files hold spans, not
sessions: what belongs together is found out when they are stored.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from traces.errors import BadPayloadError, BadRecordError
from traces.ingest.dialects import normalise
from traces.ingest.evaluations import ScoreRecord, scores_in
from traces.ingest.importers.fields import object_at
from traces.ingest.importers.json_file import BadRow, Row, documents_of
from traces.ingest.importers.source import Source
from traces.ingest.otlp import decode_json_traces
from traces.records import IncomingSpan


@dataclass(frozen=True)
class Request:
    """The spans of one request, and how many of them cannot be read, and why the first cannot.

    Attributes:
        scores: What evaluators say of them, which stands among their events.
    """

    spans: list[IncomingSpan]
    num_rejected: int = 0
    problem: str = ""
    scores: list[ScoreRecord] = field(default_factory=list)


def read_otlp(source: Source) -> Iterator[tuple[Row, Request | BadRow]]:
    """Yield each request's spans, or the reason why it is left out.

    Raises:
        BadImportError: The file is no JSON, or breaks off.
    """
    for row in documents_of(source):
        if isinstance(row, BadRow):
            yield Row(row.line, source.share, None), row
            continue
        try:
            decoded = decode_json_traces(_request(row.value))
        except (BadPayloadError, BadRecordError) as error:
            yield row, BadRow(row.line, str(error))
        except RecursionError:
            yield row, BadRow(row.line, "it is nested too deeply")
        else:
            spans = [normalise(span) for span in decoded.spans]
            scores = [score for span in decoded.spans for score in scores_in(span)]
            yield row, Request(spans, decoded.num_rejected, decoded.problem, scores)


def _request(value: Any) -> dict[str, Any]:
    request = object_at(value, "the request")
    if "resourceSpans" not in request and "resource_spans" not in request:
        raise BadRecordError("it has no resourceSpans, so it is no request of traces")
    return request
