"""Importing results of the first tau-bench."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.factories import make_project
from tests.importing import fail_import, run_import, steps_of
from traces.models import Session

pytestmark = pytest.mark.django_db

NAME = "tool-calling-small-1-0.0_range_0--1_user-big-2-llm_0302100000.json"


def make_run(**overrides: Any) -> dict[str, Any]:
    function = {"name": "find_parcel", "arguments": '{"code": "P-7"}'}
    run = {
        "task_id": 4,
        "reward": 1.0,
        "info": {
            "task": {"user_id": "ola_berg_12", "instruction": "You wait for a parcel."},
            "source": "user",
            "user_cost": 0.01,
        },
        "traj": [
            {"role": "system", "content": "Policy."},
            {"role": "user", "content": "Where is P-7?"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c1", "type": "function", "function": function}],
            },
            {"role": "tool", "tool_call_id": "c1", "name": "find_parcel", "content": "Error: none"},
            {"role": "assistant", "content": "I cannot find it."},
            {"role": "user", "content": "###STOP###"},
        ],
        "trial": 0,
    }
    return {**run, **overrides}


def import_runs(tmp_path: Path, *runs: Any) -> list[Session]:
    path = tmp_path / NAME
    path.write_text(json.dumps(list(runs), indent=2))
    os.utime(path, (1_772_445_600, 1_772_445_600))
    project = make_project()
    run_import(path, "taubench", project)
    return list(project.sessions.order_by("started_at", "external_id"))


def test_a_run_becomes_a_session(tmp_path: Path) -> None:
    [session] = import_runs(tmp_path, make_run())
    assert (session.agent_name, session.version_name, session.customer) == (
        "tau-bench tool-calling",
        "small-1",
        "ola_berg_12",
    )
    assert (session.title, session.status, session.num_errors) == ("Where is P-7?", "completed", 1)
    assert (session.metadata["reward"], session.metadata["task_id"]) == (1.0, 4)
    assert session.started_at.isoformat() == "2026-03-02T10:00:00+00:00"
    assert "its date is taken" in session.metadata["times"]


def test_a_tools_error_is_known_by_its_text(tmp_path: Path) -> None:
    [session] = import_runs(tmp_path, make_run())
    assert ("tool", "find_parcel", {"error": "Error: none"}) in steps_of(session)


def test_a_run_that_broke_is_a_failed_session(tmp_path: Path) -> None:
    run = make_run(traj=[], reward=0.0, info={"error": "RateLimitError", "traceback": "…"})
    [session] = import_runs(tmp_path, run)
    assert (session.status, session.status_reason) == ("failed", "RateLimitError")
    assert "traceback" not in session.metadata


def test_a_transfer_is_a_handover(tmp_path: Path) -> None:
    run = make_run()
    run["traj"][2]["tool_calls"][0]["function"]["name"] = "transfer_to_human_agents"
    [session] = import_runs(tmp_path, run)
    assert (session.status, session.status_reason) == ("handed_over", "transferred to a person")


def test_runs_that_differ_only_by_trial_are_two(tmp_path: Path) -> None:
    assert len(import_runs(tmp_path, make_run(), make_run(trial=1), make_run())) == 2


def test_bad_runs_are_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text(f"[\n{json.dumps(make_run())},\n7\n]")
    totals, _, err = run_import(path, "taubench", make_project())
    assert totals == {"sessions": 1, "spans": 6, "rejected": 1}
    assert "line 3: left out: the run is no object" in err


def test_a_file_that_breaks_off_keeps_what_came_before(tmp_path: Path) -> None:
    path, project = tmp_path / NAME, make_project()
    path.write_text(json.dumps([make_run(), make_run(trial=1)], indent=1)[:-40])
    error, _ = fail_import(path, "taubench", project)
    assert "read only in part: line" in error
    assert project.sessions.count() == 1
