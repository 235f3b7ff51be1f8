"""OTLP in protobuf and in JSON, decoded into spans and log records."""

import base64
import json
import math

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from traces.errors import BadPayloadError
from traces.ingest.otlp import (
    JSON_TYPE,
    PROTOBUF_TYPE,
    decode_json_traces,
    decode_logs,
    decode_traces,
)
from traces.ingest.wire import WireEvent

START = 1_800_000_000_000_000_000
TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def request_of(**overrides):
    """Make a request of one span, as protobuf."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "shop"
    scope_spans = group.scope_spans.add(schema_url="https://example.com/1.37")
    scope_spans.scope.name = "shop.agent"
    values = {
        "trace_id": bytes.fromhex(TRACE_ID),
        "span_id": bytes.fromhex(SPAN_ID),
        "name": "chat",
        "kind": 3,
        "start_time_unix_nano": START,
        "end_time_unix_nano": START + 5,
    }
    scope_spans.spans.add(**{**values, **overrides})
    return request


def json_span(**overrides):
    """Make a request of one span, as parsed JSON."""
    span = {
        "traceId": TRACE_ID,
        "spanId": SPAN_ID,
        "name": "chat",
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 5),
    }
    return {"resourceSpans": [{"scopeSpans": [{"spans": [{**span, **overrides}]}]}]}


def decoded(request):
    return decode_traces(request.SerializeToString(), PROTOBUF_TYPE)


def attribute(key, **value):
    return {"key": key, "value": value}


def hexed(value):
    """Return protobuf's own JSON of a request with ids in hex, as OTLP has them."""
    if isinstance(value, list):
        return [hexed(each) for each in value]
    if not isinstance(value, dict):
        return value
    ids = {"traceId", "spanId", "parentSpanId"}
    return {
        name: base64.b64decode(item).hex() if name in ids else hexed(item)
        for name, item in value.items()
    }


def test_span_keeps_all_that_was_sent():
    request = request_of(parent_span_id=b"\x01" * 8, trace_state="a=b", flags=257)
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.status.code, span.status.message = 2, "refused"
    span.dropped_attributes_count = 4
    span.events.add(name="exception", time_unix_nano=START + 1).attributes.add(
        key="exception.type"
    ).value.string_value = "ValueError"
    span.links.add(trace_id=b"\x02" * 16, span_id=b"\x03" * 8)
    (found,) = decoded(request).spans
    assert (found.trace_id, found.span_id, found.parent_id) == (TRACE_ID, SPAN_ID, "01" * 8)
    assert (found.status_code, found.status_message, found.kind) == (2, "refused", 3)
    assert (found.start_ns, found.end_ns) == (START, START + 5)
    assert (found.flags, found.trace_state, found.dropped) == (257, "a=b", {"attributes": 4})
    assert found.events == (WireEvent("exception", START + 1, {"exception.type": "ValueError"}),)
    assert found.links == ({"trace_id": "02" * 16, "span_id": "03" * 8},)
    assert found.emitter.resource == {"service.name": "shop"}
    assert found.emitter.scope == {"name": "shop.agent", "schema_url": "https://example.com/1.37"}


def test_attributes_become_plain_json():
    request = request_of()
    attributes = request.resource_spans[0].scope_spans[0].spans[0].attributes
    attributes.extend(
        [
            KeyValue(key="text", value=AnyValue(string_value="")),
            KeyValue(key="number", value=AnyValue(int_value=0)),
            KeyValue(key="large", value=AnyValue(int_value=-(2**63))),
            KeyValue(key="no", value=AnyValue(bool_value=False)),
            KeyValue(key="half", value=AnyValue(double_value=0.5)),
            KeyValue(key="not a number", value=AnyValue(double_value=math.nan)),
            KeyValue(key="endless", value=AnyValue(double_value=-math.inf)),
            KeyValue(key="bytes", value=AnyValue(bytes_value=b"\xff\x00")),
            KeyValue(key="nothing", value=AnyValue()),
        ]
    )
    values = attributes.add(key="list").value.array_value.values
    values.extend([AnyValue(string_value="a"), AnyValue(), AnyValue(int_value=1)])
    inner = attributes.add(key="object").value.kvlist_value.values
    inner.add(key="deep").value.kvlist_value.values.add(key="er").value.bool_value = True
    assert decoded(request).spans[0].attributes == {
        "text": "",
        "number": 0,
        "large": -(2**63),
        "no": False,
        "half": 0.5,
        "not a number": "NaN",
        "endless": "-Infinity",
        "bytes": "/wA=",
        "nothing": None,
        "list": ["a", None, 1],
        "object": {"deep": {"er": True}},
    }


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"trace_id": b""}, "trace id has 0 bytes, not 16"),
        ({"trace_id": b"\x00" * 16}, "trace id is all zeros"),
        ({"trace_id": b"\x01" * 24}, "trace id has 24 bytes, not 16"),
        ({"span_id": b"\x01" * 7}, "span id has 7 bytes, not 8"),
        ({"span_id": b"\x00" * 8}, "span id is all zeros"),
        ({"parent_span_id": b"\x01"}, "parent's id has 1 bytes, not 8"),
        ({"start_time_unix_nano": 0}, "has no start"),
        ({"end_time_unix_nano": START - 1}, "ends .* before it starts"),
        ({"end_time_unix_nano": 2**64 - 1}, "after the year 2262"),
    ],
)
def test_span_that_cannot_be_read_is_counted_and_named(overrides, words):
    request = request_of(**overrides)
    request.MergeFrom(request_of())
    found = decoded(request)
    assert (len(found.spans), found.num_rejected) == (1, 1)
    with pytest.raises(AssertionError, match=f"^Span 'chat': .*{words}"):
        raise AssertionError(found.problem)
    as_json = decode_json_traces(hexed(MessageToDict(request)))
    assert (as_json.spans, as_json.problem) == (found.spans, found.problem)


def test_parent_of_zeros_is_none():
    assert decoded(request_of(parent_span_id=b"\x00" * 8)).spans[0].parent_id == ""


def test_unknown_kind_is_unspecified():
    assert decoded(request_of(kind=17)).spans[0].kind == 0


def test_empty_request_has_no_spans():
    assert decode_traces(b"", PROTOBUF_TYPE).spans == []
    assert decode_traces(b"{}", JSON_TYPE).spans == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\xff\xff\xff", "no protobuf ExportTraceServiceRequest"),
        (b'{"resourceSpans": []}', "no protobuf"),
        (request_of(name="abcdef").SerializeToString()[:-4], "no protobuf"),
        (
            request_of(name="abcdef").SerializeToString().replace(b"abcdef", b"abc\xffef"),
            "not UTF-8",
        ),
    ],
)
def test_body_that_is_no_request_is_refused(body, words):
    with pytest.raises(BadPayloadError, match=words):
        decode_traces(body, PROTOBUF_TYPE)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "no JSON"),
        (b"\xff{}", "no JSON in UTF-8"),
        (b"[]", "must be a JSON object"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"resourceSpans": {}}', "resourceSpans must be a list"),
        (b'{"resourceSpans": [1]}', "resourceSpans must be an object"),
        (b'{"resourceSpans": [{"resource": []}]}', "resource must be an object"),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": 1}]}]}', "spans must be a list"),
        (b'{"a": ' + b"1" * 5000 + b"}", "no JSON"),
    ],
)
def test_json_that_is_no_request_is_refused(body, words):
    with pytest.raises(BadPayloadError, match=words):
        decode_traces(body, JSON_TYPE)


def test_values_nested_over_a_hundred_levels_are_refused():
    value = b""
    for _ in range(100):
        value = _field(5, _field(1, value))
    pair = _field(1, b"k") + _field(2, value)
    with pytest.raises(BadPayloadError, match="nested too deeply"):
        decode_traces(_field(1, _field(2, _field(2, _field(9, pair)))), PROTOBUF_TYPE)


def test_json_values_nested_too_deeply_lose_their_span_alone():
    value = {"stringValue": "deep"}
    for _ in range(60):
        value = {"arrayValue": {"values": [value]}}
    request = json_span(attributes=[{"key": "k", "value": value}])
    request["resourceSpans"] += json_span()["resourceSpans"]
    found = decode_json_traces(request)
    assert (len(found.spans), found.num_rejected) == (1, 1)
    assert "nested over 50 levels" in found.problem


@pytest.mark.parametrize("signal", ["logs", "metrics"])
@pytest.mark.parametrize("content_type", [PROTOBUF_TYPE, JSON_TYPE])
def test_export_of_another_signal_is_refused_by_its_name(signal, content_type):
    if signal == "logs":
        request = ExportLogsServiceRequest()
        record = request.resource_logs.add().scope_logs.add().log_records.add()
        record.time_unix_nano, record.body.string_value = START, "é" * 200
        record.trace_id, record.span_id = b"\x01" * 16, b"\x02" * 8
    else:
        request = ExportMetricsServiceRequest()
        metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="calls")
        metric.sum.data_points.add(as_int=3)
    body = request.SerializeToString()
    if content_type == JSON_TYPE:
        body = json.dumps(MessageToDict(request)).encode()
    with pytest.raises(BadPayloadError, match=f"an export of {signal}, not of spans"):
        decode_traces(body, content_type)


def test_logs_without_ids_or_text_are_recognised_as_logs():
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=START)
    with pytest.raises(BadPayloadError, match="send it to /v1/logs"):
        decode_traces(request.SerializeToString(), PROTOBUF_TYPE)


def test_json_may_write_names_as_in_the_proto_file():
    span = {
        "trace_id": TRACE_ID.upper(),
        "span_id": SPAN_ID,
        "parent_span_id": "01" * 8,
        "name": "chat",
        "kind": "SPAN_KIND_CLIENT",
        "start_time_unix_nano": START,
        "end_time_unix_nano": float(START),
        "status": {"code": "STATUS_CODE_ERROR"},
        "attributes": [attribute("n", int_value="7"), attribute("b", bytes_value="_wA")],
    }
    request = {"resource_spans": [{"scope_spans": [{"spans": [span]}]}]}
    (found,) = decode_json_traces(request).spans
    assert (found.trace_id, found.parent_id) == (TRACE_ID, "01" * 8)
    assert (found.kind, found.status_code) == (3, 2)
    assert found.start_ns == found.end_ns == START
    assert found.attributes == {"n": 7, "b": "/wA="}


def test_json_ids_in_base64_are_understood():
    request = json_span(traceId=base64.b64encode(bytes.fromhex(TRACE_ID)).decode())
    assert decode_json_traces(request).spans[0].trace_id == TRACE_ID


def test_json_leaves_unknown_members_alone():
    request = json_span(novelty={"a": [1]}, attributes=[attribute("k", newValue={"x": 1})])
    assert decode_json_traces(request).spans[0].attributes == {"k": None}


def test_json_null_is_absent():
    request = json_span(attributes=None, status=None, parentSpanId=None, events=None)
    assert decode_json_traces(request).num_rejected == 0


def test_half_a_character_is_replaced():
    body = json.dumps(json_span(name="a\ud800b")).encode()
    assert decode_traces(body, JSON_TYPE).spans[0].name == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("traceId", 5, "traceId must be text, and is 5"),
        ("traceId", "xyz", "traceId must be hex digits, and is 'xyz'"),
        ("name", ["a"], "name must be text"),
        ("startTimeUnixNano", True, "must be a whole number"),
        ("startTimeUnixNano", 1.5, "must be a whole number"),
        ("startTimeUnixNano", "1e3", "must be a whole number"),
        ("startTimeUnixNano", -1, "must be a whole number"),
        ("endTimeUnixNano", 2**64, "must be a whole number"),
        ("attributes", {}, "attributes must be a list"),
        ("attributes", [1], "attributes must be an object"),
        ("attributes", [{"key": 1}], "key must be text"),
        ("attributes", [attribute("k", stringValue=1)], "stringValue must be text"),
        ("attributes", [attribute("k", intValue=2**63)], "intValue must be a whole number"),
        ("attributes", [attribute("k", boolValue="yes")], "boolValue must be true or false"),
        ("attributes", [attribute("k", doubleValue="much")], "doubleValue must be a number"),
        ("attributes", [attribute("k", doubleValue=10**400)], "doubleValue must be a number"),
        ("attributes", [attribute("k", bytesValue="a")], "bytesValue must be base64"),
        ("attributes", [attribute("k", arrayValue=[])], "arrayValue must be an object"),
        ("events", [5], "events must be an object"),
        ("status", "OK", "status must be an object"),
        ("kind", [], None),
    ],
)
def test_json_of_a_wrong_type_loses_its_span_alone(member, value, words):
    request = json_span(**{member: value})
    request["resourceSpans"] += json_span()["resourceSpans"]
    found = decode_json_traces(request)
    assert len(found.spans) == (1 if words else 2)
    assert (words or "") in found.problem


def test_log_record_names_its_event_in_either_way():
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    new = records.add(event_name="gen_ai.choice", observed_time_unix_nano=START)
    new.trace_id, new.span_id = bytes.fromhex(TRACE_ID), bytes.fromhex(SPAN_ID)
    new.body.kvlist_value.values.add(key="index").value.int_value = 0
    old = records.add(time_unix_nano=START, trace_id=bytes.fromhex(TRACE_ID))
    old.attributes.add(key="event.name").value.string_value = "gen_ai.user.message"
    records.add(time_unix_nano=START).body.string_value = "only a line"
    for found in (
        decode_logs(request.SerializeToString(), PROTOBUF_TYPE),
        decode_logs(json.dumps(hexed(MessageToDict(request))).encode(), JSON_TYPE),
    ):
        assert found.num_others == 1
        choice, user = found.logs
        assert choice.event == WireEvent("gen_ai.choice", START, {}, {"index": 0})
        assert (choice.trace_id, choice.span_id) == (TRACE_ID, SPAN_ID)
        assert user.event.name == "gen_ai.user.message"
        assert (user.trace_id, user.span_id) == (TRACE_ID, "")


def refusal_of(decode, body, content_type):
    """Return why a body is refused, empty if it is not; any other error fails the test."""
    try:
        decode(body, content_type)
    except BadPayloadError as error:
        return str(error)
    return ""


def _field(number, content):
    """Return a length-delimited protobuf field."""
    length, size = len(content), b""
    while length > 127:
        size += bytes([length & 127 | 128])
        length >>= 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + content


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
scalars = st.one_of(
    st.builds(AnyValue),
    st.builds(lambda value: AnyValue(string_value=value), texts),
    st.builds(lambda value: AnyValue(int_value=value), st.integers(-(2**63), 2**63 - 1)),
    st.builds(lambda value: AnyValue(bool_value=value), st.booleans()),
    st.builds(lambda value: AnyValue(double_value=value), st.floats()),
    st.builds(lambda value: AnyValue(bytes_value=value), st.binary(max_size=12)),
)


def _nest(inner):
    def array(values):
        value = AnyValue()
        value.array_value.values.extend(values)
        value.array_value.SetInParent()
        return value

    def kvlist(pairs):
        value = AnyValue()
        value.kvlist_value.SetInParent()
        value.kvlist_value.values.extend(
            KeyValue(key=key, value=item) for key, item in pairs.items()
        )
        return value

    return st.one_of(
        st.builds(array, st.lists(inner, max_size=3)),
        st.builds(kvlist, st.dictionaries(texts, inner, max_size=3)),
    )


values = st.recursive(scalars, _nest, max_leaves=8)
attribute_lists = st.lists(st.builds(KeyValue, key=texts, value=values), max_size=5)


@st.composite
def requests(draw):
    request = ExportTraceServiceRequest()
    for _ in range(draw(st.integers(0, 2))):
        group = request.resource_spans.add()
        group.resource.attributes.extend(draw(attribute_lists))
        scope_spans = group.scope_spans.add(schema_url=draw(texts))
        scope_spans.scope.name = draw(texts)
        for _ in range(draw(st.integers(0, 2))):
            start = draw(st.integers(1, 2**64 - 1))
            span = scope_spans.spans.add(
                trace_id=draw(st.binary(min_size=15, max_size=16)),
                span_id=draw(st.binary(min_size=8, max_size=8)),
                parent_span_id=draw(st.sampled_from([b"", b"\x00" * 8, b"\x05" * 8])),
                name=draw(texts),
                kind=draw(st.integers(0, 5)),
                start_time_unix_nano=start,
                end_time_unix_nano=min(start + draw(st.integers(0, 10)), 2**64 - 1),
                flags=draw(st.integers(0, 2**32 - 1)),
            )
            span.status.code = draw(st.integers(0, 2))
            span.attributes.extend(draw(attribute_lists))
            span.events.add(name=draw(texts), time_unix_nano=start)
            span.links.add(trace_id=b"\x01" * 16, span_id=b"\x02" * 8)
    return request


@settings(max_examples=60, deadline=None)
@given(requests())
def test_protobuf_and_json_of_a_request_say_the_same(request):
    body = request.SerializeToString()
    as_json = json.dumps(hexed(MessageToDict(request))).encode()
    one, other = decode_traces(body, PROTOBUF_TYPE), decode_traces(as_json, JSON_TYPE)
    assert one == other
    json.dumps([span.attributes for span in one.spans], allow_nan=False)


names = st.sampled_from(
    [
        "resourceSpans",
        "resource_spans",
        "resource",
        "scopeSpans",
        "scope",
        "spans",
        "traceId",
        "spanId",
        "name",
        "attributes",
        "key",
        "value",
        "stringValue",
        "intValue",
        "doubleValue",
        "bytesValue",
        "arrayValue",
        "kvlistValue",
        "values",
        "events",
        "links",
        "status",
        "code",
        "kind",
        "startTimeUnixNano",
        "flags",
        "timeUnixNano",
        "resourceLogs",
        "logRecords",
        "body",
    ]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=30,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(names, anything, max_size=4))
def test_json_of_wrong_types_is_refused_or_counted_and_nothing_else(request):
    body = json.dumps(request).encode()
    for decode in (decode_traces, decode_logs):
        assert len(refusal_of(decode, body, JSON_TYPE)) < 500


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            [
                "name",
                "kind",
                "traceId",
                "attributes",
                "events",
                "links",
                "status",
                "flags",
                "endTimeUnixNano",
            ]
        ),
        anything,
    )
)
def test_span_of_wrong_types_is_counted_and_nothing_else(overrides):
    found = decode_traces(json.dumps(json_span(**overrides)).encode(), JSON_TYPE)
    assert len(found.spans) + found.num_rejected == 1


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 60))
def test_bytes_of_any_kind_are_decoded_or_refused(noise, place):
    body = request_of().SerializeToString()
    for decode in (decode_traces, decode_logs):
        mixed = body[:place] + noise + body[place:]
        assert len(refusal_of(decode, mixed, PROTOBUF_TYPE)) < 500


MANY = 20_001


def pairs(num):
    return [KeyValue(key=f"k{number}", value=AnyValue(int_value=1)) for number in range(num)]


@pytest.mark.parametrize(
    "parts",
    [
        {"attributes": pairs(MANY)},
        {"events": [{"name": "tick"}] * MANY},
        {"links": [{"trace_id": bytes.fromhex(TRACE_ID)}] * MANY},
        {"events": [{"name": "tick", "attributes": pairs(MANY // 2)}] * 2},
        {"links": [{"attributes": pairs(MANY // 2)}] * 2},
    ],
)
@pytest.mark.parametrize("content_type", [PROTOBUF_TYPE, JSON_TYPE])
def test_span_of_too_many_parts_is_counted_and_those_beside_it_are_kept(parts, content_type):
    request = request_of(**parts)
    spans = request.resource_spans[0].scope_spans[0].spans
    spans.add().CopyFrom(request_of(name="beside").resource_spans[0].scope_spans[0].spans[0])
    found = decode_traces(written(request, content_type), content_type)
    assert ([span.name for span in found.spans], found.num_rejected) == (["beside"], 1)
    assert "attributes, events and links" in found.problem
    assert "at most 20,000 are taken." in found.problem


@pytest.mark.parametrize("content_type", [PROTOBUF_TYPE, JSON_TYPE])
def test_spans_of_a_resource_of_too_many_attributes_are_counted(content_type):
    request = request_of()
    request.resource_spans[0].resource.attributes.extend(pairs(MANY))
    found = decode_traces(written(request, content_type), content_type)
    assert (found.spans, found.num_rejected) == ([], 1)


@pytest.mark.parametrize("content_type", [PROTOBUF_TYPE, JSON_TYPE])
def test_span_of_as_many_parts_as_are_taken_is_kept(content_type):
    request = request_of(attributes=pairs(19_999))
    found = decode_traces(written(request, content_type), content_type)
    assert (len(found.spans[0].attributes), found.num_rejected) == (19_999, 0)


@pytest.mark.parametrize("content_type", [PROTOBUF_TYPE, JSON_TYPE])
def test_log_record_of_too_many_attributes_is_counted(content_type):
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    records.add(event_name="big", attributes=pairs(MANY))
    records.add(event_name="small")
    found = decode_logs(written(request, content_type), content_type)
    assert ([log.event.name for log in found.logs], found.num_rejected) == (["small"], 1)
    assert "at most 20,000 are taken." in found.problem


def written(request, content_type):
    """Return a request as it is sent; ids in JSON are base64, which is understood too."""
    if content_type == PROTOBUF_TYPE:
        return request.SerializeToString()
    return json.dumps(MessageToDict(request)).encode()
