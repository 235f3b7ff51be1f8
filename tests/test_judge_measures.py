"""Rates, kappa and corrected rates: worked by hand, at their edges, and against other programs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.judges.measures import Confusion, Rate, cohens_kappa, confusion_of
from agents.judges.prediction import corrected_rate

COUNTS = st.integers(0, 60)


def test_rate_is_num_of_n_with_an_exact_interval() -> None:
    rate = Rate(18, 20)
    assert rate.value == 0.9
    # Clopper and Pearson (1934), as R's binom.test(18, 20): 0.6830173 to 0.9876515.
    assert rate.interval == pytest.approx((0.6830173, 0.9876515), abs=1e-6)


def test_rate_of_nothing_is_unknown() -> None:
    assert (Rate(0, 0).value, Rate(0, 0).low, Rate(0, 0).high) == (None, None, None)


def test_rate_of_one_is_hardly_known() -> None:
    # One of one: 0.025 to 1.
    assert Rate(1, 1).interval == pytest.approx((0.025, 1.0))


def test_rates_of_a_table_are_by_what_people_say() -> None:
    table = Confusion(true_pass=40, false_fail=10, false_pass=6, true_fail=4)
    assert (table.tpr, table.tnr) == (Rate(40, 50), Rate(4, 10))
    assert table.agreement == Rate(44, 60)
    assert table.num_differing == 16


def test_pairs_are_counted_by_who_says_what() -> None:
    pairs = [(True, True), (True, False), (False, True), (False, True), (False, False)]
    assert confusion_of(pairs) == Confusion(1, 1, 2, 1)


@pytest.mark.parametrize(
    ("table", "value", "low", "high"),
    # statsmodels 0.15, inter_rater.cohens_kappa; the first is Fleiss's example (1981, table 13.1).
    [
        ([[75, 1, 4], [5, 4, 1], [0, 0, 10]], 0.6764705883, 0.5045759581, 0.8483652184),
        ([[20, 5], [10, 15]], 0.4, 0.1510922905, 0.6489077095),
        ([[40, 9], [6, 45]], 0.6995192308, 0.5595903408, 0.8394481208),
        ([[10, 0], [3, 7]], 0.7, 0.4014350122, 0.9985649878),
    ],
)
def test_kappa_is_that_of_statsmodels(
    table: list[list[int]], value: float, low: float, high: float
) -> None:
    kappa = cohens_kappa(table)
    assert kappa is not None
    assert (kappa.value, kappa.low, kappa.high) == pytest.approx((value, low, high), abs=1e-8)


def test_kappa_worked_by_hand() -> None:
    # 20 + 15 of 50 agree: 0.7. By chance 0.5 x 0.6 + 0.5 x 0.4 = 0.5. (0.7 - 0.5) / 0.5 = 0.4.
    kappa = Confusion(true_pass=20, false_fail=5, false_pass=10, true_fail=15).kappa
    assert kappa is not None
    assert kappa.value == pytest.approx(0.4)


def test_kappa_has_no_meaning_without_counts_or_with_one_verdict() -> None:
    assert Confusion().kappa is None
    assert Confusion(true_pass=30).kappa is None


def test_full_agreement_has_an_interval_with_a_width() -> None:
    kappa = Confusion(true_pass=10, true_fail=10).kappa
    assert kappa is not None
    assert (kappa.value, kappa.high) == (1.0, 1.0)
    assert 0.5 < kappa.low < 0.95


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_kappa_stays_in_its_range_and_interval(a: int, b: int, c: int, d: int) -> None:
    kappa = Confusion(a, b, c, d).kappa
    if kappa is not None:
        assert -1.0 <= kappa.low <= kappa.value + 1e-12
        assert kappa.value - 1e-12 <= kappa.high <= 1.0
        assert kappa.low < kappa.high


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_kappa_does_not_depend_on_who_is_asked_first(a: int, b: int, c: int, d: int) -> None:
    one, other = cohens_kappa([[a, b], [c, d]]), cohens_kappa([[a, c], [b, d]])
    assert (one is None) == (other is None)
    if one and other:
        assert one.value == pytest.approx(other.value)


def test_judge_that_says_the_same_of_everything_carries_no_information() -> None:
    assert not Confusion(true_pass=40, false_pass=20).is_informative
    assert not Confusion(true_pass=20, false_fail=20, false_pass=10, true_fail=10).is_informative
    assert Confusion(true_pass=38, false_fail=2, false_pass=3, true_fail=17).is_informative


def labelled(*counts: int) -> list[tuple[bool, bool]]:
    """Make (people, judge) pairs: both pass, too strict, flatters, both fail."""
    kinds = [(True, True), (True, False), (False, True), (False, False)]
    return [kind for kind, count in zip(kinds, counts, strict=True) for _ in range(count)]


def test_corrected_rate_worked_by_hand() -> None:
    # Of 40 labelled sessions people pass 28 and the judge 30, both 27; of 100 others it passes 75.
    # Covariance: (27 - 28 x 30 / 40) / 39 = 6 / 39. The judge passes 105 of 140.
    found = corrected_rate(labelled(27, 1, 3, 9), [True] * 75 + [False] * 25)
    variance = np.var([1.0] * 105 + [0.0] * 35, ddof=1)
    weight = (6 / 39) / ((1 + 40 / 100) * variance)
    assert found.weight == pytest.approx(weight)
    assert found.value == pytest.approx(weight * 0.75 + 0.7 - weight * 0.75)
    assert found.raw == pytest.approx(0.75)


def test_corrected_rate_undoes_what_the_judge_flatters() -> None:
    # Passes everything that is right and half of what is wrong: 85 % where the truth is 70 %.
    found = corrected_rate(labelled(70, 0, 15, 15), [True] * 850 + [False] * 150)
    assert found.raw == pytest.approx(0.85)
    assert found.value == pytest.approx(0.7)


def test_interval_is_narrower_than_that_of_the_labels_alone() -> None:
    found = corrected_rate(labelled(66, 4, 3, 27), [True] * 690 + [False] * 310)
    assert found.interval is not None
    alone = 2 * 1.96 * (0.7 * 0.3 / 100) ** 0.5
    assert found.interval[1] - found.interval[0] < 0.75 * alone


def test_corrected_rate_is_refused_where_the_judge_carries_no_information() -> None:
    found = corrected_rate(labelled(40, 0, 20, 0), [True] * 500)
    assert (found.value, found.interval) == (None, None)
    assert found.refused.startswith("The judge carries no information here")


@pytest.mark.parametrize(
    ("pairs", "others", "why"),
    [
        ((10, 1, 1, 8), 100, "20 sessions have both a label and a judgement; it takes 30"),
        ((40, 0, 1, 2), 100, "3 are of the rarer kind; it takes 5"),
        ((30, 1, 1, 20), 10, "10 sessions were judged without a label; it takes 30"),
        ((0, 0, 0, 0), 0, "0 sessions have both"),
    ],
)
def test_corrected_rate_is_refused_where_there_is_too_little(
    pairs: tuple[int, ...], others: int, why: str
) -> None:
    found = corrected_rate(labelled(*pairs), [True] * others)
    assert found.value is None
    assert why in found.refused


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    covered = tried = 0
    for _ in range(400):
        truth = rng.random(900) < 0.7
        says = np.where(rng.random(900) < np.where(truth, 0.95, 0.7), truth, ~truth)
        pairs = [(bool(a), bool(b)) for a, b in zip(truth[:120], says[:120], strict=True)]
        found = corrected_rate(pairs, [bool(each) for each in says[120:]])
        if found.interval is not None:
            tried += 1
            covered += found.interval[0] <= 0.7 <= found.interval[1]
    assert tried > 380
    assert covered / tried > 0.92
