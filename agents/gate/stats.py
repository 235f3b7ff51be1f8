"""The gate's statistics: intervals and tests over golden tests, many gates at once. Pure.

Every function takes arrays whose last axis is the golden tests; axes before it are gates, so that
`benchmarks/gate.py` judges a thousand simulated ones with the code that judges a real one. Rates
and differences are shares, 0-1.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

Floats = NDArray[np.float64]

NUM_RESAMPLES = 10_000
# Drops are seen in four of five cases: the usual power of a planned trial.
_POWER = 0.8
# The error is spent as (repeats / budget) ** power: most of it at the first look, where most
# gates are decided, so that harm is seen there and the budget is for close calls.
_SPENDING_POWER = 1 / 3
_CHUNK = 250
_NODES = 200
_EVEN = (np.arange(NUM_RESAMPLES) + 0.5) / NUM_RESAMPLES - 0.5


@dataclass(frozen=True)
class Compared:
    """Differences of gates with their intervals.

    Attributes:
        diff: Mean over tests of candidate minus baseline.
        low: Of the interval at the look's level; likewise `high`.
        error: Standard error of `diff`.
    """

    diff: Floats
    low: Floats
    high: Floats
    error: Floats


@lru_cache(maxsize=64)
def look_levels(repeats: tuple[int, ...], alpha: float) -> tuple[float, ...]:
    """Return the one-sided level of each look, so that all looks together err at most `alpha`.

    Source: Lan and DeMets (1983), alpha spending, with the power family of Kim and DeMets (1987);
    worked out by the recursion of Armitage, McPherson and Rowe (1969), since a normal distribution
    of five dimensions takes SciPy seconds.
    Looks k < l correlate as sqrt(repeats_k / repeats_l), as they do where all noise is between
    repeats; where tests answer the two versions differently they correlate more, and then the
    error is smaller (Slepian 1962).

    Args:
        repeats: Of each test at each look, rising.
        alpha: Chance to err on one side.
    """
    levels: list[float] = []
    places, weights, time = np.zeros(1), np.ones(1), 0.0
    for repeat, share in zip(repeats, look_shares(repeats, alpha), strict=True):
        now = repeat / repeats[-1]
        bound = _bound(places, weights, now - time, share)
        levels.append(float(special.ndtr(-bound / np.sqrt(now))))
        places, weights = _on(places, weights, now - time, (-8 * np.sqrt(now), bound))
        time = now
    return tuple(levels)


def look_shares(repeats: tuple[int, ...], alpha: float) -> tuple[float, ...]:
    """Return what each look may spend of `alpha` by itself; the shares add up to it."""
    times = np.asarray(repeats, dtype=float) / repeats[-1]
    return tuple(float(share) for share in np.diff(alpha * times**_SPENDING_POWER, prepend=0.0))


def compare(diffs: Floats, *, repeats: float, level: float, seed: int) -> Compared:
    """Return the mean difference with its interval, by a cluster bootstrap over tests.

    Percentile bootstrap (Efron and Tibshirani 1993, chapter 13) of the per-test differences, each
    test with all its repeats one cluster, expanded by Student's t for few tests (Hesterberg 2015,
    section 5.2). Two tests that differ by one repeat, one each way, are resampled with the others
    (in the manner of Bonett and Price 2012): where every test answers alike the interval is not of
    width zero. Means of whole repeats lie on a grid; they are spread over a step of it, so that
    an end does not jump with the seed.

    Args:
        diffs: (…, tests), candidate's share of passed repeats minus the baseline's.
        repeats: Mean number of repeats of a test and version.
        level: Of one side, as `look_levels` gives it.
        seed: Of the resampling.
    """
    num_tests = diffs.shape[-1]
    flat = diffs.reshape(-1, num_tests)
    diff = flat.mean(axis=1)
    if num_tests < 2:
        low, high, error = (np.full_like(diff, value) for value in (-1.0, 1.0, 1.0))
    else:
        tail = _expanded(level, num_tests)
        parts = [
            _spread(flat[start : start + _CHUNK], 1 / repeats, tail, seed)
            for start in range(0, len(flat), _CHUNK)
        ]
        below, above, error = (np.concatenate(part) for part in zip(*parts, strict=True))
        low, high = np.clip(diff + below, -1, 1), np.clip(diff + above, -1, 1)
    shape = diffs.shape[:-1]
    return Compared(
        diff.reshape(shape), low.reshape(shape), high.reshape(shape), error.reshape(shape)
    )


def worse_p_values(diffs: Floats, *, seed: int) -> Floats:
    """Return the chance of a mean this low if the versions were the same, per gate.

    Sign-flip test (Fisher 1935, section 21): under sameness each test's difference is as likely
    with the other sign. Exact for any number of tests, up to the resampling.
    """
    num_tests = diffs.shape[-1]
    flat = diffs.reshape(-1, num_tests)
    random = np.random.default_rng(seed)
    signs = random.integers(0, 2, (NUM_RESAMPLES, num_tests), dtype=np.int8) * 2.0 - 1.0
    found = np.empty(len(flat))
    for start in range(0, len(flat), _CHUNK):
        part = flat[start : start + _CHUNK]
        flipped = part @ signs.T
        is_as_low = flipped <= part.sum(axis=1, keepdims=True) + 1e-9
        found[start : start + _CHUNK] = (is_as_low.sum(axis=1) + 1) / (NUM_RESAMPLES + 1)
    return found.reshape(diffs.shape[:-1])


def holm(p_values: Floats) -> Floats:
    """Return p-values corrected for their number, over the last axis.

    Source: Holm (1979): the k-th smallest of m times m - k + 1, never falling, at most 1.
    """
    num = p_values.shape[-1]
    order = np.argsort(p_values, axis=-1, kind="stable")
    ordered = np.take_along_axis(p_values, order, axis=-1) * np.arange(num, 0, -1)
    corrected = np.minimum(np.maximum.accumulate(ordered, axis=-1), 1.0)
    back = np.empty_like(corrected)
    np.put_along_axis(back, order, corrected, axis=-1)
    return back


def ratio(now: Floats, before: Floats, *, level: float, seed: int) -> tuple[float, float, float]:
    """Return the ratio of two means over the same tests, with its bootstrap interval.

    Args:
        now: One mean per test, 0 or more; at least one test.
        before: Likewise, in the same order, with a sum over 0.
        level: Of one side.
        seed: Of the resampling.
    """
    value = float(now.sum() / before.sum())
    if len(now) < 2:
        return value, 0.0, float("inf")
    weights = _weights(len(now), seed)
    sums = weights @ before
    ratios = (weights @ now)[sums > 0] / sums[sums > 0]
    tail = _expanded(level, len(now))
    low, high = np.quantile(ratios, [tail, 1 - tail])
    return value, float(low), float(high)


def mean_interval(values: Floats, *, level: float, seed: int) -> tuple[float, float, float]:
    """Return a mean over tests, with its bootstrap interval; at least one test."""
    value = float(values.mean())
    if len(values) < 2:
        return value, 0.0, float("inf")
    tail = _expanded(level, len(values))
    means = _weights(len(values), seed) @ values / len(values)
    low, high = np.quantile(means, [tail, 1 - tail])
    return value, float(low), float(high)


def least_seen(error: float, level: float) -> float:
    """Return the least drop that would be called worse in four of five cases."""
    return float(error * (special.ndtri(_POWER) - special.ndtri(level)))


def gap_p_value(passed: int, judged: int, passed_before: int, judged_before: int) -> float:
    """Return how likely one test's gap is if both versions were the same (Fisher's exact test)."""
    table = [[passed, judged - passed], [passed_before, judged_before - passed_before]]
    return float(stats.fisher_exact(table).pvalue)


def _bound(places: Floats, weights: Floats, step: float, share: float) -> float:
    """Return the bound that a Brownian motion crosses within a step with the chance `share`.

    `weights` say how likely it stands at each of `places` before, not having crossed one yet.
    """

    def excess(bound: float) -> float:
        return float(weights @ special.ndtr((places - bound) / np.sqrt(step))) - share

    return float(optimize.brentq(excess, -8, 8))  # type: ignore[no-untyped-call]


def _on(
    places: Floats, weights: Floats, step: float, ends: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Return where the motion stands a step later, between these ends (Gauss and Legendre)."""
    nodes, shares = np.polynomial.legendre.leggauss(_NODES)
    half = (ends[1] - ends[0]) / 2
    later = ends[0] + half * (nodes + 1)
    distances = (later[:, None] - places[None, :]) / np.sqrt(step)
    density = np.exp(-(distances**2) / 2) @ weights / np.sqrt(2 * np.pi * step)
    return later, shares * half * density


def _expanded(level: float, num_tests: int) -> float:
    wide = -special.stdtrit(num_tests - 1, level) * np.sqrt(num_tests / (num_tests - 1))
    return float(special.ndtr(-wide))


@lru_cache(maxsize=1)
def _weights(num: int, seed: int) -> Floats:
    """Return how often each of `num` items is drawn, per resample: (resamples, num)."""
    random = np.random.default_rng(seed)
    return random.multinomial(num, np.full(num, 1 / num), NUM_RESAMPLES).astype(float)


def _spread(diffs: Floats, step: float, tail: float, seed: int) -> tuple[Floats, Floats, Floats]:
    """Return how far the resampled means lie below and above their centre, and their error."""
    ends = np.broadcast_to([-step, step], (len(diffs), 2))
    values = np.concatenate([diffs, ends], axis=1)
    means = values @ _weights(values.shape[1], seed).T / values.shape[1]
    means -= values.mean(axis=1, keepdims=True)
    means += np.random.default_rng(seed).permutation(_EVEN) * step / values.shape[1]
    below, above = np.quantile(means, [tail, 1 - tail], axis=1)
    return below, above, means.std(axis=1)
