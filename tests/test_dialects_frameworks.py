"""OpenInference, OpenLLMetry and the frameworks' own attributes, read into the store's form."""

import json

import pytest

from tests.test_dialects_otel import read, record

WEATHER = {"id": "c1", "name": "weather", "arguments": {"city": "Oslo"}}


def test_openinference_call_is_read_from_flattened_messages():
    call = "llm.output_messages.0.message.tool_calls.0.tool_call"
    found = read(
        {
            "openinference.span.kind": "LLM",
            "llm.model_name": "gpt-x",
            "llm.input_messages.1.message.role": "user",
            "llm.input_messages.1.message.contents.0.message_content.type": "text",
            "llm.input_messages.1.message.contents.0.message_content.text": "Rain?",
            "llm.input_messages.0.message.role": "system",
            "llm.input_messages.0.message.content": "Be brief.",
            "llm.output_messages.0.message.role": "assistant",
            f"{call}.id": "c1",
            f"{call}.function.name": "weather",
            f"{call}.function.arguments": '{"city": "Oslo"}',
            "llm.tools.0.tool.json_schema": '{"function": {"name": "weather"}}',
            "llm.token_count.prompt": 9,
            "llm.token_count.completion": 4,
            "llm.token_count.total": 13,
            "llm.token_count.prompt_details.cache_read": 2,
            "llm.token_count.completion_details.reasoning": 1,
            "session.id": "s1",
            "metadata": '{"plan": "gold"}',
            "tag.tags": ["pilot"],
        }
    )
    span = found.record
    assert (span.kind, span.model, span.heard) == ("model", "gpt-x", "Rain?")
    assert [each["content"] for each in span.input["messages"]] == ["Be brief.", "Rain?"]
    assert span.input["tools"] == [{"name": "weather"}]
    assert span.output == {"content": None, "tool_calls": [WEATHER]}
    assert (span.input_tokens, span.cached_tokens, span.reasoning_tokens) == (9, 2, 1)
    assert (found.session_key, found.metadata) == ("s1", {"plan": "gold", "tags": ["pilot"]})
    assert span.attributes == {}


def test_openinference_tool_agent_and_retriever():
    tool = record(
        {
            "openinference.span.kind": "TOOL",
            "tool.name": "weather",
            "tool.parameters": '{"city": "Oslo"}',
            "input.value": '{"city": "Oslo"}',
            "output.value": "rain",
            "output.mime_type": "text/plain",
        }
    )
    assert (tool.kind, tool.name, tool.attributes) == ("tool", "weather", {})
    assert (tool.input, tool.output) == ({"arguments": {"city": "Oslo"}}, {"result": "rain"})
    agent = record({"openinference.span.kind": "AGENT", "input.value": "Rain?"}, name="Forecaster")
    assert (agent.kind, agent.name, agent.input) == ("agent", "Forecaster", {"content": "Rain?"})
    retriever = record(
        {
            "openinference.span.kind": "RETRIEVER",
            "retrieval.documents.0.document.id": "d1",
            "retrieval.documents.1.document.id": "d2",
        },
        parent="c" * 16,
    )
    assert (retriever.kind, retriever.output) == ("other", [{"id": "d1"}, {"id": "d2"}])


def test_openllmetry_call_workflow_and_tool():
    call = record(
        {
            "llm.request.type": "chat",
            "gen_ai.request.model": "gpt-x",
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": "Rain?",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.tool_calls.0.id": "c1",
            "gen_ai.completion.0.tool_calls.0.name": "weather",
            "gen_ai.completion.0.tool_calls.0.arguments": '{"city": "Oslo"}',
            "llm.usage.total_tokens": 13,
            "gen_ai.usage.prompt_tokens": 9,
            "gen_ai.usage.completion_tokens": 4,
        }
    )
    assert (call.kind, call.heard, call.output["tool_calls"]) == ("model", "Rain?", [WEATHER])
    assert call.attributes == {}
    found = read(
        {
            "traceloop.span.kind": "tool",
            "traceloop.entity.name": "weather",
            "traceloop.entity.input": '{"city": "Oslo"}',
            "traceloop.entity.output": '"rain"',
            "traceloop.association.properties.session_id": "s1",
            "traceloop.association.properties.user_id": "mira",
            "traceloop.association.properties.plan": "gold",
        }
    )
    assert (found.record.kind, found.record.name) == ("tool", "weather")
    assert found.record.output == {"result": "rain"}
    assert (found.session_key, found.customer, found.metadata) == ("s1", "mira", {"plan": "gold"})


def test_vercels_outer_span_only_repeats_what_the_inner_says():
    outer = record({"ai.operationId": "ai.generateText", "ai.usage.promptTokens": 9})
    assert (outer.kind, outer.input_tokens) == ("agent", None)
    inner = record(
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.id": "gpt-x",
            "ai.prompt.messages": json.dumps(
                [{"role": "user", "content": [{"type": "text", "text": "Rain?"}]}]
            ),
            "ai.response.text": "Let me see.",
            "ai.response.toolCalls": json.dumps(
                [{"toolCallId": "c1", "toolName": "weather", "args": '{"city": "Oslo"}'}]
            ),
            "ai.usage.promptTokens": 9,
            "ai.telemetry.metadata.sessionId": "s1",
        }
    )
    assert (inner.kind, inner.model, inner.input_tokens) == ("model", "gpt-x", 9)
    assert inner.output == {"content": "Let me see.", "tool_calls": [WEATHER]}
    tool = record(
        {
            "ai.operationId": "ai.toolCall",
            "ai.toolCall.name": "weather",
            "ai.toolCall.id": "c1",
            "ai.toolCall.args": '{"city": "Oslo"}',
            "ai.toolCall.result": '{"sky": "grey"}',
        }
    )
    assert (tool.name, tool.input["arguments"]) == ("weather", {"city": "Oslo"})
    assert (tool.output, tool.attributes["call_id"]) == ({"result": {"sky": "grey"}}, "c1")


def test_pydantic_ais_agent_and_tool():
    messages = [
        {"role": "user", "parts": [{"type": "text", "content": "Rain?"}]},
        {"role": "assistant", "parts": [{"type": "text", "content": "Yes."}]},
    ]
    agent = record(
        {
            "agent_name": "forecaster",
            "model_name": "gpt-x",
            "pydantic_ai.all_messages": json.dumps(messages),
            "final_result": "Yes.",
        },
        name="forecaster run",
    )
    assert (agent.kind, agent.name, agent.model) == ("agent", "forecaster", "")
    assert (agent.input["content"], agent.output) == ("Rain?", {"content": "Yes."})
    tool = record(
        {
            "gen_ai.tool.name": "weather",
            "gen_ai.tool.call.id": "c1",
            "tool_arguments": '{"city": "Oslo"}',
            "tool_response": "rain",
        },
        name="running tool: weather",
    )
    assert (tool.kind, tool.name, tool.output) == ("tool", "weather", {"result": "rain"})


def test_agent_development_kits_request_and_response():
    request = {
        "model": "gemini-x",
        "config": {"system_instruction": "Be brief."},
        "contents": [{"role": "user", "parts": [{"text": "Rain?"}]}],
    }
    call = {"function_call": {"name": "weather", "args": {"city": "Oslo"}, "id": "c1"}}
    found = read(
        {
            "gen_ai.system": "gcp.vertex.agent",
            "gen_ai.request.model": "gemini-x",
            "gcp.vertex.agent.llm_request": json.dumps(request),
            "gcp.vertex.agent.llm_response": json.dumps(
                {"content": {"role": "model", "parts": [call]}}
            ),
            "gcp.vertex.agent.session_id": "s1",
        }
    )
    assert (found.record.kind, found.session_key) == ("model", "s1")
    assert [each["role"] for each in found.record.input["messages"]] == ["system", "user"]
    assert found.record.output["tool_calls"] == [WEATHER]


def test_langfuses_generation_adds_cached_and_reasoning_tokens_in():
    usage = {"input": 10, "input_cache_read": 90, "output": 5, "output_reasoning": 20, "total": 125}
    span = record(
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.model.name": "gpt-x",
            "langfuse.observation.input": '[{"role": "user", "content": "Rain?"}]',
            "langfuse.observation.output": "Yes.",
            "langfuse.observation.usage_details": json.dumps(usage),
            "langfuse.observation.cost_details": '{"total": 0.5}',
        }
    )
    assert (span.kind, span.heard, span.output) == ("model", "Rain?", {"content": "Yes."})
    assert (span.input_tokens, span.cached_tokens) == (100, 90)
    assert (span.output_tokens, span.reasoning_tokens) == (25, 20)
    assert span.cost_from == "reported"


SHAPES = {
    "openai": (
        [
            {
                "role": "assistant",
                "content": "One moment.",
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "rain"},
        ]
    ),
    "responses": (
        [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "They ask."}]},
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "One moment."}],
            },
            {
                "type": "function_call",
                "call_id": "c1",
                "name": "weather",
                "arguments": '{"city": "Oslo"}',
            },
            {"type": "function_call_output", "call_id": "c1", "output": "rain"},
        ]
    ),
    "anthropic": (
        [
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "They ask."},
                    {"type": "text", "text": "One moment."},
                    {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Oslo"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "c1",
                        "content": [{"type": "text", "text": "rain"}],
                    }
                ],
            },
        ]
    ),
    "langchain": (
        [
            {
                "lc": 1,
                "type": "constructor",
                "id": ["langchain_core", "messages", "AIMessage"],
                "kwargs": {
                    "content": "One moment.",
                    "tool_calls": [{"id": "c1", "name": "weather", "args": {"city": "Oslo"}}],
                },
            },
            {"type": "tool", "content": "rain", "tool_call_id": "c1"},
        ]
    ),
    "repr": (
        "[{'role': 'assistant', 'content': 'One moment.', 'tool_calls': [{'id': 'c1', 'name': "
        "'weather', 'arguments': {'city': 'Oslo'}}]}, {'role': 'tool', 'content': 'rain', "
        "'tool_call_id': 'c1'}]"
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_messages_of_every_shape_are_the_same_messages(shape):
    value = SHAPES[shape]
    text = value if isinstance(value, str) else json.dumps(value)
    span = record({"gen_ai.operation.name": "chat", "gen_ai.input.messages": text})
    answer, result = span.input["messages"]
    answer.pop("reasoning", None)
    assert answer == {"role": "assistant", "content": "One moment.", "tool_calls": [WEATHER]}
    assert result == {"role": "tool", "content": "rain", "tool_call_id": "c1"}


def test_code_in_a_python_literal_is_not_run():
    text = "[__import__('os').getcwd()]"
    span = record({"openinference.span.kind": "TOOL", "output.value": text})
    assert span.output == {"result": text}


def test_attribute_of_another_value_is_kept_and_of_the_same_is_not():
    same = record({"user.id": "mira", "enduser.id": "mira"})
    other = record({"user.id": "mira", "enduser.id": "someone"})
    assert same.attributes == {}
    assert other.attributes == {"enduser.id": "someone"}
