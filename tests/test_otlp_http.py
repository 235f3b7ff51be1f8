"""The endpoints that take traces and logs, asked over HTTP by hand."""

import gzip
import json
import socket
import time
import zlib
from contextlib import suppress
from threading import Thread

import pytest
from django.test import Client
from google.protobuf.json_format import MessageToDict
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceResponse,
)

from tests.factories import make_project
from tests.test_otlp_decode import SPAN_ID, START, TRACE_ID, hexed, json_span, request_of
from traces import api_keys, patience
from traces.api_keys import create_key, revoke_key
from traces.ingest import body as bodies
from traces.ingest import take, views
from traces.ingest.otlp import JSON_TYPE, PROTOBUF_TYPE
from traces.models import ApiKey, Session, Span

pytestmark = pytest.mark.django_db
# A request without spans.
NOTHING = b"\x0a\x00"


class Sender:
    """A program with a key."""

    def __init__(self, project=None):
        self.project = project or make_project()
        self.key = create_key(project=self.project, name="sender")

    def post(self, body, content_type=PROTOBUF_TYPE, path="/v1/traces", **headers):
        headers = {"Authorization": f"Bearer {self.key}", **headers}
        return Client().generic("POST", path, body, content_type, headers=headers)

    def post_json(self, request, path="/v1/traces"):
        return self.post(json.dumps(request).encode(), JSON_TYPE, path)


def status_of(answer):
    """Return the `google.rpc.Status` of an answer that refuses."""
    if answer["Content-Type"] == PROTOBUF_TYPE:
        return Status.FromString(answer.content)
    return Status(**answer.json())


def test_protobuf_is_stored_and_answered_in_protobuf():
    sender = Sender()
    answer = sender.post(request_of().SerializeToString())
    assert (answer.status_code, answer["Content-Type"]) == (200, PROTOBUF_TYPE)
    assert ExportTraceServiceResponse.FromString(answer.content) == ExportTraceServiceResponse()
    span = Span.objects.get(session__project=sender.project)
    assert (span.span_id, span.trace_id.hex, span.start_ns) == (SPAN_ID, TRACE_ID, START)
    assert Session.objects.get(project=sender.project).source == Session.Source.OTLP


def test_json_is_stored_and_answered_in_json():
    sender = Sender()
    answer = sender.post_json(hexed(MessageToDict(request_of())))
    assert (answer.status_code, answer["Content-Type"], answer.json()) == (200, JSON_TYPE, {})
    assert Span.objects.filter(session__project=sender.project).count() == 1


def test_span_sent_twice_is_one():
    sender = Sender()
    for _ in range(2):
        assert sender.post(request_of().SerializeToString()).status_code == 200
    assert Span.objects.filter(session__project=sender.project).count() == 1


def test_content_type_may_have_parameters_and_any_case():
    answer = Sender().post(b"{}", "Application/JSON; charset=utf-8")
    assert (answer.status_code, answer["Content-Type"]) == (200, JSON_TYPE)


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("identity", bytes),
        ("GZIP", gzip.compress),
    ],
)
def test_compressed_body_is_inflated(encoding, compress):
    sender = Sender()
    body = compress(request_of().SerializeToString())
    assert sender.post(body, **{"Content-Encoding": encoding}).status_code == 200
    assert Span.objects.filter(session__project=sender.project).count() == 1


def test_part_that_cannot_be_stored_is_counted_and_named():
    request = request_of(trace_id=b"")
    request.MergeFrom(request_of())
    answer = Sender().post(request.SerializeToString())
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, partial.rejected_spans) == (200, 1)
    assert partial.error_message == "Span 'chat': its trace id has 0 bytes, not 16."
    as_json = Sender().post_json(hexed(MessageToDict(request))).json()
    assert as_json == {
        "partialSuccess": {"rejectedSpans": "1", "errorMessage": partial.error_message}
    }


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer rd_wrong", "Basic rd_wrong"])
@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs"])
def test_request_without_a_valid_key_is_refused(header, path):
    answer = Sender().post(NOTHING, path=path, Authorization=header)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert status_of(answer).code == 16


def test_revoked_key_is_refused_ten_seconds_later_at_the_latest(monkeypatch):
    sender = Sender()
    assert sender.post(NOTHING).status_code == 200
    revoke_key(api_key=ApiKey.objects.get(project=sender.project))
    monkeypatch.setattr(api_keys, "KNOWN_SECONDS", 0.0)
    assert sender.post(NOTHING).status_code == 401


def test_key_that_is_known_costs_no_query(django_assert_num_queries):
    sender = Sender()
    sender.post(NOTHING)
    with django_assert_num_queries(2):  # the limit of the time, and its end
        assert sender.post(NOTHING).status_code == 200


def test_spans_go_to_the_project_of_the_key():
    mine, theirs = Sender(), Sender()
    mine.post(request_of().SerializeToString())
    assert not Span.objects.filter(session__project=theirs.project).exists()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_other_methods_are_refused(method):
    answer = Client().generic(method, "/v1/traces")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/grpc", "multipart/form-data", ""]
)
def test_other_content_types_are_refused(content_type):
    answer = Sender().post(b"", content_type)
    assert (answer.status_code, answer["Content-Type"]) == (415, JSON_TYPE)
    assert "send application/x-protobuf or application/json" in status_of(answer).message


def test_other_compressions_are_refused():
    answer = Sender().post(b"", **{"Content-Encoding": "br"})
    assert (answer.status_code, status_of(answer).code) == (415, 3)


@pytest.mark.parametrize(
    ("body", "encoding", "words"),
    [
        (b"\xff", "", "no protobuf"),
        (b"no gzip", "gzip", "The body is not gzip"),
        (gzip.compress(b"abc" * 99, mtime=0)[:-9], "gzip", "breaks off before its end"),
        (gzip.compress(b"", mtime=0) + b"garbage", "gzip", "stands something else"),
        (gzip.compress(b"", mtime=0) * 2, "gzip", "stands something else"),
        (gzip.compress(b"abc", mtime=0)[:-6] + b"\x00" * 6, "gzip", "incorrect data check"),
    ],
)
def test_body_that_cannot_be_read_is_refused(body, encoding, words):
    answer = Sender().post(body, **{"Content-Encoding": encoding})
    status = status_of(answer)
    assert (answer.status_code, status.code) == (400, 3)
    assert words in status.message


def test_logs_sent_to_traces_are_refused_by_their_name():
    answer = Sender().post_json({"resourceLogs": []})
    assert answer.status_code == 400
    assert "send it to /v1/logs" in status_of(answer).message


def test_body_over_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr(bodies, "MAX_BYTES", 1000)
    answer = Sender().post(b"x" * 1001)
    assert answer.status_code == 413
    assert status_of(answer).message == "The body has 1,001 bytes; 1,000 are allowed."


def test_body_over_the_limit_when_inflated_is_refused():
    bomb = gzip.compress(b"\x00" * (bodies.MAX_BYTES + 1))
    answer = Sender().post(bomb, **{"Content-Encoding": "gzip"})
    assert answer.status_code == 413
    assert "over 20,000,000 bytes when inflated" in status_of(answer).message


class Drip:
    """A connection on which a byte comes every 50 ms, read as the server does: in a loop."""

    def __init__(self):
        self.connection, self._sender = socket.socketpair()
        Thread(target=self._send, daemon=True).start()

    def read(self, size):
        found = b""
        while len(found) < size and (byte := self.connection.recv(1)):
            found += byte
        return found

    readline = read

    def _send(self):
        with self._sender, suppress(OSError):
            while True:
                self._sender.send(b" ")
                time.sleep(0.05)


def dripping(**headers):
    drip = Drip()
    meta = {
        "wsgi.input": drip,
        "wsgi.input_terminated": True,
        "gunicorn.socket": drip.connection,
        "CONTENT_LENGTH": "1000000",
        "CONTENT_TYPE": JSON_TYPE,
    }
    with drip.connection:
        return Client().generic("POST", "/v1/traces", headers=headers, **meta)


def test_body_that_comes_too_slowly_is_refused(monkeypatch):
    monkeypatch.setattr(bodies, "MAX_SECONDS", 0.3)
    answer = dripping(Authorization=f"Bearer {Sender().key}")
    assert answer.status_code == 400
    assert "took over" in status_of(answer).message


def test_stranger_keeps_no_thread_for_long(monkeypatch):
    monkeypatch.setattr(bodies, "_DISCARD_SECONDS", 0.3)
    began = time.monotonic()
    assert dripping().status_code == 401
    assert time.monotonic() - began < 5


def test_too_many_requests_at_once_are_put_off(monkeypatch):
    monkeypatch.setattr(views, "MAX_WAIT_SECONDS", 0.01)
    for _ in range(views.MAX_IN_FLIGHT):
        views._in_flight.acquire()
    try:
        answer = Sender().post(NOTHING)
    finally:
        for _ in range(views.MAX_IN_FLIGHT):
            views._in_flight.release()
    assert (answer.status_code, answer["Retry-After"], status_of(answer).code) == (429, "1", 8)


def test_refusal_gives_its_turn_back():
    sender = Sender()
    for _ in range(views.MAX_IN_FLIGHT + 1):
        assert sender.post(b"\xff").status_code == 400


def test_nothing_of_a_person_is_asked_or_given():
    """Neither a session nor a CSRF token matters, and no cookie is set."""
    client = Client(enforce_csrf_checks=True)
    sender = Sender()
    headers = {"Authorization": f"Bearer {sender.key}"}
    answer = client.generic("POST", "/v1/traces", NOTHING, PROTOBUF_TYPE, headers=headers)
    assert answer.status_code == 200
    assert not answer.cookies


def test_json_request_may_be_half_wrong():
    request = json_span(attributes=7)
    request["resourceSpans"] += json_span()["resourceSpans"]
    sender = Sender()
    assert sender.post_json(request).json()["partialSuccess"]["rejectedSpans"] == "1"
    assert Span.objects.filter(session__project=sender.project).count() == 1


def test_what_the_sender_left_out_is_known():
    request = request_of()
    request.resource_spans[0].scope_spans[0].spans[0].dropped_attributes_count = 4
    sender = Sender()
    sender.post(request.SerializeToString())
    assert Span.objects.get(session__project=sender.project).otel["dropped"] == {"attributes": 4}


def test_request_of_many_spans_is_stored_in_slices(monkeypatch):
    monkeypatch.setattr(take, "SPANS_AT_ONCE", 2)
    request = request_of()
    for number in range(4):
        request.MergeFrom(request_of(span_id=bytes([9] * 7 + [number]), name=f"step {number}"))
    sender = Sender()
    assert sender.post(request.SerializeToString()).status_code == 200
    assert Span.objects.filter(session__project=sender.project).count() == 5


def test_database_that_is_away_puts_requests_off(monkeypatch):
    """A query that takes too long is one way to be away; `test_otlp_clients` has the other."""
    monkeypatch.setattr(patience, "STATEMENT_SECONDS", 0.001)
    request = request_of()
    for number in range(500):
        request.MergeFrom(request_of(span_id=(number + 1).to_bytes(8, "big"), name="x" * 5000))
    answer = Sender().post(request.SerializeToString())
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert status_of(answer).code == 14
