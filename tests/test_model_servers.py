"""The model servers, asked by the real openai client: the scripted one and the recorded one."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from agents.demo.tools import FOR_AGENTS
from agents.llm.simulator.recorded import RecordedBrain, read_recordings
from agents.llm.simulator.scripted import ScriptedBrain
from agents.llm.simulator.server import ModelServer, scaled_latency

TOOLS: Any = [contract.to_openai() for contract in FOR_AGENTS]
MODEL = "shop-demo-1"


@pytest.fixture(scope="module")
def client() -> Iterator[openai.OpenAI]:
    server = ModelServer(ScriptedBrain()).start()
    with openai.OpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client:
        yield client
    server.stop()


def test_it_calls_a_tool_and_says_how_many_tokens(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(
        model=MODEL,
        tools=TOOLS,
        messages=[
            {"role": "system", "content": "Find the account by e-mail first."},
            {"role": "user", "content": "Where is #F10350? I'm ada@mail.example."},
        ],
    )
    choice = reply.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    call = choice.message.tool_calls[0]
    assert call.type == "function"
    assert call.function.name == "find_user_id_by_email"
    assert json.loads(call.function.arguments) == {"email": "ada@mail.example"}
    assert reply.usage is not None
    assert reply.usage.prompt_tokens > 1000 > reply.usage.completion_tokens > 0


def test_it_lists_its_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [
        "shop-demo-1",
        "shop-demo-1-mini",
        "shop-demo-judge",
        "shop-demo-customer",
    ]
    assert client.models.retrieve(MODEL).owned_by == "reviewdesk"


def test_an_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="'gpt-9' does not exist here; there are: shop"):
        client.chat.completions.create(model="gpt-9", messages=[{"role": "user", "content": "Hi"}])
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-9")


def test_streaming_is_refused_in_words(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="does not stream"):
        client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Hi"}], stream=True
        )


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"not JSON", 400),
        (b"[]", 400),
        (b'{"model": "shop-demo-1", "messages": []}', 400),
        (b'{"model": "shop-demo-1", "messages": [{"role": "elf"}]}', 400),
        (b'{"model": "shop-demo-1", "messages": [{"role": "user"}], "tools": [7]}', 400),
    ],
)
def test_malformed_requests_get_errors_in_openai_form(
    client: openai.OpenAI, body: bytes, status: int
) -> None:
    url = f"{client.base_url}chat/completions"
    request = urllib.request.Request(url, data=body)  # noqa: S310  # our own server
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)  # noqa: S310
    with caught.value as error:
        assert error.code == status
        assert json.load(error)["error"]["type"] == "invalid_request_error"


def test_latency_grows_with_the_answer_and_is_the_same_for_the_same() -> None:
    seconds = scaled_latency(250)
    request = {"messages": [{"role": "user", "content": "Hi"}]}
    assert seconds(request, 10) == seconds(request, 10) < seconds(request, 120)
    assert 0.1 < seconds(request, 10) < 0.5


def test_a_slow_server_waits() -> None:
    server = ModelServer(ScriptedBrain(), latency=scaled_latency(60)).start()
    started = time.monotonic()
    with openai.OpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hi"}])
    server.stop()
    assert time.monotonic() - started > 0.03


def make_results(path: Path) -> Path:
    call = {"id": "call_1", "name": "get_order_details", "arguments": {"order_id": "#X1"}}
    messages = [
        {"role": "assistant", "content": "Hi! How can I help?"},
        {"role": "user", "content": "Where is #X1?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [call],
            "usage": {"prompt_tokens": 70, "completion_tokens": 9},
        },
        {"role": "tool", "id": "call_1", "content": '{"status": "pending"}', "error": False},
        {"role": "assistant", "content": "It is pending."},
        {"role": "user", "content": "Thanks. ###STOP###"},
    ]
    task = {"id": "7", "evaluation_criteria": {"actions": []}}
    simulation = {
        "id": "s-1",
        "task_id": "7",
        "messages": messages,
        "reward_info": {"db_check": {"db_match": True}},
    }
    info = {"agent_info": {"llm": "old-model"}}
    content = {"info": info, "tasks": [task], "simulations": [simulation]}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[openai.OpenAI]:
    recordings = read_recordings(make_results(tmp_path / "retail.json"))
    server = ModelServer(RecordedBrain(recordings)).start()
    with openai.OpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client:
        yield client
    server.stop()


def ask(client: openai.OpenAI, *messages: dict[str, Any]) -> Any:
    given: Any = [{"role": "system", "content": "Any prompt."}, *messages]
    return client.chat.completions.create(model="old-model", messages=given)


GREETING = {"role": "assistant", "content": "Hi! How can I help?"}
QUESTION = {"role": "user", "content": "Where is #X1?"}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {
            "id": "call_1",
            "type": "function",
            "function": {"name": "get_order_details", "arguments": '{"order_id": "#X1"}'},
        }
    ],
}


def test_the_recorded_answers_come_back_whatever_the_tools_said(recorded: openai.OpenAI) -> None:
    first = ask(recorded, GREETING, QUESTION)
    assert first.choices[0].message.tool_calls[0].id == "call_1"
    assert (first.usage.prompt_tokens, first.usage.completion_tokens) == (70, 9)
    result = {"role": "tool", "tool_call_id": "call_1", "content": "something else"}
    second = ask(recorded, GREETING, QUESTION, CALL, result)
    assert second.choices[0].message.content == "It is pending."


def test_what_does_not_match_is_named(recorded: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match=r"message 2 .*'Where is #X2\?'.*'Where is #X1"):
        ask(recorded, GREETING, {"role": "user", "content": "Where is #X2?"})
    over = [CALL, {"role": "assistant", "content": "It is pending."}]
    last = {"role": "user", "content": "Thanks. ###STOP###"}
    with pytest.raises(openai.NotFoundError, match="goes on after these 5 messages"):
        ask(recorded, GREETING, QUESTION, *over, last)
    with pytest.raises(openai.NotFoundError, match="end before message 6"):
        ask(recorded, GREETING, QUESTION, *over, last, {"role": "user", "content": "More?"})


def test_a_recording_is_a_run_without_what_nobody_answered(tmp_path: Path) -> None:
    recording = read_recordings(make_results(tmp_path / "retail.json"))[0]
    assert recording.run_input == {"messages": [GREETING, QUESTION], "turns": []}
    assert recording.reached_goal is True
