"""Importing files of OpenAI's API: fine-tuning, batches, logs, stored chats, responses."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.factories import make_project
from tests.importing import fail_import, import_lines, run_import, steps_of

pytestmark = pytest.mark.django_db

TALK = [
    {"role": "system", "content": "You know the timetable."},
    {"role": "user", "content": "When is the next tram?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "c1",
                "type": "function",
                "function": {"name": "next_tram", "arguments": '{"line": 4}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": '{"in": 3}'},
]
ANSWER = {"role": "assistant", "content": "In three minutes."}
USAGE = {
    "prompt_tokens": 90,
    "completion_tokens": 7,
    "prompt_tokens_details": {"cached_tokens": 64},
    "completion_tokens_details": {"reasoning_tokens": 2},
}


def make_completion(**overrides: Any) -> dict[str, Any]:
    completion = {
        "id": "chatcmpl-17",
        "object": "chat.completion",
        "created": 1_772_445_600,
        "model": "small-1",
        "choices": [{"index": 0, "message": ANSWER, "finish_reason": "stop"}],
        "usage": USAGE,
    }
    return {**completion, **overrides}


def test_a_fine_tuning_example_becomes_a_session(tmp_path: Path) -> None:
    row = {"messages": [*TALK, ANSWER], "tools": [{"type": "function"}]}
    [session], err = import_lines(tmp_path / "tune.jsonl", "openai", row)
    assert (err, session.title, session.num_steps) == ("", "When is the next tram?", 3)
    assert [kind for kind, _, _ in steps_of(session)] == ["customer", "model", "tool", "model"]
    tool = session.spans.get(kind="tool")
    assert (tool.name, tool.input, tool.output) == (
        "next_tram",
        {"arguments": {"line": 4}},
        {"result": {"in": 3}},
    )
    first = session.spans.filter(kind="model").order_by("start_ns")[0]
    assert first.input["messages"] == [{"role": "system", "content": "You know the timetable."}]
    assert first.input["tools"] == [{"type": "function"}]


def test_a_logged_request_has_model_time_and_tokens(tmp_path: Path) -> None:
    row = {
        "request": {"model": "small", "messages": TALK, "user": "u-8", "temperature": 0.2},
        "response": make_completion(),
    }
    [session], _ = import_lines(tmp_path / "log.jsonl", "openai", row)
    assert (session.external_id, session.version_name, session.customer) == (
        "chatcmpl-17",
        "small-1",
        "u-8",
    )
    assert session.started_at.isoformat() == "2026-03-02T10:00:00+00:00"
    assert (session.input_tokens, session.cached_tokens, session.reasoning_tokens) == (90, 64, 2)
    assert session.metadata["settings"] == {"temperature": 0.2}


def test_a_batch_input_and_a_batch_output_are_read(tmp_path: Path) -> None:
    asked = {"custom_id": "a", "method": "POST", "url": "/v1/x", "body": {"messages": TALK[:2]}}
    answered = {"custom_id": "a", "response": {"status_code": 200, "body": make_completion()}}
    sessions, err = import_lines(tmp_path / "batch.jsonl", "openai", asked, answered)
    assert err == ""
    assert [session.metadata["custom_id"] for session in sessions] == ["a", "a"]


def test_a_failed_request_is_a_failed_session(tmp_path: Path) -> None:
    row = {
        "request": {"messages": TALK[:2]},
        "response": {"status_code": 429, "body": {"error": {"message": "Too many."}}},
    }
    [session], _ = import_lines(tmp_path / "log.jsonl", "openai", row)
    assert (session.status, session.status_reason) == ("failed", "Too many.")


def test_a_stored_chat_completion_is_read(tmp_path: Path) -> None:
    row = make_completion(messages=TALK[:2], metadata={"agent": "timetable"})
    [session], _ = import_lines(tmp_path / "stored.jsonl", "openai", row)
    assert (session.agent_name, session.title) == ("timetable", "When is the next tram?")


def test_a_response_is_read(tmp_path: Path) -> None:
    output = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Line 4."}]},
        {"type": "function_call", "call_id": "c1", "name": "next_tram", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "3"},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "In three minutes."}],
        },
    ]
    response = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_772_445_600,
        "model": "small-1",
        "output": output,
        "usage": {"input_tokens": 5, "output_tokens": 6},
    }
    row = {"request": {"input": "Next tram?", "instructions": "Be brief."}, "response": response}
    [session], err = import_lines(tmp_path / "responses.jsonl", "openai", row)
    assert err == ""
    kinds = [(kind, out.get("content")) for kind, _, out in steps_of(session)]
    assert kinds == [
        ("customer", "Next tram?"),
        ("model", None),
        ("tool", None),
        ("model", "In three minutes."),
    ]
    thinking = session.spans.get(kind="model", output__content=None)
    assert thinking.output["reasoning"] == "Line 4."


def test_pictures_are_named_and_kept(tmp_path: Path) -> None:
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://pictures.example/1"}},
    ]
    row = {"messages": [{"role": "user", "content": parts}, ANSWER]}
    [session], _ = import_lines(tmp_path / "picture.jsonl", "openai", row)
    span = session.spans.get(kind="customer")
    assert span.output == {"content": "What is this?\n[image_url]"}
    assert span.attributes == {"parts": parts[1:]}


def test_credentials_beside_the_messages_are_dropped(tmp_path: Path) -> None:
    row = {
        "request": {"messages": TALK[:2], "metadata": {"api_key": "abc", "team": "trams"}},
        "response": make_completion(),
    }
    [session], _ = import_lines(tmp_path / "log.jsonl", "openai", row)
    assert session.metadata["metadata"] == {"team": "trams"}


def test_importing_again_changes_nothing(tmp_path: Path) -> None:
    path, project = tmp_path / "tune.jsonl", make_project()
    path.write_text(json.dumps({"messages": [*TALK, ANSWER]}) + "\n")
    first, said, _ = run_import(path, "openai", project)
    again, later, _ = run_import(path, "openai", project)
    assert first == again == {"sessions": 1, "spans": 5, "rejected": 0}
    assert "1 sessions and 5 spans are new" in said
    assert "0 sessions and 0 spans are new, 1 sessions were there already" in later


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"prompt": "x"}, "it has neither messages nor request"),
        ({"messages": []}, "it has no messages"),
        ({"messages": [{"role": "narrator"}]}, "message 0 has the unknown role 'narrator'"),
        ({"messages": [7]}, "message 0 is no object"),
        ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "has no name"),
        ("[1", "it is no JSON"),
    ],
)
def test_a_bad_line_is_named_and_left_out(tmp_path: Path, bad: Any, reason: str) -> None:
    good = {"messages": [*TALK, ANSWER]}
    sessions, err = import_lines(tmp_path / "bad.jsonl", "openai", good, bad)
    assert len(sessions) == 1
    assert "line 2: left out: " in err
    assert reason in err


def test_a_line_that_is_no_utf8_is_named(tmp_path: Path) -> None:
    good = json.dumps({"messages": [*TALK, ANSWER]}).encode()
    path = tmp_path / "bytes.jsonl"
    path.write_bytes(good + b'\n{"messages": "\xff"}\n' + good.replace(b"three", b"four"))
    totals, _, err = run_import(path, "openai", make_project())
    assert totals == {"sessions": 2, "spans": 10, "rejected": 1}
    assert "line 2: left out: its byte 14 is not UTF-8" in err


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    error, _ = fail_import(tmp_path / "empty.jsonl", "openai", make_project())
    assert "the file is empty" in error


def test_a_cost_that_is_not_told_is_computed(tmp_path: Path) -> None:
    row = {"request": {"messages": TALK[:2]}, "response": make_completion(model="gpt-4.1")}
    [session], _ = import_lines(tmp_path / "log.jsonl", "openai", row)
    span = session.spans.get(kind="model")
    assert (span.cost_from, span.cost_usd) == ("computed", session.cost_usd)
    assert span.cost_usd is not None
