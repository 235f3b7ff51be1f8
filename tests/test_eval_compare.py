"""Two eval runs side by side: what moved, how sure it is, and what cannot be compared."""

import pytest

from agents.golden.compare import Comparison, compare_runs
from agents.models import Agent, EvalResult, EvalRun, GoldenTest
from agents.releases.proof import Move
from agents.runtime.start import start_run
from tests.golden import INPUT, make_eval_run, make_test
from tests.shop import make_shop_agent, make_shop_version

pytestmark = pytest.mark.django_db


def compared(before: str, now: str, num_tests: int = 1, **fields: object) -> Comparison:
    """Compare two eval runs of the same tests with these verdicts."""
    agent, version = make_shop_agent()
    tests = [make_test(agent, **fields) for _ in range(num_tests)]
    candidate = make_shop_version(agent, system_prompt="Be kind.")
    return compare_runs(
        before=make_eval_run(version, tests, before), now=make_eval_run(candidate, tests, now)
    )


@pytest.mark.parametrize(
    ("before", "now", "move"),
    [
        ("pp", "ff", Move.BROKEN),
        ("pp", "pf", Move.WORSE),
        ("pf", "pp", Move.BETTER),
        ("pf", "fp", Move.FLAKY),
        ("pp", "pp", Move.SAME),
        ("pp", "ee", Move.NEW),
    ],
)
def test_each_test_moves_its_way(before: str, now: str, move: Move) -> None:
    (test,) = compared(before, now).tests
    assert test.move is move


def test_difference_has_an_interval_and_each_test_the_same_weight() -> None:
    found = compared("pp pp pp pp", "pp pf ff pp", 4)
    assert found.whole is not None
    # (1 + 1/2 + 0 + 1) / 4 = 0.625 against 1.
    assert (found.whole.before, found.whole.now) == (1.0, 0.625)
    assert found.whole.low is not None
    assert found.whole.high is not None
    assert found.whole.low < -0.375 < found.whole.high
    assert found.whole.moves == {Move.BROKEN: 1, Move.WORSE: 1, Move.SAME: 2}


def test_one_test_has_no_interval() -> None:
    whole = compared("p", "f").whole
    assert whole is not None
    assert (whole.diff, whole.low, whole.high) == (-1.0, None, None)


def test_an_edited_test_and_one_of_one_side_only_are_not_compared() -> None:
    agent, version = make_shop_agent()
    first, second = make_test(agent), make_test(agent)
    before = make_eval_run(version, [first], "p")
    now = make_eval_run(version, [first, second], "f")
    before.results.update(test_hash="0" * 64)
    found = compare_runs(before=before, now=now)
    assert {test.slug: test.why_new for test in found.tests} == {
        "test-1": "edited in between",
        "test-2": "only in the second",
    }
    assert (found.whole, found.num_new) == (None, 2)


def test_quarantine_is_shown_apart_and_counts_in_no_rate() -> None:
    agent, version = make_shop_agent()
    tests = [make_test(agent), make_test(agent)]
    before = make_eval_run(version, tests, "p p")
    now = make_eval_run(version, tests, "f p", options={"quarantined": ["test-1"]})
    found = compare_runs(before=before, now=now)
    assert found.whole is not None
    assert (found.whole.num_tests, found.whole.now, found.num_set_aside) == (1, 1.0, 1)


def test_confirming_reruns_move_no_rate() -> None:
    agent, version = make_shop_agent()
    tests = [make_test(agent)]
    before, now = make_eval_run(version, tests, "pp"), make_eval_run(version, tests, "pp")
    EvalResult.objects.create(
        eval_run=now, test=tests[0], test_hash=tests[0].content_hash, repeat=3, status="failed"
    )
    (test,) = compare_runs(before=before, now=now).tests
    assert test.move is Move.SAME


def test_suites_and_tags_are_compared_by_themselves() -> None:
    found = compared("p p", "f p", 2, suite="edge", tags=["money"])
    assert [(part.by, part.name, part.diff) for part in found.parts] == [
        ("suite", "edge", -0.5),
        ("tag", "money", -0.5),
    ]


def test_sessions_beside_are_those_that_show_the_difference() -> None:
    agent, version = make_shop_agent()
    tests = [make_test(agent)]
    before, now = runs_with_sessions(agent, tests, "pf"), runs_with_sessions(agent, tests, "ff")
    (test,) = compare_runs(before=before, now=now).tests
    assert test.before is not None
    assert test.now is not None
    assert test.sessions == (test.before.passed_id, test.now.failed_id)
    assert version.eval_runs.count() == 2


def runs_with_sessions(agent: Agent, tests: list[GoldenTest], verdicts: str) -> EvalRun:
    """Make an eval run whose results have runs."""
    eval_run = make_eval_run(agent.versions.get(), tests, verdicts)
    for result in eval_run.results.all():
        result.run = start_run(agent=agent, version=eval_run.version, run_input=INPUT)
        result.save()
    return eval_run
