"""What an eval run will take, from earlier results of the same tests; unknown is not zero."""

from datetime import timedelta
from decimal import Decimal

import pytest

from agents.golden.estimate import Estimate, estimate_for, estimate_from_json
from agents.models import Agent, EvalRun, GoldenTest, Version
from tests.golden import make_eval_run, make_test
from tests.shop import make_shop_agent, make_shop_version

pytestmark = pytest.mark.django_db


def make_history(
    version: Version, tests: list[GoldenTest], *, ms: int = 2000, took: float = 4.0
) -> EvalRun:
    """Make an eval run whose results took so long and cost a cent each."""
    eval_run = make_eval_run(version, tests, "p")
    eval_run.results.update(working_ms=ms, cost_usd=Decimal("0.01"))
    ended = eval_run.created_at + timedelta(seconds=took)
    EvalRun.objects.filter(pk=eval_run.pk).update(finished_at=ended)
    return eval_run


def make_tests(num: int, **overrides: object) -> tuple[Agent, Version, list[GoldenTest]]:
    agent, version = make_shop_agent()
    return agent, version, [make_test(agent, **overrides) for _ in range(num)]


def test_nothing_is_known_without_earlier_results() -> None:
    _, version, tests = make_tests(2)
    assert estimate_for(version, tests, 3) == Estimate(6, None, None, 0, 2)


def test_time_is_shared_by_as_many_runs_as_went_on_before() -> None:
    # Two runs of 2 s in 2 s were two at a time; six runs of 2 s take 6 s so, and cost 6 cents.
    _, version, tests = make_tests(2)
    make_history(version, tests, took=2.0)
    assert estimate_for(version, tests, 3) == Estimate(6, 6, Decimal("0.0600"), 2, 2)


def test_it_takes_no_less_than_the_longest_run() -> None:
    # Two at a time: both are done after the one run's 2 s.
    _, version, tests = make_tests(2)
    make_history(version, tests, took=0.5)
    assert estimate_for(version, tests, 1).seconds == 2


def test_results_of_the_version_go_before_those_of_others() -> None:
    agent, version, tests = make_tests(1)
    make_history(version, tests, ms=9000, took=9.0)
    candidate = make_shop_version(agent, system_prompt="Be kind.")
    assert estimate_for(candidate, tests, 1).seconds == 9
    make_history(candidate, tests, ms=1000, took=1.0)
    assert estimate_for(candidate, tests, 1).seconds == 1


def test_tests_that_are_new_take_the_mean_where_half_are_known() -> None:
    agent, version, tests = make_tests(2)
    make_history(version, tests)
    four = [*tests, make_test(agent), make_test(agent)]
    assert estimate_for(version, four, 1).cost_usd == Decimal("0.0400")
    five = [*four, make_test(agent)]
    assert estimate_for(version, five, 1) == Estimate(5, None, None, 2, 5)


def test_critical_tests_and_a_baseline_are_counted() -> None:
    _, version, tests = make_tests(1, is_critical=True)
    assert estimate_for(version, tests, 2, num_arms=2).runs == 10


def test_stored_form_is_read_back_and_leaves_the_unknown_out() -> None:
    known = Estimate(6, 6, Decimal("0.0600"), 2, 3)
    unknown = Estimate(6, None, None, 0, 3)
    assert known.to_json() == {
        "runs": 6, "from": "2 of 3 tests", "seconds": 6, "cost_usd": "0.0600",
    }  # fmt: skip
    assert unknown.to_json() == {"runs": 6, "from": "0 of 3 tests"}
    assert [estimate_from_json(each.to_json()) for each in (known, unknown)] == [known, unknown]
    assert estimate_from_json({}) is None
