"""A gate and runs without a verdict: infrastructure errors and results that nobody judged."""

import json
from pathlib import Path

import pytest

from agents.errors import GateError
from agents.gate.decision import Decision, Outcome
from agents.gate.report import junit_of, text_of
from agents.gate.results import evidence_from, read_results
from agents.models import EvalRun, Gate
from tests.gate import answer, begin_gate, decided, many, one_test
from tests.test_gate_run import settled

SAME = many(60, "ppp", "ppp")


def test_too_many_runs_that_nobody_judged_void_the_gate_and_are_called_so() -> None:
    found = decided(*many(16, "ppp", "ppp"), *many(4, "ppp", "uuu", "mute"))
    assert found.outcome is Outcome.VOID
    assert found.sentence == (
        "Void: nothing decided 12 of 120 runs (10%; at most 5% may have no verdict), so that the "
        "rest says nothing. Give the tests that were not judged an exact check, or a judge that is "
        "trusted; then run the gate again."
    )
    assert "infrastructure" not in found.sentence


def test_both_kinds_count_together_and_are_told_apart() -> None:
    # 3 + 3 of 108 runs: 5.6 %; either alone would be 2.8 %.
    lost = [one_test("ppp", "eee", "away"), one_test("uuu", "ppp", "mute")]
    found = decided(*many(16, "ppp", "ppp"), *lost)
    assert found.outcome is Outcome.VOID
    assert found.sentence.startswith(
        "Void: 6 of 108 runs have no verdict (6%; at most 5% may): the infrastructure failed 3, "
        "and nothing decided 3, so that the rest says nothing."
    )


def test_few_of_them_are_left_out_and_said() -> None:
    found = decided(*SAME, one_test("ppp", "uuu", "mute"))
    assert found.outcome is Outcome.PASSED
    assert "Of the runs nothing decided 3: without a verdict they count for neither version." in (
        found.why
    )
    assert "1 test could not be compared and is left out." in found.why
    assert found.candidate.num_not_judged == 3
    assert found.candidate.num_infra == 0


def test_report_names_both() -> None:
    found = decided(*SAME, one_test("ppp", "euu", "mute"))
    assert "1 failed by the infrastructure, 2 not judged" in text_of(found)
    xml = junit_of(found, name="gate")
    assert 'name="runs without a verdict"' in xml
    assert "the infrastructure failed 1, and nothing decided 2" in xml
    assert "runs without a verdict" not in junit_of(decided(*SAME), name="gate")


def test_decision_stored_before_they_were_told_apart_can_be_read() -> None:
    data = decided(*SAME, one_test("ppp", "eee", "away")).to_json()
    del data["not_judged_share"], data["baseline"]["num_not_judged"]
    del data["candidate"]["num_not_judged"]
    found = Decision.from_json(json.loads(json.dumps(data)))
    assert found.num_lost == (3, 0)
    assert found.lost_share == found.infra_share


def test_rows_say_which_of_them_it_was(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        '{"test": "a", "repeat": 1, "passed": null}\n'
        '{"test": "a", "repeat": 2, "passed": null, "not_judged": true}\n'
    )
    found = evidence_from(baseline=("x", read_results(path)), candidate=("y", read_results(path)))
    (test,) = found.tests
    assert (test.now.num_infra, test.now.num_not_judged, test.now.num_runs) == (1, 1, 2)


def test_row_that_passed_and_was_not_judged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"test": "a", "passed": true, "not_judged": true}')
    with pytest.raises(GateError, match="line 1: passed is True and not_judged is true"):
        read_results(path)


def test_tau2_run_without_a_reward_was_not_judged(tmp_path: Path) -> None:
    path = tmp_path / "tau2.json"
    simulations = [
        {"task_id": "1", "trial": 0, "reward_info": None, "termination_reason": "user_stop"},
        {"task_id": "1", "trial": 1, "termination_reason": "infrastructure_error"},
    ]
    path.write_text(json.dumps({"simulations": simulations}))
    assert [row.is_not_judged for row in read_results(path)] == [True, False]


@pytest.mark.django_db
def test_gate_over_runs_that_nobody_judged_is_void_and_its_page_says_why() -> None:
    _, gate = begin_gate(num_tests=6)
    answer(gate, now=["u", *["p"] * 5], before="p")
    found = settled(gate)
    assert found.status == Gate.Status.VOID
    assert found.sentence.startswith("Void: nothing decided 3 of 36 runs")
    assert {found.candidate_run.status, found.baseline_run.status} == {EvalRun.Status.VOID}


@pytest.mark.django_db
def test_decided_gate_leaves_a_run_with_one_lost_repeat_inconclusive() -> None:
    _, gate = begin_gate(num_tests=12)
    answer(gate, now=["ppe", *["p"] * 11], before="f")
    found = settled(gate)
    assert found.status == Gate.Status.PASSED
    assert found.candidate_run.status == EvalRun.Status.INCONCLUSIVE
    assert "no verdict on 1 of 36 results" in found.candidate_run.ended_because
