"""Results without a verdict: what the infrastructure failed, and what nobody could judge."""

import pytest

from agents.golden.compare import compare_runs
from agents.golden.expectations import NOTHING_JUDGED, count_verdicts
from agents.golden.lost import lost_way_out, lost_words
from agents.golden.settle import settle_finished, shown_by
from agents.models import EvalResult, EvalRun, Judgement
from agents.releases.proof import last_finished, moved_tests
from reviewdesk.screens.golden.board import Cell
from reviewdesk.screens.golden.progress import read_progress
from reviewdesk.screens.golden.reading import read_board
from reviewdesk.screens.golden.sentence import compare_sentence
from reviewdesk.screens.releases.reading import summaries_of
from tests.factories import make_live
from tests.golden import make_eval_run, make_test
from tests.shop import make_shop_agent
from tests.test_golden_expectations import RUBRIC, again, run_test

pytestmark = pytest.mark.django_db


def eval_run_of(verdicts: str, **overrides: object) -> EvalRun:
    agent, version = make_shop_agent()
    tests = [make_test(agent) for _ in verdicts.split()]
    return make_eval_run(version, tests, verdicts, **overrides)


@pytest.mark.parametrize(
    ("verdicts", "status", "because"),
    [
        ("p p p", "passed", ""),
        ("p e f", "failed", ""),
        ("u e f", "failed", ""),
        ("e e e", "void", "The infrastructure failed all 3 runs: nothing was shown, no pass"),
        ("p e p", "inconclusive", "no verdict on 1 of 3 results: the infrastructure failed 1."),
        ("u u p", "inconclusive", "no verdict on 2 of 3 results: nothing decided 2. Give the"),
        ("u e p", "inconclusive", "the infrastructure failed 1, and nothing decided 1. See what"),
        ("u u u", "inconclusive", "no verdict on 3 of 3 results: nothing decided 3."),
    ],
)
def test_eval_run_ends_as_what_its_results_show(verdicts: str, status: str, because: str) -> None:
    found = shown_by(eval_run_of(verdicts).results.all())
    assert found[0] == status
    assert because in found[1]
    assert found[1].endswith("then run the tests again.") == bool(because)


def test_each_way_out_is_said_once() -> None:
    assert lost_words(8, 4) == "the infrastructure failed 8, and nothing decided 4"
    assert lost_way_out(1, 1, again="run the gate again") == (
        "See what failed the runs; give the tests that were not judged an exact check, or a judge "
        "that is trusted; then run the gate again."
    )


def test_result_whose_judge_failed_is_not_judged_and_says_so() -> None:
    _, result = run_test(is_believed=True, checks=[RUBRIC], expectations=[])
    Judgement.objects.filter(eval_result=result).update(status="failed", error="It timed out.")
    settle_finished()
    eval_run, result = again(result.eval_run)
    assert (eval_run.status, result.status) == ("inconclusive", "not_judged")
    assert result.error.endswith("v1 failed: It timed out.")


def test_page_of_the_run_names_all_three() -> None:
    eval_run = eval_run_of("f e u u", status="failed")
    eval_run.results.filter(status="not_judged").update(error=NOTHING_JUDGED)
    progress = read_progress(eval_run)
    assert (progress.num_infra, progress.num_not_judged) == (1, 2)
    assert progress.not_judged == ((NOTHING_JUDGED, 2),)
    assert [test.cell.words for test in progress.tests] == [
        "0 of 1 pass",
        "1 infrastructure error",
        "1 not judged",
        "1 not judged",
    ]


def test_inconclusive_run_says_what_to_do() -> None:
    eval_run = eval_run_of("p u")
    eval_run.status, eval_run.ended_because = shown_by(eval_run.results.all())
    sentence = read_progress(eval_run).sentence
    assert sentence.text == "Inconclusive: v1 failed no test, but there is no verdict on 1."
    assert sentence.detail.startswith("1 of 2 tests passed. Nothing failed, but there is no")


def test_board_does_not_call_a_version_not_run_that_nobody_judged() -> None:
    eval_run = eval_run_of("u e", status="inconclusive")
    make_live(eval_run.version)
    found = compare_sentence(read_board(eval_run.agent))
    assert found.text == "v1 (live) was run, but no test of it has a verdict."
    assert found.detail == (
        "1 without a verdict: infrastructure error · 1 without a verdict: not judged"
    )


def test_comparison_says_which_side_has_no_verdict_and_why() -> None:
    agent, version = make_shop_agent()
    tests = [make_test(agent) for _ in range(3)]
    before = make_eval_run(version, tests, "p e u")
    now = make_eval_run(version, tests, "u e p")
    found = {test.slug: test.why_new for test in compare_runs(before=before, now=now).tests}
    assert found == {
        "test-1": "no verdict in the second (not judged)",
        "test-2": "no verdict in both (infrastructure error)",
        "test-3": "no verdict in the first (not judged)",
    }


def test_release_counts_what_nobody_judged_apart() -> None:
    eval_run = eval_run_of("p e u", status="inconclusive")
    (summary,) = summaries_of([eval_run])
    assert (summary.num_errors, summary.num_not_judged, summary.num_done) == (1, 1, 3)
    assert last_finished(eval_run.version) == eval_run
    (move,) = [each for each in moved_tests(eval_run, None) if each.now.num_not_judged]
    assert move.now.num_repeats == 1


def test_cell_in_words() -> None:
    assert Cell(letters=("u", "g", "e", "p")).words == (
        "1 of 1 pass, 1 infrastructure error, 1 not judged, 1 not run"
    )


def test_counting_twice_changes_nothing() -> None:
    eval_run, _ = run_test(checks=[RUBRIC], expectations=[])
    assert count_verdicts(eval_run) == 0
    assert eval_run.results.get().status == EvalResult.Status.NOT_JUDGED
