"""The gate's statistics: values by hand, the empty and the even case, and an oracle."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from agents.gate import stats

ALPHA = 0.025


def normal(level: float) -> float:
    return float(scipy_stats.norm.isf(level))


def test_one_look_spends_all_of_the_error() -> None:
    assert stats.look_levels((3,), ALPHA) == pytest.approx((ALPHA,))
    assert stats.look_shares((3,), ALPHA) == (ALPHA,)


def test_first_look_spends_its_share_by_itself() -> None:
    # 0.025 * (3 / 10) ** (1/3) = 0.025 * 0.6694 = 0.01674
    assert stats.look_levels((3, 6, 10), ALPHA)[0] == pytest.approx(0.01674, abs=1e-5)
    assert sum(stats.look_shares((3, 6, 10), ALPHA)) == pytest.approx(ALPHA)


@pytest.mark.parametrize("repeats", [(3, 6, 10), (1, 2, 3, 4)])
def test_looks_together_err_as_often_as_they_may(repeats: tuple[int, ...]) -> None:
    # The chance that a normal vector, correlated as sqrt(earlier / later), stays under all bounds.
    times = np.array(repeats, dtype=float)
    together = np.sqrt(np.minimum.outer(times, times) / np.maximum.outer(times, times))
    bounds = [normal(level) for level in stats.look_levels(repeats, ALPHA)]
    stays = scipy_stats.multivariate_normal(cov=together, seed=1).cdf(np.array(bounds))
    assert 1 - stays == pytest.approx(ALPHA, abs=1e-4)


def test_interval_is_that_of_student_where_there_are_many_tests() -> None:
    diffs = np.random.default_rng(1).choice([-1 / 3, 0, 1 / 3], size=300)
    found = stats.compare(diffs, repeats=3, level=ALPHA, seed=7)
    student = scipy_stats.t.interval(0.95, 299, diffs.mean(), scipy_stats.sem(diffs))
    assert found.diff == pytest.approx(diffs.mean())
    assert (found.low, found.high) == pytest.approx(student, abs=0.003)


def test_interval_is_wider_than_a_plain_bootstrap_where_there_are_few_tests() -> None:
    diffs = np.array([0, 0, 1 / 3, -1 / 3, 2 / 3, 0, -1 / 3, 1 / 3])
    plain = scipy_stats.bootstrap(
        (diffs,), np.mean, method="percentile", random_state=np.random.default_rng(1)
    ).confidence_interval
    found = stats.compare(diffs, repeats=3, level=ALPHA, seed=7)
    assert found.low < plain.low
    assert found.high > plain.high


@pytest.mark.parametrize("value", [0.0, 1.0, -1 / 3])
def test_tests_that_all_answer_alike_give_no_interval_of_width_zero(value: float) -> None:
    found = stats.compare(np.full(20, value), repeats=3, level=ALPHA, seed=7)
    assert found.high - found.low > 0.01
    assert found.low <= found.diff <= found.high


def test_more_repeats_that_all_pass_narrow_the_interval() -> None:
    once, often = (stats.compare(np.zeros(9), repeats=num, level=ALPHA, seed=7) for num in (1, 10))
    # Nine tests once could all be luck; ninety runs without one failure are within five points.
    assert once.low < -0.2
    assert often.low > -0.05


def test_one_test_alone_shows_nothing() -> None:
    found = stats.compare(np.array([1.0]), repeats=3, level=ALPHA, seed=7)
    assert (found.low, found.high) == (-1, 1)


def test_many_gates_at_once_are_judged_as_each_alone() -> None:
    diffs = np.random.default_rng(5).choice([-1 / 3, 0, 1 / 3], size=(300, 12))
    together = stats.compare(diffs, repeats=3, level=ALPHA, seed=7)
    alone = stats.compare(diffs[299], repeats=3, level=ALPHA, seed=7)
    assert together.low[299] == pytest.approx(float(alone.low))
    assert stats.worse_p_values(diffs, seed=7)[299] == stats.worse_p_values(diffs[299], seed=7)


def test_sign_flips_give_the_exact_chance() -> None:
    # Four tests all lower: of 16 ways to put the signs one is as low, 1/16.
    found = stats.worse_p_values(np.full(4, -1 / 3), seed=7)
    assert found == pytest.approx(1 / 16, abs=0.01)
    assert stats.worse_p_values(np.zeros(4), seed=7) == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_holm_is_the_closed_test_of_bonferroni(p_values: list[float]) -> None:
    # Marcus, Peritz and Gabriel (1976): over all sets that hold it, the worst of size times least.
    sets = [one for size in range(1, 7) for one in combinations(range(len(p_values)), size)]
    worst = [
        max(min(1, len(one) * min(p_values[j] for j in one)) for one in sets if i in one)
        for i in range(len(p_values))
    ]
    assert stats.holm(np.array(p_values)) == pytest.approx(worst)


def test_holm_by_hand() -> None:
    # 0.01 * 3, 0.03 * 2, 0.04 * 1 which may not fall under 0.06.
    assert stats.holm(np.array([0.04, 0.01, 0.03])) == pytest.approx([0.06, 0.03, 0.06])


@given(st.lists(st.sampled_from([-1, -2 / 3, -1 / 3, 0, 1 / 3, 2 / 3, 1]), min_size=2, max_size=30))
@settings(max_examples=50, deadline=None)
def test_interval_holds_the_difference_and_stays_among_differences(diffs: list[float]) -> None:
    found = stats.compare(np.array(diffs, dtype=float), repeats=3, level=ALPHA, seed=7)
    assert -1 <= found.low <= found.diff + 1e-9
    assert found.diff - 1e-9 <= found.high <= 1


def test_ratio_of_the_same_costs_is_one() -> None:
    costs = np.array([0.1, 0.2, 0.3])
    assert stats.ratio(costs, costs, level=ALPHA, seed=7) == pytest.approx((1, 1, 1))
    assert stats.ratio(2 * costs, costs, level=ALPHA, seed=7) == pytest.approx((2, 2, 2))


def test_least_seen_is_the_error_times_both_quantiles() -> None:
    # 0.02 * (1.96 + 0.8416) = 0.056
    assert stats.least_seen(0.02, ALPHA) == pytest.approx(0.056, abs=1e-4)


def test_one_tests_gap_is_judged_by_fishers_test() -> None:
    # 3 of 3 to 0 of 3: of 20 ways to lay three passes among six, two are as extreme.
    assert stats.gap_p_value(0, 3, 3, 3) == pytest.approx(0.1)
