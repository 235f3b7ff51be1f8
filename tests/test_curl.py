"""Commands for a shell: what stands in a trace arrives as it was and runs nothing."""

import json
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewdesk.screens.sessions.curl import (
    MAX_ARGUMENT,
    curl_of_model_call,
    curl_of_session,
    shell_json,
)
from traces.models import Span

EVIL = "it's $(touch pwned) `touch pwned` !! \"q\" \n\\ ' ; & | \u202e \u2028 \x7f \u4e2d\U0001f600"


def model_call(content, **more):
    given = {"messages": [{"role": "user", "content": content}], "new": 0, **more}
    return Span(kind=Span.Kind.MODEL, name="chat", model="m-1", input=given)


def run(command, folder):
    """Run the command in bash with a `curl` that writes its arguments, or its input, to a file."""
    fake = folder / "curl"
    fake.write_text(
        '#!/bin/sh\nfor each; do last=$each; done\nif [ "$last" = "@-" ]; then cat > sent; '
        'else printf %s "$last" > sent; fi\nprintf "%s\\n" "$@" > arguments\n'
    )
    fake.chmod(0o755)
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "OPENAI_API_KEY": "key-1"}
    bash = shutil.which("bash")
    (folder / "script").write_text(command)
    subprocess.run([bash, "script"], cwd=folder, env=environment, check=True)
    return (folder / "sent").read_text(), (folder / "arguments").read_text()


@pytest.mark.parametrize("content", [EVIL, EVIL * 5000, "END_OF_REQUEST\nEND_OF_REQUEST"])
def test_a_model_call_arrives_as_it_was(tmp_path, content):
    command = curl_of_model_call(model_call(content))
    sent, arguments = run(command, tmp_path)
    body = json.loads(sent)
    assert body == {"model": "m-1", "messages": [{"role": "user", "content": content}]}
    assert "Authorization: Bearer key-1" in arguments
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "arguments",
        "curl",
        "script",
        "sent",
    ]


def test_a_long_request_is_no_argument():
    command = curl_of_model_call(model_call("x" * MAX_ARGUMENT))
    assert "--data-binary @-" in command
    assert max(map(len, command.split("\n")[:4])) < 100


@given(st.text())
@settings(max_examples=50)
def test_any_text_is_one_line_without_quotes_and_the_same_json(text):
    line = shell_json({text: text})
    assert json.loads(line) == {text: text}
    assert not set("'!\n\r\u2028\u202e") & set(line)


def test_calls_and_tools_are_in_openais_form():
    call = {"id": "c1", "name": "refund", "arguments": {"order": "#A1"}}
    span = model_call("x", tools=[{"name": "refund", "parameters": {}}])
    span.input["messages"] += [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "done"},
    ]
    body = json.loads(curl_of_model_call(span).split("--data-raw '")[1].rstrip("'\n"))
    asked = body["messages"][1]["tool_calls"][0]
    assert asked["type"] == "function"
    assert json.loads(asked["function"]["arguments"]) == {"order": "#A1"}
    assert body["tools"][0] == {"type": "function", "function": span.input["tools"][0]}


@pytest.mark.parametrize(
    "value", [None, "text", [], {}, {"messages": []}, {"messages": "x"}, {"messages": None}]
)
def test_a_call_whose_messages_are_not_known_has_no_command(value):
    assert curl_of_model_call(Span(kind=Span.Kind.MODEL, name="chat", input=value)) == ""


def test_a_sessions_command_quotes_its_address():
    command = curl_of_session("http://desk.example/api/v1/sessions/1?a='$(id)'")
    assert command.endswith("'http://desk.example/api/v1/sessions/1?a='\"'\"'$(id)'\"'\"''")
