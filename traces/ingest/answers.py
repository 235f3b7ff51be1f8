"""What a sender of OTLP is told, in the type it speaks.

https://opentelemetry.io/docs/specs/otlp/#otlphttp-response: a success is the signal's response
message, with a partial success where something of the request is not kept; any other answer is a
`google.rpc.Status`. Senders try again after 429 and 503 alone, and after no earlier than
`Retry-After` says.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.rpc.code_pb2 import Code
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from traces.errors import TracesError
from traces.ingest.otlp import JSON_TYPE, PROTOBUF_TYPE

_CODES = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    405: Code.UNIMPLEMENTED,
    413: Code.INVALID_ARGUMENT,
    415: Code.INVALID_ARGUMENT,
    429: Code.RESOURCE_EXHAUSTED,
    503: Code.UNAVAILABLE,
}
_MAX_MESSAGE = 1000


@dataclass(frozen=True)
class Outcome:
    """What became of a request that was taken.

    Attributes:
        num_rejected: Spans or log records of it that are not kept.
        problem: Why, in a sentence or two; else empty.
    """

    num_rejected: int = 0
    problem: str = ""


class RefusedError(TracesError):
    """A request is not taken; `status` is HTTP's."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})


def traces_answer(request: HttpRequest, outcome: Outcome) -> HttpResponse:
    """Return the answer to an export of spans."""
    message = ExportTraceServiceResponse()
    if outcome.num_rejected or outcome.problem:
        message.partial_success.rejected_spans = outcome.num_rejected
        message.partial_success.error_message = outcome.problem[:_MAX_MESSAGE]
    return _response(request, message)


def logs_answer(request: HttpRequest, outcome: Outcome) -> HttpResponse:
    """Return the answer to an export of log records."""
    message = ExportLogsServiceResponse()
    if outcome.num_rejected or outcome.problem:
        message.partial_success.rejected_log_records = outcome.num_rejected
        message.partial_success.error_message = outcome.problem[:_MAX_MESSAGE]
    return _response(request, message)


def refusal(request: HttpRequest, error: RefusedError) -> HttpResponse:
    """Return the answer to a request that is not taken."""
    status = Status(code=_CODES[error.status], message=str(error)[:_MAX_MESSAGE])
    response = _response(request, status, error.status)
    for name, value in error.headers.items():
        response[name] = value
    return response


def _response(request: HttpRequest, message: Message, status: int = 200) -> HttpResponse:
    """Return a message in the type of the request; in JSON where that is none that is spoken."""
    if request.content_type == PROTOBUF_TYPE:
        return HttpResponse(message.SerializeToString(), PROTOBUF_TYPE, status)
    text = MessageToJson(message, indent=None)
    return HttpResponse(text, JSON_TYPE, status)
