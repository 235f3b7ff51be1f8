"""OpenTelemetry's own conventions for generative AI, before 1.37, from 1.37 and since."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traces.ingest.dialects import normalise
from traces.ingest.wire import WireEvent, WireSpan
from traces.records import EmitterRecord

HELLO = [{"role": "user", "parts": [{"type": "text", "content": "Where is my parcel?"}]}]
CALL = {"type": "tool_call", "id": "c1", "name": "find_parcel", "arguments": {"id": "P-7"}}
CALLED = {"id": "c1", "name": "find_parcel", "arguments": {"id": "P-7"}}


def wire(attributes=None, *, events=(), name="chat gpt-x", parent="", **more):
    return WireSpan(
        trace_id="a" * 32,
        span_id="b" * 16,
        parent_id=parent,
        name=name,
        kind=3,
        start_ns=1_000,
        end_ns=3_000,
        attributes=attributes or {},
        events=tuple(events),
        **more,
    )


def read(attributes=None, **more):
    return normalise(wire(attributes, **more))


def record(attributes=None, **more):
    return read(attributes, **more).record


def test_model_call_of_the_newest_conventions_is_read_whole():
    found = read(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "acme",
            "gen_ai.request.model": "gpt-x",
            "gen_ai.response.model": "gpt-x-2",
            "gen_ai.conversation.id": "conv-1",
            "gen_ai.usage.input_tokens": 120,
            "gen_ai.usage.output_tokens": 30,
            "gen_ai.usage.cache_read.input_tokens": 100,
            "gen_ai.usage.reasoning.output_tokens": 12,
            "gen_ai.input.messages": json.dumps(HELLO),
            "gen_ai.output.messages": json.dumps(
                [{"role": "assistant", "parts": [CALL], "finish_reason": "tool_call"}]
            ),
            "gen_ai.system_instructions": '[{"type": "text", "content": "Be kind."}]',
            "gen_ai.tool.definitions": '[{"type": "function", "name": "find_parcel"}]',
            "user.id": "mira",
        }
    )
    span = found.record
    assert (span.kind, span.name, span.model) == ("model", "gpt-x-2", "gpt-x-2")
    assert (span.input_tokens, span.output_tokens) == (120, 30)
    assert (span.cached_tokens, span.reasoning_tokens) == (100, 12)
    assert span.input["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Where is my parcel?"},
    ]
    assert span.input["tools"] == [{"type": "function", "name": "find_parcel"}]
    assert span.output == {"content": None, "tool_calls": [CALLED]}
    assert (found.session_key, found.customer) == ("conv-1", "mira")
    assert span.heard == "Where is my parcel?"
    assert span.attributes == {"gen_ai.provider.name": "acme", "gen_ai.request.model": "gpt-x"}
    assert span.otel == {"kind": 3}


def test_structured_messages_are_read_as_those_in_text():
    as_text = record({"gen_ai.operation.name": "chat", "gen_ai.input.messages": json.dumps(HELLO)})
    as_values = record({"gen_ai.operation.name": "chat", "gen_ai.input.messages": HELLO})
    assert as_text == as_values


def test_new_messages_follow_the_last_answer():
    messages = [
        {"role": "user", "content": "Hello"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "function": {"name": "f"}}],
        },
        {"role": "tool", "content": "4", "tool_call_id": "c1"},
        {"role": "user", "content": "And now?"},
    ]
    span = record({"gen_ai.operation.name": "chat", "gen_ai.input.messages": messages})
    assert (span.input["new"], span.heard) == (2, "And now?")
    assert span.input["messages"][2] == messages[2]


def test_events_of_the_older_conventions_are_messages():
    events = [
        WireEvent("gen_ai.system.message", 1, {"content": "Be kind."}),
        WireEvent("gen_ai.user.message", 1, {"content": "Hello"}),
        WireEvent("gen_ai.choice", 2, {"index": 0, "message": '{"content": "Hi."}'}),
        WireEvent("cache.miss", 2),
    ]
    attributes = {"gen_ai.system": "acme", "gen_ai.usage.prompt_tokens": "7"}
    span = record(attributes, events=events)
    assert span.kind == "model"
    assert [each["role"] for each in span.input["messages"]] == ["system", "user"]
    assert span.output == {"content": "Hi."}
    assert span.input_tokens == 7
    assert span.otel["events"] == [{"name": "cache.miss", "time_ns": 2}]


def test_prompt_and_completion_events_are_messages():
    said = '[{"role": "user", "content": "Hello"}]'
    events = [
        WireEvent("gen_ai.content.prompt", 1, {"gen_ai.prompt": said}),
        WireEvent("gen_ai.content.completion", 2, {"gen_ai.completion": "Hi."}),
    ]
    span = record({"gen_ai.operation.name": "chat"}, events=events)
    assert span.heard == "Hello"
    assert span.output == {"content": "Hi."}


def test_tool_span_has_arguments_result_and_the_calls_id():
    span = record(
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "find_parcel",
            "gen_ai.tool.call.id": "c1",
            "gen_ai.tool.call.arguments": '{"id": "P-7"}',
            "gen_ai.tool.call.result": '{"status": "sent"}',
            "gen_ai.tool.type": "function",
        },
        name="execute_tool find_parcel",
    )
    assert (span.kind, span.name) == ("tool", "find_parcel")
    assert span.input == {"arguments": {"id": "P-7"}}
    assert span.output == {"result": {"status": "sent"}}
    assert span.attributes == {"gen_ai.tool.type": "function", "call_id": "c1"}


def test_agents_tokens_are_not_counted_beside_those_of_its_calls():
    found = read(
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "Parcels",
            "gen_ai.agent.version": "7",
            "gen_ai.usage.input_tokens": 900,
        },
        name="invoke_agent Parcels",
    )
    assert (found.record.kind, found.record.name) == ("agent", "Parcels")
    assert (found.agent_name, found.version_name) == ("Parcels", "7")
    assert found.record.input_tokens is None
    assert found.record.attributes == {"gen_ai.usage.input_tokens": 900}


def test_embeddings_keep_model_and_tokens_and_are_no_step():
    attributes = {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "embed-x"}
    span = record({**attributes, "gen_ai.usage.input_tokens": 5})
    assert (span.kind, span.model, span.input_tokens) == ("other", "embed-x", 5)


def test_service_names_agent_and_version_of_a_root_only():
    emitter = EmitterRecord(resource={"service.name": "parcels", "service.version": "1.2"})
    root = read({}, emitter=emitter)
    inner = read({}, emitter=emitter, parent="c" * 16)
    assert (root.agent_name, root.version_name) == ("parcels", "1.2")
    assert (inner.agent_name, inner.version_name) == ("", "")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"status_code": 2, "status_message": "too slow"}, "too slow"),
        ({"attributes": {"error.type": "timeout"}}, "timeout"),
        (
            {"events": [WireEvent("exception", 1, {"exception.message": "no route"})]},
            "no route",
        ),
    ],
)
def test_failure_is_told_by_status_error_type_or_exception(more, message):
    span = record(**more)
    assert (span.status, span.status_message) == ("error", message)


def test_exception_in_a_span_that_ended_well_is_no_failure():
    exception = WireEvent("exception", 1, {"exception.message": "tried again"})
    assert record(events=[exception], status_code=1).status == "ok"


def test_chained_answers_name_no_conversation():
    found = read({"gen_ai.operation.name": "chat", "gen_ai.conversation.id": "resp_1"})
    assert found.session_key == ""
    assert found.record.attributes["gen_ai.conversation.id"] == "resp_1"


def test_reported_cost_is_kept_as_reported():
    span = record({"gen_ai.operation.name": "chat", "gen_ai.usage.cost": 0.0021})
    assert (span.cost_usd, span.cost_from) == (Decimal("0.0021"), "reported")


def test_pictures_stand_beside_the_text():
    parts = [{"type": "text", "content": "This one"}, {"type": "uri", "uri": "https://x.example"}]
    messages = [{"role": "user", "parts": parts}]
    span = record({"gen_ai.operation.name": "chat", "gen_ai.input.messages": messages})
    assert span.input["messages"] == [{"role": "user", "content": "This one", "parts": [parts[1]]}]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "role",
                    "content",
                    "parts",
                    "type",
                    "tool_calls",
                    "function",
                    "name",
                    "message",
                    "text",
                ]
            ),
            inner,
        )
    ),
    max_leaves=12,
)
NAMES = st.sampled_from(
    [
        "gen_ai.operation.name",
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.system_instructions",
        "gen_ai.tool.definitions",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.cost",
        "openinference.span.kind",
        "llm.input_messages.0.message.role",
        "llm.input_messages.0.message.content",
        "llm.input_messages.1",
        "gen_ai.prompt.0.content",
        "langfuse.observation.type",
        "langfuse.observation.output",
        "langfuse.observation.usage_details",
        "input.value",
        "output.value",
        "tool.name",
        "tool.parameters",
        "ai.operationId",
        "ai.response.toolCalls",
        "metadata",
        "tag.tags",
        "crew_agents",
        "session.id",
        "events",
    ]
)


@given(st.dictionaries(NAMES, JSON | JSON.map(json.dumps), max_size=8))
def test_no_attribute_is_too_odd_to_be_read(attributes):
    span = record(attributes)
    assert span.kind in {"model", "tool", "agent", "other"}
    assert span.trace_id == "a" * 32


@pytest.mark.parametrize("inner", ["kwargs", "message", "content", "body"])
def test_message_in_a_message_without_end_is_kept_as_it_is(inner):
    value = {"role": "user", "content": "Hello"}
    for _ in range(700):
        value = {"lc": 1, "type": "tool", "event.name": "gen_ai.choice", inner: value}
    text = json.dumps(value)
    assert record({"gen_ai.operation.name": "chat", "gen_ai.input.messages": text}).kind == "model"
    tool = record({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.result": text})
    assert tool.output is not None
