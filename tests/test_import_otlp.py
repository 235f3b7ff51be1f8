"""Importing OTLP in JSON: one request, many lines, gzip, and what cannot be read."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.factories import make_project
from tests.importing import fail_import, run_import
from traces.models import Score

pytestmark = pytest.mark.django_db

START = 1_772_445_600_000_000_000
TRACE = "0af7651916cd43dd8448eb211c80319c"


def make_wire(number: int, trace_id: str = TRACE, **overrides: Any) -> dict[str, Any]:
    said = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "small-1"}
    said |= {"gen_ai.conversation.id": "talk-7"} if number == 1 else {}
    span = {
        "traceId": trace_id,
        "spanId": f"{number:016x}",
        "parentSpanId": "" if number == 1 else f"{1:016x}",
        "name": "chat small-1",
        "kind": 3,
        "startTimeUnixNano": str(START + number),
        "endTimeUnixNano": str(START + number + 1_000_000_000),
        "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in said.items()],
    }
    return {**span, **overrides}


def make_request(*spans: Any) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": list(spans)}]}]}


def test_lines_become_one_session_in_any_order(tmp_path: Path) -> None:
    path, project = tmp_path / "spans.jsonl.gz", make_project()
    lines = [json.dumps(make_request(make_wire(number))) for number in (3, 2, 1)]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    totals, said, err = run_import(path, "otlp", project)
    assert (totals, err) == ({"sessions": 1, "spans": 3, "rejected": 0}, "")
    assert "3 spans are new, 0 were there already" in said
    session = project.sessions.get()
    assert (session.source, session.num_spans, session.model_names) == ("otlp", 3, ["small-1"])


def test_importing_again_changes_nothing(tmp_path: Path) -> None:
    path, project = tmp_path / "spans.json", make_project()
    path.write_text(json.dumps(make_request(make_wire(1), make_wire(2)), indent=1))
    first, _, _ = run_import(path, "otlp", project)
    again, said, _ = run_import(path, "otlp", project)
    assert first == again == {"sessions": 1, "spans": 2, "rejected": 0}
    assert "0 spans are new, 2 were there already" in said


def test_bad_lines_and_bad_spans_are_named(tmp_path: Path) -> None:
    path, project = tmp_path / "spans.jsonl", make_project()
    rows = [
        make_request(make_wire(1), make_wire(2, spanId="12")),
        {"resourceLogs": []},
        {"resourceSpans": 7},
        "{",
        make_request(make_wire(3, startTimeUnixNano=str(2**63 - 10), endTimeUnixNano="0")),
    ]
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    totals, _, err = run_import(path, "otlp", project)
    assert totals == {"sessions": 1, "spans": 1, "rejected": 5}
    for line in (1, 2, 3, 4, 5):
        assert f"line {line}: left out: " in err


def test_a_file_of_another_format_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"schema_version": "ATIF-v1.4", "steps": []}\n')
    error, _ = fail_import(path, "otlp", make_project())
    assert "It looks like the format atif" in error


def test_otlp_chosen_as_another_format_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps(make_request(make_wire(1))) + "\n")
    error, _ = fail_import(path, "openai", make_project())
    assert "It looks like the format otlp" in error


def test_a_cost_that_is_not_told_is_computed(tmp_path: Path) -> None:
    path, project = tmp_path / "spans.jsonl", make_project()
    attributes = [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
        {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4.1"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "1000"}},
        {"key": "gen_ai.usage.output_tokens", "value": {"intValue": "100"}},
    ]
    path.write_text(json.dumps(make_request(make_wire(1, attributes=attributes))) + "\n")
    run_import(path, "otlp", project)
    session = project.sessions.get()
    assert session.cost_usd is not None
    assert session.spans.get().cost_from == "computed"


def evaluation_of(**said: Any) -> dict[str, Any]:
    attributes = [{"key": key, "value": value} for key, value in said.items()]
    return {"name": "gen_ai.evaluation.result", "timeUnixNano": "5", "attributes": attributes}


def test_evaluations_among_events_are_scores(tmp_path: Path) -> None:
    path, project = tmp_path / "spans.jsonl", make_project()
    said = {
        "gen_ai.evaluation.name": {"stringValue": "tone"},
        "gen_ai.evaluation.score.value": {"doubleValue": 0.5},
    }
    too_little = evaluation_of(**{"gen_ai.evaluation.name": {"stringValue": "nothing"}})
    span = make_wire(1, events=[evaluation_of(**said), too_little])
    path.write_text(json.dumps(make_request(span)) + "\n")
    for _ in range(2):
        run_import(path, "otlp", project)
    score = Score.objects.get(project=project)
    assert (score.session, score.name, score.value) == (project.sessions.get(), "tone", 0.5)


@pytest.mark.parametrize(
    "told",
    ["", "7", "{", "[" * 5000, '{"attributes": {}}', '{"attributes": {}, "time_ns": 1e99}'],
)
def test_an_evaluation_that_pretends_to_be_ours_is_read_as_any(tmp_path: Path, told: str) -> None:
    path, project = tmp_path / "spans.jsonl", make_project()
    said = {
        "gen_ai.evaluation.name": {"stringValue": "tone"},
        "gen_ai.evaluation.score.label": {"stringValue": "kind"},
        "reviewdesk.score": {"stringValue": told},
    }
    span = make_wire(1, events=[evaluation_of(**said)])
    path.write_text(json.dumps(make_request(span)) + "\n")
    run_import(path, "otlp", project)
    assert Score.objects.get(project=project).label == "kind"
