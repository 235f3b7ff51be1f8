"""Importing Inspect's logs: `.json` and `.eval`, with events, attachments and bombs."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.factories import make_project
from tests.importing import fail_import, run_import, steps_of
from traces.ingest.importers import inspect as reader
from traces.models import Session

pytestmark = pytest.mark.django_db

EVAL = {
    "task": "parcels",
    "model": "small/1",
    "eval_id": "e9",
    "run_id": "r9",
    "created": "2026-03-02T10:00:00+00:00",
    "model_args": {"api_key": "sk-verysecretvalue"},
}


def stamp(second: float) -> str:
    return f"2026-03-02T10:00:{second:06.3f}+00:00"


def make_sample(**overrides: Any) -> dict[str, Any]:
    thought = [{"type": "reasoning", "reasoning": "Look it up."}, {"type": "text", "text": "Wait."}]
    call = {"id": "c1", "function": "find", "arguments": {"code": "P-7"}, "type": "function"}
    asked = {"id": "m3", "role": "assistant", "content": thought, "tool_calls": [call]}
    sample = {
        "id": "s1",
        "epoch": 1,
        "uuid": "u-1",
        "input": "Where is P-7?",
        "target": "lost",
        "messages": [
            {"id": "m1", "role": "system", "content": "Policy."},
            {"id": "m2", "role": "user", "content": "attachment://q", "source": "input"},
            asked,
            {
                "id": "m4",
                "role": "tool",
                "tool_call_id": "c1",
                "function": "find",
                "content": "",
                "error": {"type": "timeout", "message": "no answer"},
            },
            {"id": "m5", "role": "assistant", "content": "Lost.", "model": "small/1"},
        ],
        "attachments": {"q": "Where is P-7?"},
        "events": [
            {"event": "sample_init", "timestamp": stamp(0)},
            model_event(asked, at=1, input_tokens=10, input_tokens_cache_read=30),
            {"event": "tool", "id": "c1", "timestamp": stamp(3), "completed": stamp(3.5)},
            model_event({"id": "m5"}, at=4),
            model_event({"id": "x", "content": "C"}, at=6, role="grader"),
        ],
        "scores": {"match": {"value": "C", "explanation": "as wanted"}},
        "started_at": stamp(0),
        "completed_at": stamp(8),
    }
    return {**sample, **overrides}


def model_event(message: dict[str, Any], at: int, role: str = "", **usage: int) -> dict[str, Any]:
    output = {
        "choices": [{"message": message, "stop_reason": "stop"}],
        "usage": {"input_tokens": 10, "output_tokens": 3, **usage},
    }
    return {
        "event": "model",
        "timestamp": stamp(at),
        "completed": stamp(at + 1),
        "model": "small/1",
        "role": role or None,
        "output": output,
    }


def import_log(path: Path, *samples: Any, **overrides: Any) -> tuple[list[Session], str]:
    log = {"version": 2, "status": "success", "eval": EVAL, "plan": {}, "samples": list(samples)}
    path.write_text(json.dumps({**log, **overrides}, indent=2))
    project = make_project()
    _, _, err = run_import(path, "inspect", project)
    return list(project.sessions.all()), err


def write_archive(path: Path, members: dict[str, Any]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in members.items():
            archive.writestr(name, value if isinstance(value, str) else json.dumps(value))
    return path


def test_a_sample_becomes_a_session(tmp_path: Path) -> None:
    [session], err = import_log(tmp_path / "log.json", make_sample())
    assert err == ""
    assert (session.agent_name, session.version_name, session.external_id) == (
        "parcels",
        "small/1",
        "u-1",
    )
    assert (session.title, session.status) == ("Where is P-7?", "completed")
    assert (session.input_tokens, session.cached_tokens) == (60, 30)
    assert session.metadata["scores"]["match"]["value"] == "C"
    assert session.last_ns - session.first_ns == 8_000_000_000
    assert "secret" not in json.dumps(session.metadata)


def test_messages_carry_the_times_of_their_events(tmp_path: Path) -> None:
    [session], _ = import_log(tmp_path / "log.json", make_sample())
    spans = session.spans.exclude(kind="agent").order_by("start_ns")
    seconds = [(span.kind, (span.start_ns - session.first_ns) // 10**9) for span in spans]
    assert seconds == [("customer", 0), ("model", 1), ("tool", 3), ("model", 4), ("other", 6)]
    assert session.spans.get(kind="tool").output == {"error": "no answer"}
    assert session.spans.get(kind="other").name == "grader"
    first = session.spans.filter(kind="model").order_by("start_ns")[0]
    assert (first.output["content"], first.output["reasoning"]) == ("Wait.", "Look it up.")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"limit": {"type": "message", "limit": 30}}, "ended by the message limit (30)"),
        ({"error": {"message": "It broke.", "traceback": "…"}}, "It broke."),
    ],
)
def test_a_sample_that_was_halted_has_failed(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    [session], _ = import_log(tmp_path / "log.json", make_sample(**change))
    assert (session.status, session.status_reason) == ("failed", reason)


def test_an_archive_is_read(tmp_path: Path) -> None:
    members = {
        "header.json": {"version": 2, "eval": EVAL},
        "samples/s1_epoch_1.json": make_sample(),
        "samples/s2_epoch_1.json": make_sample(id="s2", uuid="u-2"),
        "samples/s3_epoch_1.json": "{",
        "summaries.json": [],
    }
    path, project = write_archive(tmp_path / "log.eval", members), make_project()
    totals, _, err = run_import(path, "inspect", project)
    assert (totals["sessions"], totals["rejected"]) == (2, 1)
    assert "samples/s3_epoch_1.json: left out: it cannot be read" in err
    assert [kind for kind, _, _ in steps_of(project.sessions.first())][:2] == ["customer", "model"]


def test_a_sample_that_inflates_too_far_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "MAX_SAMPLE", 20_000)
    members = {
        "header.json": {"eval": EVAL},
        "samples/bomb_epoch_1.json": json.dumps(make_sample(store={"x": "0" * 50_000})),
        "samples/s1_epoch_1.json": make_sample(),
    }
    path = write_archive(tmp_path / "log.eval", members)
    totals, _, err = run_import(path, "inspect", make_project())
    assert (totals["sessions"], totals["rejected"]) == (1, 1)
    assert "samples/bomb_epoch_1.json: left out: it cannot be read: it has over 20,000" in err


def test_another_archive_is_refused(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "x.zip", {"readme.txt": "no log"})
    error, _ = fail_import(path, "inspect", make_project())
    assert "holds no header.json" in error


def test_a_log_without_samples_says_so(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text(json.dumps({"version": 2, "eval": EVAL}))
    error, _ = fail_import(path, "inspect", make_project())
    assert "the file holds no array 'samples'" in error
