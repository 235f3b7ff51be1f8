"""Results made elsewhere: what is read, and what is said of what cannot be."""

import gzip
import json
from pathlib import Path

import pytest

from agents.errors import GateError
from agents.gate.config import GateConfig
from agents.gate.decide import decide
from agents.gate.decision import Decision, Outcome
from agents.gate.results import evidence_from, read_results
from tests.real_data import real_data


def write(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def tau2(path: Path, *simulations: dict[str, object]) -> Path:
    data = json.dumps({"tasks": [], "simulations": list(simulations)}).encode()
    path.write_bytes(gzip.compress(data))
    return path


def test_rows_are_read_with_what_stands_beside_them(tmp_path: Path) -> None:
    row = {"test": "refund", "repeat": 2, "passed": False, "seconds": 1.5, "suite": "edge"}
    (found,) = read_results(write(tmp_path / "a.jsonl", {**row, "critical": True, "tags": ["x"]}))
    assert (found.test, found.repeat, found.passed, found.seconds) == ("refund", 2, False, 1.5)
    assert (found.suite, found.tags, found.is_critical, found.cost_usd) == (
        "edge",
        ("x",),
        True,
        None,
    )


def test_tau2_reward_of_one_is_a_pass_and_none_says_nothing(tmp_path: Path) -> None:
    found = read_results(
        tau2(
            tmp_path / "a.json.gz",
            {"task_id": "1", "trial": 0, "reward_info": {"reward": 1.0}, "agent_cost": 0.0},
            {"task_id": "1", "trial": 1, "reward_info": {"reward": 0.5}, "agent_cost": 0.2},
            {"task_id": "1", "trial": 2, "reward_info": None},
            {
                "task_id": "1",
                "trial": 3,
                "reward_info": {"reward": 0.0},
                "termination_reason": "infrastructure_error",
            },
        )
    )
    assert [row.passed for row in found] == [True, False, None, None]
    # A price of zero is one that tau2 does not know.
    assert [row.cost_usd for row in found] == [None, 0.2, None, None]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("no json", "line 2 is no JSON"),
        ("[1]", "line 2 is no object"),
        ('{"passed": true}', "line 2 has no test"),
        ('{"test": "b", "passed": 1}', "passed is 1; it must be true, false, or null"),
        ('{"test": "b"}', "passed is ''"),
        ('{"test": "b", "repeat": "x", "passed": true}', "repeat is 'x'"),
        ('{"test": "a", "passed": true}', "repeat 1 of test a twice"),
        ('{"test": "b", "passed": true, "tags": "x"}', "tags are 'x'"),
    ],
)
def test_line_that_is_no_result_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"test": "a", "passed": true}}\n{line}\n')
    with pytest.raises(GateError, match=said.replace("'", ".")):
        read_results(path)


def test_number_too_long_for_python_is_named_and_no_defect(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"test": "a", "passed": true, "cost_usd": %s}' % ("1" * 5000))
    with pytest.raises(GateError, match="line 1 is no JSON"):
        read_results(path)


def test_separator_within_a_name_ends_no_line(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"test": "a\u2028b", "passed": true}\n')
    (row,) = read_results(path)
    assert row.test == "a\u2028b"


def test_tau2_values_of_no_use_say_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(
        '{"simulations": [{"task_id": 1, "reward_info": {"reward": NaN}, '
        '"termination_reason": ["x"]}]}'
    )
    (row,) = read_results(path)
    assert row.passed is None


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "torn.json.gz").write_bytes(gzip.compress(b"x" * 1000)[:-10])
    (tmp_path / "empty.jsonl").write_text("\n")
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\xfe\x00")
    for name in ("absent.jsonl", "torn.json.gz", "empty.jsonl", "bytes.jsonl"):
        with pytest.raises(GateError, match=name):
            read_results(tmp_path / name)


def test_deeply_nested_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 200_000)
    with pytest.raises(GateError, match=r"deep\.json"):
        read_results(tmp_path / "deep.json")


def test_files_without_a_common_test_are_refused(tmp_path: Path) -> None:
    one = read_results(write(tmp_path / "a", {"test": "a", "passed": True}))
    other = read_results(write(tmp_path / "b", {"test": "b", "passed": True}))
    with pytest.raises(GateError, match="no test in common"):
        evidence_from(baseline=("a", one), candidate=("b", other))


def test_tests_of_one_side_only_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [{"test": f"t{n}", "repeat": r, "passed": True} for n in range(60) for r in (1, 2, 3)]
    one = read_results(write(tmp_path / "a", *rows))
    other = read_results(write(tmp_path / "b", *rows[:-3]))
    found = decide(evidence_from(baseline=("a", one), candidate=("b", other)), GateConfig())
    assert found.outcome is Outcome.PASSED
    assert (found.num_tests, found.num_repeats, found.num_left_out) == (59, 3, 1)


def real_pair(name: str) -> Decision:
    before, now = f"tau2_gpt-4.1_{name}_v1", f"tau2_ft-gpt-4.1_{name}_v2"
    rows = [(each, read_results(real_data(f"tau2/{each}.json.gz"))) for each in (before, now)]
    return decide(evidence_from(baseline=rows[0], candidate=rows[1]), GateConfig())


def test_real_telecom_passes() -> None:
    found = real_pair("telecom")
    assert found.outcome is Outcome.PASSED
    assert "better" in found.sentence
    assert found.diff == pytest.approx(0.3)


def test_real_retail_is_no_change() -> None:
    found = real_pair("retail")
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.sentence.startswith("Inconclusive: no change was seen")
    assert (found.num_moved("fixed"), found.num_moved("broken")) == (6, 6)


def test_real_telecom_alone_passes_and_names_its_two_regressions() -> None:
    found = real_pair("telecom-solo")
    assert found.outcome is Outcome.PASSED
    assert len(found.broken) == 2
    assert all(any(test.key in text for text in found.why) for test in found.broken)
