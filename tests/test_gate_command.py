"""`manage.py gate`: 0 passed, 1 failed, 2 inconclusive, 3 could not run, and what it prints."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Timer
from typing import Any
from xml.etree import ElementTree

import pytest
from django.core.management import CommandError, call_command

from agents.gate.report import junit_of, text_of
from agents.models import Gate, Run, WorkerHeartbeat
from agents.tools.autonomy import database_now
from reviewdesk.management.commands.gate import Command
from tests.factories import make_user
from tests.gate import answer, begin_gate, decided, make_sound_test, many, one_test
from tests.shop import make_shop_agent, make_shop_version

ENDS = [("p", "f", 0, "passed"), ("f", "p", 1, "failed")]


def rows(path: Path, passed: list[bool], repeats: int = 3) -> str:
    """Write a file of results: each test the same way in all repeats."""
    path.write_text(
        "\n".join(
            json.dumps({"test": f"t{n}", "repeat": repeat, "passed": value})
            for n, value in enumerate(passed)
            for repeat in range(1, repeats + 1)
        )
    )
    return str(path)


def run_gate(*arguments: str, **options: Any) -> int:
    """Run the command; return its exit code."""
    with pytest.raises(SystemExit) as end:
        call_command("gate", *arguments, **options)
    return int(end.value.code or 0)


def judge_files(tmp_path: Path, before: list[bool], now: list[bool], form: str = "text") -> int:
    return run_gate(
        f"--baseline-results={rows(tmp_path / 'before.jsonl', before)}",
        f"--candidate-results={rows(tmp_path / 'now.jsonl', now)}",
        f"--format={form}",
    )


def read_xml(text: str) -> ElementTree.Element:
    """Read what the gate itself has written."""
    return ElementTree.fromstring(text.encode())  # noqa: S314


def make_worker() -> None:
    now = database_now()
    WorkerHeartbeat.objects.create(worker="w", hostname="h", process=1, started_at=now, seen_at=now)


@pytest.mark.parametrize(
    ("before", "now", "code"),
    [
        ([True] * 60, [True] * 60, 0),
        ([True] * 60, [False] * 60, 1),
        ([True, False] * 3, [False, True] * 3, 2),
    ],
)
def test_files_give_the_code_of_the_outcome(tmp_path, capsys, before, now, code) -> None:
    assert judge_files(tmp_path, before, now) == code
    assert capsys.readouterr().out.split(":")[0] == ["Passed", "Failed", "Inconclusive"][code]


def test_void_files_end_with_three(tmp_path, capsys) -> None:
    path = tmp_path / "gone.jsonl"
    path.write_text('{"test": "t0", "passed": null}')
    before = rows(tmp_path / "before.jsonl", [True])
    code = run_gate(f"--baseline-results={before}", f"--candidate-results={path}")
    assert code == 3
    assert capsys.readouterr().out.startswith("Void: the infrastructure failed 1 of 4 runs")


def test_json_is_the_decision(tmp_path, capsys) -> None:
    judge_files(tmp_path, [False] * 60, [True] * 60, "json")
    found = json.loads(capsys.readouterr().out)
    assert (found["outcome"], found["diff"], found["num_tests"]) == ("passed", 1.0, 60)


def test_junit_of_a_failed_gate_names_the_tests_that_broke(tmp_path, capsys) -> None:
    judge_files(tmp_path, [True] * 6, [True] + [False] * 5, "junit")
    root = read_xml(capsys.readouterr().out)
    assert (root.get("errors"), root.get("failures")) == ("0", "6")
    failed = [
        case.get("name") for case in root.iter("testcase") if case.find("failure") is not None
    ]
    assert failed == ["the whole suite", "t1", "t2", "t3", "t4", "t5"]


def test_junit_of_a_passed_gate_is_green_although_a_test_broke() -> None:
    found = decided(*many(40, "fff", "ppp"), one_test("ppp", "fff", "lost"))
    root = read_xml(junit_of(found, name="gate"))
    assert (root.get("failures"), root.get("errors")) == ("0", "0")
    assert any("broken: lost" in (out.text or "") for out in root.iter("system-out"))


def test_junit_of_an_inconclusive_gate_is_an_error() -> None:
    root = read_xml(junit_of(decided(*many(3, "p", "f")), name="gate"))
    assert root.get("errors") == "1"


def test_junit_holds_what_a_hostile_title_says() -> None:
    found = decided(*many(60, "p", "p"), one_test("p", "f", "]]><script>\x00\x1b[31m"))
    root = read_xml(junit_of(found, name="\x01"))
    names = [case.get("name") for case in root.iter("testcase")]
    assert "]]><script>\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}[31m" in names


def test_text_says_the_sentence_first_and_shortens_long_lists() -> None:
    lines = text_of(decided(*many(30, "fff", "ppp"))).splitlines()
    assert lines[0].startswith("Passed: v2 is better than v1")
    assert lines[-1] == "  and 10 more that moved"


def test_title_neither_begins_a_line_nor_steers_a_terminal() -> None:
    title = "a\n::error::b\x1b[31m\u2028c"
    text = text_of(decided(*many(60, "p", "p"), one_test("p", "f", title)))
    assert "\x1b" not in text
    assert not any(line.startswith(("::", "c")) for line in text.splitlines())


class Defective(Command):
    """A gate that breaks in the middle."""

    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Break."""
        raise KeyError("looks")


def test_defect_ends_with_three_and_not_with_one(capsys) -> None:
    with pytest.raises(SystemExit) as end:
        Defective().run_from_argv(["manage.py", "gate"])
    assert end.value.code == 3
    assert "The gate could not run: KeyError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name the agent and its candidate"),
        (["--baseline-results=x"], "take --baseline-results and --candidate-results"),
        (["--baseline-results=/nope", "--candidate-results=/nope"], "cannot be read"),
    ],
)
def test_what_cannot_run_ends_with_three(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said) as found:
        call_command("gate", *arguments)
    assert found.value.returncode == 3


@pytest.mark.parametrize("form", ["json", "junit"])
def test_what_cannot_run_is_told_in_the_form_asked_for(form: str, capsys) -> None:
    with pytest.raises(CommandError):
        call_command("gate", f"--format={form}")
    assert "Name the agent and its candidate" in capsys.readouterr().out


def test_wrong_usage_ends_with_three_and_not_with_two(capsys) -> None:
    with pytest.raises(SystemExit) as end:
        Command().run_from_argv(["manage.py", "gate", "--format=xml"])
    assert end.value.code == 3


@pytest.mark.slow
def test_database_that_is_away_ends_with_three_and_not_with_one() -> None:
    away = {**os.environ, "DATABASE_URL": "postgres://desk:desk@127.0.0.1:1/desk"}
    command = [sys.executable, "manage.py", "gate", "--agent=shop", "--candidate=2"]
    found = subprocess.run(command, env=away, capture_output=True, text=True, check=False)
    assert found.returncode == 3
    assert "the database does not answer" in found.stderr


@pytest.mark.django_db
def test_unknown_agent_version_and_person_are_named() -> None:
    agent, _ = make_shop_agent()
    make_worker()
    for arguments, said in (
        (["--agent=nobody", "--candidate=1"], "no agent 'nobody' .there are shop"),
        (["--agent=shop", "--candidate=99"], "has no version 99"),
        (["--agent=shop", "--candidate=1", "--project=x"], "no project 'x'"),
        (["--agent=shop", "--candidate=v1", "--as=x@y"], "nobody with the e-mail 'x@y'"),
        (["--agent=shop", "--candidate=1"], "is live itself"),
    ):
        with pytest.raises(CommandError, match=said):
            call_command("gate", *arguments)
    assert not Gate.objects.filter(agent=agent).exists()


@pytest.mark.django_db
def test_agent_of_two_projects_asks_for_the_project() -> None:
    make_shop_agent()
    make_shop_agent()
    with pytest.raises(CommandError, match="Several projects have an agent 'shop'"):
        call_command("gate", "--agent=shop", "--candidate=1")


@pytest.mark.django_db
def test_nothing_is_started_without_a_worker() -> None:
    agent, _ = make_shop_agent()
    make_shop_version(agent)
    with pytest.raises(CommandError, match="No worker is running"):
        call_command("gate", "--agent=shop", "--candidate=2")
    assert not Run.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(("now", "before", "code", "outcome"), ENDS)
def test_gate_that_runs_here_is_waited_for(now, before, code, outcome, capsys) -> None:
    _, gate = begin_gate(num_tests=6)
    make_worker()
    answer(gate, now=now, before=before)
    assert run_gate("--agent=shop", "--candidate=2", "--format=json") == code
    found = json.loads(capsys.readouterr().out)
    assert (found["gate"], found["outcome"]) == (gate.pk, outcome)


@pytest.mark.django_db
def test_gate_that_takes_too_long_is_cancelled_with_its_runs() -> None:
    agent, _ = make_shop_agent()
    make_shop_version(agent)
    make_sound_test(agent, 1)
    make_worker()
    with pytest.raises(CommandError, match=r"was cancelled\. It was not decided within 0 minutes"):
        call_command("gate", "--agent=shop", "--candidate=2", "--timeout=0")
    assert Gate.objects.get().status == Gate.Status.CANCELLED
    assert not Run.objects.filter(status__in=Run.OPEN).exists()


class Interrupts(io.StringIO):
    """An error stream that presses Ctrl-C a moment after it was told that a gate is running."""

    def write(self, text: str) -> int:
        """Take the text; interrupt while the command waits."""
        if "running" in text:
            Timer(0.1, os.kill, [os.getpid(), signal.SIGINT]).start()
        return super().write(text)


@pytest.mark.django_db
def test_interrupted_gate_is_cancelled_where_the_command_began_it() -> None:
    agent, _ = make_shop_agent()
    make_shop_version(agent)
    make_sound_test(agent, 1)
    make_worker()
    with pytest.raises(CommandError, match=r"was cancelled\. Cancelled from the shell"):
        call_command("gate", "--agent=shop", "--candidate=2", stderr=Interrupts())
    assert Gate.objects.get().status == Gate.Status.CANCELLED


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("options", "said"),
    [({"timeout": 0}, "not decided within 0 minutes"), ({"stderr": Interrupts()}, "was stopped")],
)
def test_gate_that_somebody_else_began_goes_on(options: dict[str, Any], said: str) -> None:
    agent, gate = begin_gate(by=make_user(name="Lea Lead"))
    make_worker()
    with pytest.raises(CommandError, match=f"{said}.* goes on, for Lea Lead began it") as found:
        call_command("gate", "--agent=shop", "--candidate=2", **options)
    assert f"/p/{agent.project.slug}/golden/gates/{gate.pk}/" in str(found.value)
    assert found.value.returncode == 3
    gate.refresh_from_db()
    assert gate.status == gate.candidate_run.status == Gate.Status.RUNNING
    assert Run.objects.filter(status__in=Run.OPEN).exists()


@pytest.mark.django_db
def test_gate_voided_meanwhile_says_why() -> None:
    _, gate = begin_gate()
    make_worker()
    gate.candidate_run.status = "void"
    gate.candidate_run.ended_because = "The test “Test 1” was edited while it ran."
    gate.candidate_run.save()
    with pytest.raises(CommandError, match=r"is void\. The test “Test 1” was edited"):
        call_command("gate", "--agent=shop", "--candidate=2")
