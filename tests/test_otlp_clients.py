"""Real clients, set up as the README says, send to a running desk."""

import http.client
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from reviewdesk.environment import CHECKOUT
from tests.model_server import model_server
from tests.processes import Desk, database_of, manage, remove_home, running_desk, wait_until

pytestmark = pytest.mark.slow

ASK = "Where is my order A17?"
ANSWER = "It is on its way."
CLIENTS = CHECKOUT / ".venv/clients"
README = (CHECKOUT / "README.md").read_text()
NUM_MANY = 150

OPENTELEMETRY = """
tracer = trace.get_tracer("shop")
with tracer.start_as_current_span("invoke_agent shop-support") as agent:
    agent.set_attribute("gen_ai.operation.name", "invoke_agent")
    agent.set_attribute("gen_ai.agent.name", "shop-support")
    agent.set_attribute("gen_ai.conversation.id", "talk-1")
    with tracer.start_as_current_span("chat desk-model") as call:
        call.set_attributes({
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "desk-model",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 10,
            "gen_ai.input.messages": json.dumps(
                [{"role": "user", "parts": [{"type": "text", "content": ASK}]}]),
            "gen_ai.output.messages": json.dumps(
                [{"role": "assistant", "parts": [{"type": "tool_call", "id": "call_1",
                  "name": "get_order", "arguments": {"order_id": "A17"}}],
                  "finish_reason": "tool_call"}]),
        })
    with tracer.start_as_current_span("execute_tool get_order") as tool:
        tool.set_attributes({
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "get_order",
            "gen_ai.tool.call.id": "call_1",
            "gen_ai.tool.call.arguments": json.dumps({"order_id": "A17"}),
            "gen_ai.tool.call.result": json.dumps({"status": "shipped"}),
        })
"""
OPENAI = """
import openai
client = openai.OpenAI(base_url=os.environ["MODEL_URL"], api_key="none", max_retries=0)
messages = [{"role": "user", "content": ASK}]
tools = [{"type": "function", "function": {"name": "get_order", "parameters": {"type": "object"}}}]
with using_session("talk-2"), trace.get_tracer("shop").start_as_current_span("talk"):
    create = client.chat.completions.create
    first = create(model="desk-model", messages=messages, tools=tools).choices[0].message
    messages.append(first.model_dump(exclude_none=True))
    messages.append({"role": "tool", "tool_call_id": first.tool_calls[0].id,
                     "content": json.dumps({"status": "shipped"})})
    create(model="desk-model", messages=messages, tools=tools)
"""
AGENTS = """
from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool
from openai import AsyncOpenAI

@function_tool
def get_order(order_id: str) -> str:
    "Look an order up."
    return json.dumps({"status": "shipped"})

client = AsyncOpenAI(base_url=os.environ["MODEL_URL"], api_key="none", max_retries=0)
model = OpenAIChatCompletionsModel("desk-model", client)
agent = Agent(name="Shop support", instructions="Help.", model=model, tools=[get_order])
with using_session("talk-3"):
    Runner.run_sync(agent, ASK)
"""
MANY = """
tracer = trace.get_tracer("shop")
for number in range(150):
    with tracer.start_as_current_span(f"step {number}"):
        pass
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("clients") / "home"
    try:
        with running_desk(home, seconds=180) as desk:
            yield desk
    finally:
        remove_home(home)


@pytest.fixture(scope="module")
def key(desk: Desk) -> str:
    """Make a project and a key of it."""
    code = "from traces.models import Project; Project.objects.create(slug='shop', name='Shop')"
    assert manage(desk.home, "shell", "-v0", "-c", code).returncode == 0
    return manage(desk.home, "create_api_key", "--project", "shop").stdout.strip()


def readme_block(name: str) -> str:
    """Return the README's lines that connect a client."""
    found = re.search(f"<!-- {name} -->\n```python\n(.*?)```", README, re.DOTALL)
    assert found
    return found[1]


def run_client(desk: Desk, key: str, *code: str, **variables: str) -> str:
    """Run a program that is set up by the environment alone; return what it complained of.

    With the packages that senders use, and not with the checkout, in its path: what the Agents
    SDK calls `agents` is not our package.
    """
    program = f"import json, os\nASK = {ASK!r}\n" + "\n".join(code) + "\nprovider.shutdown()\n"
    unwanted = ("PYTEST_", "OTEL_", "OPENAI_", "DJANGO_", "PYTHON")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}
    finished = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env={
            **environment,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{desk.port}",
            "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer%20{key}",
            "OTEL_SERVICE_NAME": "shop-agent",
            "PYTHONPATH": str(CLIENTS),
            **variables,
        },
        cwd=desk.home.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stderr


def asked(desk: Desk, key: str, path: str) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{desk.port}/api/v1/{path}", headers={"Authorization": f"Bearer {key}"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)


def session_named(desk: Desk, key: str, name: str) -> dict[str, Any]:
    """Wait until the session's totals are there, and return it with its spans."""
    found: list[Any] = []

    def is_there() -> bool:
        sessions = asked(desk, key, "sessions")["sessions"]
        found[:] = [each for each in sessions if name in (each["external_id"], each["agent"])]
        return bool(found and found[0]["num_spans"])

    wait_until(is_there)
    session: dict[str, Any] = asked(desk, key, f"sessions/{found[0]['id']}")
    return session


def spans_of(session: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [span for span in session["spans"] if span["kind"] == kind]


def assert_order_was_asked_for(session: dict[str, Any]) -> None:
    """Check the first model call: what was heard, and the call it asks for."""
    call = spans_of(session, "model")[0]
    heard = [each for each in call["input"]["messages"] if each["role"] == "user"]
    assert [each["content"] for each in heard] == [ASK]
    (wanted,) = call["output"]["tool_calls"]
    assert (wanted["name"], wanted["arguments"]) == ("get_order", {"order_id": "A17"})
    assert (call["model"], call["input_tokens"], call["output_tokens"]) == ("desk-model", 100, 10)


def assert_order_was_answered(session: dict[str, Any]) -> None:
    """Check the second model call: that it was told the tool's result, and what it answered."""
    call = spans_of(session, "model")[1]
    told = call["input"]["messages"][-1]
    assert told["role"] == "tool"
    assert "shipped" in json.dumps(told["content"])
    assert call["output"]["content"] == ANSWER
    assert (session["input_tokens"], session["output_tokens"]) == (200, 20)


@pytest.mark.parametrize("compression", ["gzip", "deflate", "none"])
def test_opentelemetry_sdk_sends_a_talk(desk: Desk, key: str, compression: str) -> None:
    complaints = run_client(
        desk,
        key,
        readme_block("opentelemetry"),
        OPENTELEMETRY.replace("talk-1", f"talk-{compression}"),
        OTEL_EXPORTER_OTLP_COMPRESSION=compression,
    )
    assert complaints == ""
    session = session_named(desk, key, f"talk-{compression}")
    assert (session["source"], session["agent"]) == ("otlp", "shop-support")
    assert session["title"] == ASK
    assert_order_was_asked_for(session)
    (tool,) = spans_of(session, "tool")
    assert (tool["name"], tool["input"]) == ("get_order", {"arguments": {"order_id": "A17"}})
    assert tool["output"] == {"result": {"status": "shipped"}}


def test_openinference_sends_the_calls_of_the_openai_client(desk: Desk, key: str) -> None:
    with model_server([("get_order", {"order_id": "A17"})], ANSWER) as server:
        blocks = readme_block("opentelemetry"), readme_block("openai"), OPENAI
        assert run_client(desk, key, *blocks, MODEL_URL=server.base_url) == ""
    session = session_named(desk, key, "talk-2")
    assert_order_was_asked_for(session)
    assert_order_was_answered(session)


def test_openai_agents_sdk_sends_a_run_and_nothing_to_openai(desk: Desk, key: str) -> None:
    with model_server([("get_order", {"order_id": "A17"})], ANSWER) as server:
        blocks = readme_block("opentelemetry"), readme_block("agents"), AGENTS
        # With a key the SDK would send its traces to openai.com, if it still did.
        complaints = run_client(
            desk, key, *blocks, MODEL_URL=server.base_url, OPENAI_API_KEY="sk-none"
        )
    assert complaints == ""
    session = session_named(desk, key, "talk-3")
    assert_order_was_asked_for(session)
    assert_order_was_answered(session)
    (tool,) = spans_of(session, "tool")
    assert (tool["name"], tool["input"]) == ("get_order", {"arguments": {"order_id": "A17"}})
    assert tool["output"] == {"result": {"status": "shipped"}}
    assert session["tools"] == ["get_order"]


def test_exporter_tries_again_while_the_database_is_away(desk: Desk, key: str) -> None:
    postmaster = int((database_of(desk.home) / "data/postmaster.pid").read_text().split()[0])
    supervisor = desk.process.pid
    # It would start the database again before a sender notices.
    away = f"""
import signal, threading
os.kill({supervisor}, signal.SIGSTOP)
os.kill({postmaster}, signal.SIGKILL)
threading.Timer(4, os.kill, ({supervisor}, signal.SIGCONT)).start()
"""
    blocks = readme_block("opentelemetry"), away, MANY
    complaints = run_client(desk, key, *blocks, OTEL_EXPORTER_OTLP_TIMEOUT="60")
    assert "Service Unavailable encountered while exporting spans batch, retrying" in complaints
    assert "Failed to export" not in complaints
    # Each is a session of one span; what it counts follows a moment after.
    wait_until(lambda: [each["num_spans"] for each in sent_steps(desk, key)] == [1] * NUM_MANY)


def sent_steps(desk: Desk, key: str) -> list[dict[str, Any]]:
    sessions = asked(desk, key, "sessions?limit=200")["sessions"]
    return [each for each in sessions if not each["external_id"].startswith("talk-")]


def test_body_in_chunks_is_read_to_its_end(desk: Desk, key: str) -> None:
    """Without a length; Django by itself would read nothing."""
    connection = http.client.HTTPConnection("127.0.0.1", desk.port, timeout=30)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    for chunks, status in (([b"{", b"}"], 200), ([b"{"], 400), ([b" " * 65_536] * 400, 413)):
        connection.request("POST", "/v1/traces", iter(chunks), headers, encode_chunked=True)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
    connection.close()
