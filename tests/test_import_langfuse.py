"""Importing Langfuse's exports: traces with their observations become sessions."""

import json

import pytest

from tests.factories import make_project
from traces.ingest.importers.json_file import BadRow
from traces.ingest.importers.langfuse import read_langfuse
from traces.ingest.importers.source import Source
from traces.ingest.store import store_sessions
from traces.models import Session

TRACE = {
    "id": "0b5f7a1e-3c1d-4e5f-8a9b-0c1d2e3f4a5b",
    "name": "parcel chat",
    "timestamp": "2026-11-16T12:00:00.000Z",
    "sessionId": "chat-7",
    "userId": "mira",
    "version": "3",
    "tags": ["pilot"],
    "metadata": {"plan": "gold", "api_key": "sk-live-0123456789abcdef"},
    "input": "Where is my parcel?",
    "output": "On its way.",
    "scores": [{"name": "kindness", "value": 0.9}],
}
SCOPE = {"name": "langfuse-sdk", "attributes": {"public_key": "pk-lf-0123"}}


def observation(kind, name, at, **more):
    return {
        "id": f"obs-{name}",
        "type": kind,
        "name": name,
        "startTime": f"2026-11-16T12:00:{at:02}.000Z",
        "endTime": f"2026-11-16T12:00:{at + 1:02}.000Z",
        "level": "DEFAULT",
        "metadata": json.dumps({"scope": SCOPE}),
        **more,
    }


def observations():
    call = {"id": "c1", "function": {"name": "find_parcel", "arguments": '{"id": "P-7"}'}}
    return [
        observation("SPAN", "turn", 0),
        observation(
            "GENERATION",
            "chat",
            1,
            parentObservationId="obs-turn",
            model="gpt-x",
            input=[{"role": "user", "content": "Where is my parcel?"}],
            output={"role": "assistant", "content": None, "tool_calls": [call]},
            usageDetails={"input": 9, "output": 4, "total": 13},
            costDetails={"total": 0.25},
        ),
        observation(
            "TOOL",
            "find_parcel",
            3,
            parentObservationId="obs-turn",
            input='{"id": "P-7"}',
            output="sent",
        ),
    ]


def read(tmp_path, value, lines=True):
    path = tmp_path / "export.jsonl"
    path.write_text(json.dumps(value) + "\n" if lines else json.dumps([value], indent=1))
    return [record for _, record in read_langfuse(Source(path))]


@pytest.mark.parametrize(
    "form",
    [
        lambda: {"trace": TRACE, "observations": observations()},
        lambda: {"_file": "x", "data": {"trace": TRACE, "observations": observations()}},
        lambda: {**TRACE, "observations": observations()},
    ],
)
@pytest.mark.parametrize("lines", [True, False])
def test_trace_of_every_form_is_a_session(tmp_path, form, lines):
    (record,) = read(tmp_path, form(), lines)
    assert (record.source, record.external_id) == ("langfuse", TRACE["id"])
    assert (record.agent_name, record.version_name, record.customer) == ("turn", "3", "mira")
    root, model, tool = record.spans
    assert (root.kind, root.input) == ("agent", {"content": "Where is my parcel?"})
    assert (model.kind, model.model, model.heard) == ("model", "gpt-x", "Where is my parcel?")
    assert (model.input_tokens, model.output_tokens, float(model.cost_usd)) == (9, 4, 0.25)
    assert (tool.kind, tool.input) == ("tool", {"arguments": {"id": "P-7"}})
    assert {span.parent_id for span in (model, tool)} == {root.span_id}
    assert record.metadata["session_id"] == "chat-7"
    assert record.metadata["scores"] == {"kindness": 0.9}


def test_credentials_are_dropped(tmp_path):
    (record,) = read(tmp_path, {"trace": TRACE, "observations": observations()})
    kept = json.dumps([record.metadata, [span.attributes for span in record.spans]])
    kept += json.dumps([span.emitter.scope for span in record.spans])
    assert "sk-live" not in kept
    assert "pk-lf" not in kept
    assert record.metadata["plan"] == "gold"


def test_call_recorded_twice_counts_once(tmp_path):
    outer = observation("GENERATION", "outer", 0, usageDetails={"input": 50}, input="Hello")
    inner = observation(
        "GENERATION", "inner", 0, usageDetails={"input": 9}, parentObservationId="obs-outer"
    )
    (record,) = read(tmp_path, {"trace": TRACE, "observations": [outer, inner]})
    assert sorted(span.input_tokens or 0 for span in record.spans) == [0, 9]


def test_trace_without_observations_keeps_what_it_says(tmp_path):
    (record,) = read(tmp_path, {"trace": TRACE, "observations": []})
    (span,) = record.spans
    assert (span.input, span.output) == (
        {"content": "Where is my parcel?"},
        {"content": "On its way."},
    )


def test_failed_root_is_a_failed_session(tmp_path):
    bad = observation("SPAN", "turn", 0, level="ERROR", statusMessage="out of time")
    (record,) = read(tmp_path, {"trace": TRACE, "observations": [bad]})
    assert (record.status, record.status_reason) == ("failed", "out of time")


@pytest.mark.parametrize(
    "value",
    [
        [1],
        {},
        {"trace": 1},
        {"trace": TRACE | {"input": None, "output": None}, "observations": []},
        {"trace": TRACE, "observations": [observation("SPAN", "x", 0, startTime="soon")]},
    ],
)
def test_row_that_is_no_trace_is_left_out_with_a_reason(tmp_path, value):
    (row,) = read(tmp_path, value)
    assert isinstance(row, BadRow)
    assert row.reason


@pytest.mark.django_db
def test_same_trace_again_changes_nothing(tmp_path):
    project = make_project()
    for _ in range(2):
        records = read(tmp_path, {"trace": TRACE, "observations": observations()})
        store_sessions(project=project, records=records)
    session = Session.objects.get(project=project)
    assert (session.num_spans, session.tools) == (3, ["find_parcel"])
