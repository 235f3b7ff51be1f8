"""Importing tau2 results: what a session becomes, and what becomes of bad rows and broken files."""

import gzip
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.factories import make_project
from tests.real_data import real_data
from traces.models import Project, Session, Span

pytestmark = pytest.mark.django_db


DEEP = json.loads('{"a":' * 600 + "1" + "}" * 600)


def make_message(role: str, second: int, **overrides: Any) -> dict[str, Any]:
    message = {
        "role": role,
        "content": f"{role} speaks",
        "timestamp": f"2026-03-02T10:00:{second:02d}.500000",
        "tool_calls": None,
    }
    return {**message, **overrides}


def make_call(call_id: str = "c1", **overrides: Any) -> dict[str, Any]:
    call = {"id": call_id, "name": "find_parcel", "arguments": {"code": "P-7"}}
    return {**call, **overrides}


def make_simulation(sim_id: str = "s1", **overrides: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": 120, "completion_tokens": 9}
    simulation = {
        "id": sim_id,
        "task_id": "7",
        "trial": 0,
        "seed": 1,
        "start_time": "2026-03-02T10:00:00.000000",
        "end_time": "2026-03-02T10:00:09.000000",
        "termination_reason": "user_stop",
        "reward_info": {"reward": 1.0, "reward_breakdown": {"DB": 1.0}},
        "messages": [
            make_message("user", 1, content="Where is parcel P-7?"),
            make_message(
                "assistant", 3, content=None, tool_calls=[make_call()], usage=usage, cost=0.01
            ),
            make_message("tool", 4, id="c1", content='{"state": "lost"}', error=False),
            make_message("assistant", 6, content="It is lost.", usage=usage, cost=0.02),
        ],
    }
    return {**simulation, **overrides}


def make_results(*simulations: Any, **overrides: Any) -> dict[str, Any]:
    results = {
        "timestamp": "2026-03-02T10:00:00",
        "info": {
            "max_steps": 30,
            "agent_info": {
                "implementation": "llm_agent",
                "llm": "small-1",
                "llm_args": {"temperature": 0.0, "api_key": "sk-verysecretvalue"},
            },
            "environment_info": {"domain_name": "parcels"},
        },
        "tasks": [],
        "simulations": list(simulations),
    }
    return {**results, **overrides}


def write(path: Path, content: Any, indent: int | None = 1) -> Path:
    text = content if isinstance(content, str) else json.dumps(content, indent=indent)
    path.write_text(text)
    return path


def run_import(path: Path, project: Project, fmt: str = "tau2") -> tuple[dict[str, int], str, str]:
    """Return the last line's totals, and what else stood on standard output and error."""
    out, err = io.StringIO(), io.StringIO()
    call_command(
        "import_sessions", str(path), format=fmt, project=project.slug, stdout=out, stderr=err
    )
    *lines, last = out.getvalue().splitlines()
    return json.loads(last), "\n".join(lines), err.getvalue()


def fail_import(path: Path, project: Project) -> tuple[dict[str, int], str]:
    """Return the last line's totals and the error of an import that must fail."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(CommandError) as error:
        call_command(
            "import_sessions",
            str(path),
            format="tau2",
            project=project.slug,
            stdout=out,
            stderr=err,
        )
    return json.loads(out.getvalue().splitlines()[-1]), str(error.value)


def import_one(tmp_path: Path, **overrides: Any) -> Session:
    results = make_results(make_simulation(**overrides))
    run_import(write(tmp_path / "one.json", results), make_project())
    return Session.objects.get()


def test_a_simulation_becomes_a_session(tmp_path: Path) -> None:
    session = import_one(tmp_path)
    assert (session.agent_name, session.version_name) == ("parcels", "small-1")
    assert (session.title, session.status) == ("Where is parcel P-7?", "completed")
    assert (session.num_spans, session.num_steps, session.num_errors) == (5, 3, 0)
    assert (session.input_tokens, session.cost_usd) == (240, Decimal("0.03"))
    assert session.started_at.isoformat() == "2026-03-02T10:00:00+00:00"
    assert session.metadata["reward"] == 1.0
    assert "UTC" in session.metadata["times"]


def test_spans_last_from_turn_to_turn(tmp_path: Path) -> None:
    session = import_one(tmp_path)
    spans = list(session.spans.order_by("start_ns").values_list("kind", "duration_ns"))
    second = 1_000_000_000
    assert [kind for kind, _ in spans] == ["agent", "customer", "model", "tool", "model"]
    assert [round(ns / second, 3) for _, ns in spans] == [9, 1.5, 2, 1, 2]


def test_a_tool_span_holds_arguments_and_the_parsed_result(tmp_path: Path) -> None:
    import_one(tmp_path)
    span = Span.objects.get(kind="tool")
    assert (span.name, span.input) == ("find_parcel", {"arguments": {"code": "P-7"}})
    assert span.output == {"result": {"state": "lost"}}
    assert span.attributes == {"call_id": "c1", "requestor": "assistant"}


def test_a_failed_tool_call_is_an_error(tmp_path: Path) -> None:
    messages = make_simulation()["messages"]
    messages[2] |= {"content": "Error: no such parcel", "error": True}
    session = import_one(tmp_path, messages=messages)
    span = Span.objects.get(kind="tool")
    assert (session.num_errors, span.status) == (1, "error")
    assert span.output == {"error": "Error: no such parcel"}


def test_a_call_id_used_again_belongs_to_the_latest_call(tmp_path: Path) -> None:
    messages = make_simulation()["messages"][:3]
    again = make_call(arguments={"code": "P-8"})
    messages += [
        make_message("assistant", 6, content=None, tool_calls=[again]),
        make_message("tool", 7, id="c1", content="found"),
    ]
    import_one(tmp_path, messages=messages)
    codes = [s.input["arguments"]["code"] for s in Span.objects.filter(kind="tool").order_by("pk")]
    assert sorted(codes) == ["P-7", "P-8"]


def test_customers_own_calls_are_kept_with_their_requestor(tmp_path: Path) -> None:
    messages = [
        make_message("assistant", 1, content="Please restart it."),
        make_message("user", 2, content=None, tool_calls=[make_call(name="restart")]),
        make_message("tool", 3, id="c1", content="done", requestor="user"),
    ]
    session = import_one(tmp_path, messages=messages)
    assert list(session.spans.filter(kind="customer")) == []
    assert session.spans.get(kind="tool").attributes["requestor"] == "user"


@pytest.mark.parametrize(
    ("ending", "last_words", "status", "reason"),
    [
        ("user_stop", "Bye ###STOP###", "completed", ""),
        ("agent_stop", "Done", "completed", ""),
        ("user_stop", "###TRANSFER###", "handed_over", "transferred to a person"),
        ("max_steps", "And then?", "failed", "ended by max_steps (limit 30)"),
        ("agent_error", "Oh", "failed", "ended by agent_error"),
    ],
)
def test_status_comes_from_the_ending(
    tmp_path: Path, ending: str, last_words: str, status: str, reason: str
) -> None:
    messages = [*make_simulation()["messages"], make_message("user", 8, content=last_words)]
    session = import_one(tmp_path, messages=messages, termination_reason=ending)
    assert (session.status, session.status_reason) == (status, reason)


def test_a_cost_of_zero_is_unknown(tmp_path: Path) -> None:
    messages = [make_message("assistant", 1, cost=0.0), make_message("user", 2)]
    session = import_one(tmp_path, messages=messages)
    assert (session.cost_usd, session.input_tokens) == (None, None)


def test_a_job_without_a_customer_is_titled_by_its_ticket(tmp_path: Path) -> None:
    simulation = make_simulation(messages=[make_message("assistant", 1)])
    results = make_results(simulation, tasks=[{"id": "7", "ticket": "Parcel P-7 is late."}])
    run_import(write(tmp_path / "solo.json", results), make_project())
    assert Session.objects.get().title == "Parcel P-7 is late."


def test_credentials_are_dropped(tmp_path: Path) -> None:
    session = import_one(tmp_path)
    assert session.metadata["agent"]["llm_args"] == {"temperature": 0.0}
    assert "secret" not in json.dumps(session.metadata)


def test_times_with_a_zone_are_converted(tmp_path: Path) -> None:
    stamp = {"start_time": "2026-03-02T11:00:00+02:00", "end_time": None}
    messages = [make_message("user", 0, timestamp="2026-03-02T11:00:01+02:00")]
    session = import_one(tmp_path, messages=messages, **stamp)
    assert session.started_at.isoformat() == "2026-03-02T09:00:00+00:00"
    assert "times" not in session.metadata


def test_importing_again_changes_nothing_and_reports_the_same(tmp_path: Path) -> None:
    project = make_project()
    path = write(tmp_path / "two.json", make_results(make_simulation("a"), make_simulation("b")))
    first, said, _ = run_import(path, project)
    assert first == {"sessions": 2, "spans": 10, "rejected": 0}
    assert "2 sessions and 10 spans are new" in said
    second, said, _ = run_import(path, project)
    assert second == first
    assert "0 sessions and 0 spans are new, 2 sessions were there already" in said


def test_an_interrupted_import_is_continued(tmp_path: Path) -> None:
    project = make_project()
    rows = [make_simulation(f"s{number}") for number in range(50)]
    run_import(write(tmp_path / "part.json", make_results(*rows[:23])), project)
    totals, said, _ = run_import(write(tmp_path / "whole.json", make_results(*rows)), project)
    assert totals["sessions"] == 50
    assert "27 sessions" in said


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (7, "the simulation is no object"),
        ({"id": "x"}, "it has no messages"),
        (make_simulation(""), "it has no id"),
        (make_simulation(messages=[make_message("user", 1), "hello"]), "message 1 is no object"),
        (
            make_simulation(messages=[make_message("bot", 1)]),
            "message 0 has the unknown role 'bot'",
        ),
        (make_simulation(messages=[make_message("tool", 1, id="c9")]), "unknown call 'c9'"),
        (make_simulation(start_time="soon"), "start_time is 'soon', which is no ISO 8601 time"),
        (
            make_simulation(start_time=None, messages=[make_message("user", 1, timestamp=None)]),
            "neither start_time nor time stamps",
        ),
        (
            make_simulation(
                messages=[make_message("assistant", 1, usage={"prompt_tokens": "many"})]
            ),
            "prompt_tokens 'many', which is no count",
        ),
        (
            make_simulation(messages=[make_message("assistant", 1, cost=-1)]),
            "cost -1 USD is out of range",
        ),
        (
            make_simulation(messages=[make_message("assistant", 1, tool_calls=5)]),
            "tool_calls 5, which is no list",
        ),
        (make_simulation("s\ud800"), "half a character"),
        (make_simulation("s\x00"), "holds a NUL"),
        (make_simulation("x" * 5000), "its id has 5,000 characters"),
        (make_simulation(start_time="1700-01-01T00:00:00"), "out of range"),
        (
            make_simulation(
                messages=[make_message("assistant", 1, tool_calls=[make_call(arguments=DEEP)])]
            ),
            "nested too deeply",
        ),
    ],
)
def test_a_bad_row_is_named_by_line_and_left_out(tmp_path: Path, bad: Any, reason: str) -> None:
    rows = [make_simulation("good"), bad, make_simulation("better")]
    head, *lines = (json.dumps(row) for row in rows)
    info = json.dumps(make_results()["info"])
    text = f'{{"info": {info},\n"simulations": [\n{head},\n' + ",\n".join(lines) + "\n]}"
    totals, _, err = run_import(write(tmp_path / "bad.json", text), make_project())
    assert totals == {"sessions": 2, "spans": 10, "rejected": 1}
    assert "line 4: left out: " in err
    assert reason in err


def test_ids_that_differ_only_late_are_both_named(tmp_path: Path) -> None:
    rows = [make_simulation("x" * 200 + end) for end in "ab"]
    totals, _, err = run_import(write(tmp_path / "ids.json", make_results(*rows)), make_project())
    assert totals == {"sessions": 0, "spans": 0, "rejected": 2}
    assert err.count("its id has 201 characters") == 2


def test_a_truncated_file_keeps_what_came_before(tmp_path: Path) -> None:
    rows = [make_simulation(f"s{number}") for number in range(3)]
    whole = json.dumps(make_results(*rows), indent=1)
    path = write(tmp_path / "cut.json", whole[: whole.index('"s2"') + 50])
    totals, error = fail_import(path, make_project())
    assert totals == {"sessions": 2, "spans": 10, "rejected": 0}
    assert "read only in part: line" in error
    assert "What came before is kept" in error


def test_a_truncated_gzip_file_keeps_what_came_before(tmp_path: Path) -> None:
    rows = [make_simulation(f"s{number}", seed=number) for number in range(60)]
    data = gzip.compress(json.dumps(make_results(*rows)).encode())
    path = tmp_path / "cut.json.gz"
    path.write_bytes(data[: len(data) * 2 // 3])
    totals, error = fail_import(path, make_project())
    assert 0 < totals["sessions"] < 60
    assert "the gzip data breaks off" in error


@pytest.mark.parametrize("text", ["", "[]", "no", '{"a": 1}', '{"simulations": {}}', "{} {}"])
def test_a_file_that_holds_no_results_is_refused(tmp_path: Path, text: str) -> None:
    totals, error = fail_import(write(tmp_path / "no.json", text), make_project())
    assert totals == {"sessions": 0, "spans": 0, "rejected": 0}
    assert "no.json cannot be read as tau2: " in error


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "/nowhere/x.json"}, "/nowhere/x.json cannot be read: No such file or directory"),
        ({"format": "csv"}, "There is no format 'csv'; choose one of: agentdojo, atif, "),
        ({"project": "nope"}, "There is no project 'nope'; there are: "),
    ],
)
def test_an_unknown_file_format_or_project_names_the_way_out(
    tmp_path: Path, change: dict[str, str], message: str
) -> None:
    path = write(tmp_path / "one.json", make_results())
    options = {"file": str(path), "format": "tau2", "project": make_project().slug, **change}
    with pytest.raises(CommandError, match=message.replace("?", r"\?")):
        call_command("import_sessions", options.pop("file"), **options)


@pytest.mark.parametrize(
    ("name", "num_sessions"),
    [
        ("tau2_ft-gpt-4.1_retail_v2.json.gz", 40),
        ("tau2_gpt-4.1_retail_v1.json.gz", 40),
        ("tau2_ft-gpt-4.1_telecom_v2.json.gz", 40),
        ("tau2_gpt-4.1_telecom_v1.json.gz", 40),
        ("tau2_ft-gpt-4.1_telecom-solo_v2.json.gz", 40),
        ("tau2_gpt-4.1_telecom-solo_v1.json.gz", 40),
        ("tau2_whissle_airline.json.gz", 50),
    ],
)
def test_real_recordings_import_whole_and_once(name: str, num_sessions: int) -> None:
    project = make_project()
    first, _, err = run_import(real_data("tau2") / name, project)
    again, _, _ = run_import(real_data("tau2") / name, project)
    assert first == again
    assert (first["sessions"], first["rejected"], err) == (num_sessions, 0, "")
    assert first["spans"] == Span.objects.filter(session__project=project).count()
    assert not Session.objects.filter(project=project, title="").exists()
