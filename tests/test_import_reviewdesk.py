"""Importing our own export: lines that are not as they should be."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.factories import make_project, make_session
from tests.importing import import_lines, run_import
from traces.export import export_jsonl

pytestmark = pytest.mark.django_db


def make_line(**overrides: Any) -> dict[str, Any]:
    project = make_project()
    make_session(project)
    line: dict[str, Any] = json.loads("".join(export_jsonl(project.sessions.all())))
    return {**line, **overrides}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": "reviewdesk/9"}, "its format is 'reviewdesk/9'; reviewdesk/1 is read"),
        ({"session": None}, "session is no object"),
        ({"spans": []}, "has no spans"),
        ({"spans": [{"span_id": "0" * 16, "kind": "model"}]}, "has no start_ns"),
        ({"spans": [{"start_ns": 1, "emitter": {"number": 3}}]}, "names the emitter 3"),
        ({"spans": [{"start_ns": 1, "span_id": "x"}]}, "its id is not 16 hex digits"),
        ({"labels": [3]}, "labels[0] is no object"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    sessions, err = import_lines(tmp_path / "x.jsonl", "reviewdesk", make_line(**change))
    assert sessions == []
    assert "line 1: left out: " in err
    assert reason in err


def test_a_time_that_is_none_leaves_nothing_behind(tmp_path: Path) -> None:
    line = make_line()
    line["session"]["ended_at"] = "soon"
    sessions, err = import_lines(tmp_path / "x.jsonl", "reviewdesk", line)
    assert (sessions, "ended_at is 'soon'" in err) == ([], True)


def test_counts_of_what_was_masked_have_to_be_counts(tmp_path: Path) -> None:
    line = make_line()
    line["spans"][0]["masked"] = {"email": "many", "card": 2}
    [session], _ = import_lines(tmp_path / "x.jsonl", "reviewdesk", line)
    assert session.masked == {"card": 2}


def test_importing_again_keeps_what_people_changed_since(tmp_path: Path) -> None:
    project, path = make_project(), tmp_path / "x.jsonl"
    path.write_text(json.dumps(make_line()) + "\n")
    run_import(path, "reviewdesk", project)
    project.sessions.update(title="Renamed")
    run_import(path, "reviewdesk", project)
    assert project.sessions.get().title == "Renamed"
