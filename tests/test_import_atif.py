"""Importing ATIF trajectories (Harbor, Terminal-Bench)."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.factories import make_project
from tests.importing import import_lines, run_import, steps_of

pytestmark = pytest.mark.django_db


def make_trajectory(**overrides: Any) -> dict[str, Any]:
    call = {"tool_call_id": "c1", "function_name": "run", "arguments": {"command": "ls"}}
    steps = [
        {"step_id": 1, "source": "system", "message": "You are in a shell.", "timestamp": stamp(0)},
        {"step_id": 2, "source": "user", "message": "List the files.", "timestamp": stamp(1)},
        {
            "step_id": 3,
            "source": "agent",
            "message": "I look.",
            "reasoning_content": "ls does it.",
            "timestamp": stamp(4),
            "tool_calls": [call],
            "observation": {"results": [{"source_call_id": "c1", "content": "a.txt"}]},
            "metrics": {
                "prompt_tokens": 40,
                "completion_tokens": 5,
                "cached_tokens": 30,
                "cost_usd": 0.002,
                "logprobs": [-0.1],
            },
        },
        {"step_id": 4, "source": "agent", "message": "a.txt", "timestamp": stamp(6)},
    ]
    trajectory = {
        "schema_version": "ATIF-v1.4",
        "session_id": "t-1",
        "agent": {"name": "shell-agent", "version": "2.1", "model_name": "small-1"},
        "steps": steps,
        "final_metrics": {"total_cost_usd": 0.002},
    }
    return {**trajectory, **overrides}


def stamp(second: int) -> str:
    return f"2026-03-02T10:00:{second:02d}Z"


def test_a_trajectory_becomes_a_session(tmp_path: Path) -> None:
    path = tmp_path / "trajectory.json"
    path.write_text(json.dumps(make_trajectory(), indent=2))
    project = make_project()
    totals, _, err = run_import(path, "atif", project)
    session = project.sessions.get()
    assert (totals["sessions"], err) == (1, "")
    assert (session.agent_name, session.version_name, session.external_id) == (
        "shell-agent",
        "2.1",
        "t-1",
    )
    assert (session.title, session.cost_usd, session.cached_tokens) == (
        "List the files.",
        Decimal("0.002"),
        30,
    )
    assert session.started_at.isoformat() == "2026-03-02T10:00:00+00:00"
    assert session.last_ns - session.first_ns == 6_000_000_000
    assert session.metadata["final_metrics"] == {"total_cost_usd": 0.002}
    assert "times" not in session.metadata


def test_a_step_is_a_model_call_with_its_tool_calls(tmp_path: Path) -> None:
    [session], _ = import_lines(tmp_path / "t.jsonl", "atif", make_trajectory())
    kinds = [(kind, name) for kind, name, _ in steps_of(session)]
    assert kinds == [
        ("customer", "customer"),
        ("model", "small-1"),
        ("tool", "run"),
        ("model", "small-1"),
    ]
    model = session.spans.filter(kind="model").order_by("start_ns")[0]
    assert model.output["reasoning"] == "ls does it."
    assert model.input["messages"] == [{"role": "system", "content": "You are in a shell."}]
    assert round(model.duration_ns / 1e9, 3) == 3
    tool = session.spans.get(kind="tool")
    assert (tool.input, tool.output) == ({"arguments": {"command": "ls"}}, {"result": "a.txt"})


def test_an_observation_without_a_call_is_a_step_of_its_own(tmp_path: Path) -> None:
    steps = make_trajectory()["steps"]
    steps[2]["tool_calls"] = []
    steps[2]["observation"]["results"][0]["source_call_id"] = None
    [session], _ = import_lines(tmp_path / "t.jsonl", "atif", make_trajectory(steps=steps))
    assert ("other", "observation", {"content": "a.txt"}) in steps_of(session)


def test_subagents_become_sessions_that_name_their_parent(tmp_path: Path) -> None:
    inner = make_trajectory(session_id="t-2")
    whole = make_trajectory(subagent_trajectories=[inner])
    sessions, _ = import_lines(tmp_path / "t.jsonl", "atif", whole)
    assert sorted(each.metadata.get("parent", "") for each in sessions) == ["", "t-1"]


def test_without_times_only_the_order_is_known(tmp_path: Path) -> None:
    steps = [{**step, "timestamp": None} for step in make_trajectory()["steps"]]
    [session], _ = import_lines(tmp_path / "t.jsonl", "atif", make_trajectory(steps=steps))
    assert "only the order" in session.metadata["times"]
    assert [kind for kind, _, _ in steps_of(session)] == ["customer", "model", "tool", "model"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema_version": "ATIF-v2.0"}, "its schema_version is 'ATIF-v2.0'"),
        ({"steps": []}, "it has no steps"),
        ({"steps": [{"step_id": 1, "source": "dog", "message": ""}]}, "unknown source 'dog'"),
        ({"steps": [{"step_id": 1, "source": "user", "timestamp": "soon"}]}, "no ISO 8601 time"),
    ],
)
def test_a_bad_trajectory_is_named(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    sessions, err = import_lines(tmp_path / "t.jsonl", "atif", make_trajectory(**change))
    assert sessions == []
    assert "line 1: left out: " in err
    assert reason in err
