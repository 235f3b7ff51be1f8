"""Where programs send their traces and logs: OTLP over HTTP, `POST /v1/traces` and `/v1/logs`."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from traces.api_keys import known_project
from traces.errors import BadPayloadError, TooLargeError, UnsupportedTypeError
from traces.ingest.answers import Outcome, RefusedError, logs_answer, refusal, traces_answer
from traces.ingest.body import discard_body, encoding_of, inflate, read_body
from traces.ingest.otlp import JSON_TYPE, PROTOBUF_TYPE, decode_logs, decode_traces
from traces.ingest.take import take_logs, take_spans
from traces.models import Project
from traces.patience import AWAY, bounded_waits

logger = logging.getLogger(__name__)

# Requests that one process works on at a time; the other half of its threads is for people.
MAX_IN_FLIGHT = 4
# A short queue in front of them takes what comes at once from several senders.
MAX_WAIT_SECONDS = 0.5
_RETRY_AFTER = {"Retry-After": "1"}
_BEARER = "bearer "
_in_flight = BoundedSemaphore(MAX_IN_FLIGHT)


@csrf_exempt
@login_not_required
def traces(request: HttpRequest) -> HttpResponse:
    """Take spans. What is answered with 200 is committed."""
    try:
        return traces_answer(request, _taken(request, _take_traces))
    except RefusedError as error:
        discard_body(request)
        return refusal(request, error)


@csrf_exempt
@login_not_required
def logs(request: HttpRequest) -> HttpResponse:
    """Take log records: evaluations of spans, and what was said in them."""
    try:
        return logs_answer(request, _taken(request, _take_logs))
    except RefusedError as error:
        discard_body(request)
        return refusal(request, error)


def _take_traces(project: Project, body: bytes, content_type: str) -> Outcome:
    return take_spans(project=project, decoded=decode_traces(body, content_type))


def _take_logs(project: Project, body: bytes, content_type: str) -> Outcome:
    return take_logs(project=project, decoded=decode_logs(body, content_type))


def _taken(request: HttpRequest, take: Callable[[Project, bytes, str], Outcome]) -> Outcome:
    """Read the request and take what is in it.

    Raises:
        RefusedError: It is not taken, or not now.
    """
    if request.method != "POST":
        raise RefusedError(405, f"{request.method} does not work here; POST.", {"Allow": "POST"})
    try:
        project = _project(request)
        content_type, encoding = _content_type(request), encoding_of(request)
        # A body may come slowly: it holds a thread, and nobody else's turn.
        body = read_body(request)
        with _turn(), bounded_waits():
            return take(project, inflate(body, encoding), content_type)
    except UnsupportedTypeError as error:
        raise RefusedError(415, str(error)) from error
    except TooLargeError as error:
        raise RefusedError(413, str(error)) from error
    except BadPayloadError as error:
        raise RefusedError(400, str(error)) from error
    except AWAY as error:
        logger.warning("A request is put off: %s", error)
        raise RefusedError(503, "The database is away or too slow.", _RETRY_AFTER) from error


def _project(request: HttpRequest) -> Project:
    header = request.headers.get("Authorization", "")
    challenge = {"WWW-Authenticate": "Bearer"}
    if not header.lower().startswith(_BEARER):
        wanted = "Send a project's API key as the header 'Authorization: Bearer rd_…'."
        raise RefusedError(401, wanted, challenge)
    project = known_project(header[len(_BEARER) :].strip())
    if project is None:
        raise RefusedError(401, "This API key is unknown or revoked.", challenge)
    return project


def _content_type(request: HttpRequest) -> str:
    found = request.content_type or ""
    if found not in (PROTOBUF_TYPE, JSON_TYPE):
        raise UnsupportedTypeError(
            f"Content-Type {found[:60]!r} is not read here; send {PROTOBUF_TYPE} or {JSON_TYPE}."
        )
    return found


@contextmanager
def _turn() -> Iterator[None]:
    """Wait a moment for a request's turn, and hold it."""
    if not _in_flight.acquire(timeout=MAX_WAIT_SECONDS):
        raise RefusedError(429, "Too many requests at once; send this again.", _RETRY_AFTER)
    try:
        yield
    finally:
        _in_flight.release()
