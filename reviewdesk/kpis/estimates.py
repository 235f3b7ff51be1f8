"""Rates, means and medians with their 95 % intervals, and whether two of them differ.

Pure functions. Too little data is no number: every estimate carries `n` and what it needed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import special, stats

LEVEL = 0.95
_RESAMPLES = 2000


class Change(StrEnum):
    """What became of a number; the value is the word for people."""

    BETTER = "better"
    WORSE = "worse"
    NONE = "no change"
    UNKNOWN = "not enough data"


@dataclass(frozen=True)
class Interval:
    """An interval, both ends included, `low <= high`."""

    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """A number from a sample.

    Attributes:
        value: None where `n` is under `min_n`.
        interval: The 95 % interval; None where the sample cannot give one.
        n: Size of the sample.
        min_n: What it takes to show a number.
    """

    value: float | None
    interval: Interval | None
    n: int
    min_n: int

    @property
    def num_missing(self) -> int:
        """Return how many more it takes to show a number."""
        return max(self.min_n - self.n, 0)


@dataclass(frozen=True)
class Summary:
    """A sample of numbers, summed up.

    Attributes:
        n: Size, 0 or more.
        mean: None where `n` is 0.
        deviation: Sample standard deviation (n - 1), None where `n` is under 2.
    """

    n: int
    mean: float | None
    deviation: float | None


def rate(successes: int, n: int, *, min_n: int) -> Estimate:
    """Return the share of `successes` among `n`, 0-1, with Wilson's score interval.

    Source: Wilson (1927), as `scipy.stats.binomtest(...).proportion_ci(method="wilson")`.
    """
    if n < max(min_n, 1):
        return Estimate(None, None, n, min_n)
    return Estimate(successes / n, wilson(successes, n), n, min_n)


def wilson(successes: int, n: int, *, level: float = LEVEL) -> Interval:
    """Return Wilson's score interval; `n` is at least 1."""
    test = stats.binomtest(successes, n)  # type: ignore[attr-defined]
    found = test.proportion_ci(confidence_level=level, method="wilson")
    return Interval(float(found.low), float(found.high))


def rate_difference(
    successes: int, n: int, successes_before: int, n_before: int, *, level: float = LEVEL
) -> Interval:
    """Return the interval of `now - before` for two independent rates; both n at least 1.

    Source: Newcombe (1998), method 10: the two Wilson intervals, squared and added.
    """
    now, before = successes / n, successes_before / n_before
    inner = wilson(successes, n, level=level)
    outer = wilson(successes_before, n_before, level=level)
    below = math.hypot(now - inner.low, outer.high - before)
    above = math.hypot(inner.high - now, before - outer.low)
    return Interval(now - before - below, now - before + above)


def mean(sample: Summary, *, min_n: int) -> Estimate:
    """Return the mean with Student's t interval; no interval where all values are equal.

    Source: mean ± t(0.975, n - 1) · s / √n.
    """
    if sample.n < max(min_n, 1):
        return Estimate(None, None, sample.n, min_n)
    interval = None
    if sample.mean is not None and sample.deviation:
        interval = _t_interval(sample.mean, sample.deviation / math.sqrt(sample.n), sample.n - 1)
    return Estimate(sample.mean, interval, sample.n, min_n)


def mean_difference(now: Summary, before: Summary) -> Interval | None:
    """Return Welch's 95 % interval of `now - before`; None where the samples cannot give one.

    Source: Welch (1947), degrees of freedom by Satterthwaite.
    """
    if now.n < 2 or before.n < 2 or now.mean is None or before.mean is None:
        return None
    parts = [(sample.deviation or 0.0) ** 2 / sample.n for sample in (now, before)]
    variance = sum(parts)
    if variance == 0:
        return None
    # As shares of the whole: the squares of tiny variances would underflow to zero.
    shares = [part / variance for part in parts]
    freedom = 1 / (shares[0] ** 2 / (now.n - 1) + shares[1] ** 2 / (before.n - 1))
    return _t_interval(now.mean - before.mean, math.sqrt(variance), freedom)


def median(values: Sequence[float], *, min_n: int) -> Estimate:
    """Return the median with the exact interval from the order of the values (`quantile`)."""
    return quantile(values, 0.5, min_n=min_n)


def quantile(values: Sequence[float], share: float, *, min_n: int) -> Estimate:
    """Return the value that `share` of the values lie below, with its exact interval.

    Source: Conover (1999), section 3.2, as `scipy.stats.quantile_test`; no interval where there are
    too few values for a pair that covers 95 % (under 6 for the median), or where all are equal.
    """
    n = len(values)
    if n < max(min_n, 1):
        return Estimate(None, None, n, min_n)
    ordered = np.sort(np.asarray(values, dtype=float))
    found = stats.quantile_test(ordered, p=share).confidence_interval(LEVEL)
    low, high = float(found.low), float(found.high)
    is_known = math.isfinite(low) and math.isfinite(high) and ordered[0] < ordered[-1]
    value = float(np.quantile(ordered, share))
    return Estimate(value, Interval(low, high) if is_known else None, n, min_n)


def median_difference(now: Sequence[float], before: Sequence[float]) -> Interval | None:
    """Return the 95 % interval of the difference of two medians; None where neither varies.

    Source: percentile bootstrap (Efron and Tibshirani 1993, chapter 13), 2,000 resamples with a
    fixed seed, so that the same data always give the same word.
    """
    if len(now) < 2 or len(before) < 2 or len({*now}) == len({*before}) == 1:
        return None
    random = np.random.default_rng(20)
    medians = [
        np.median(random.choice(np.asarray(sample, dtype=float), (_RESAMPLES, len(sample))), axis=1)
        for sample in (now, before)
    ]
    low, high = np.quantile(medians[0] - medians[1], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))


def change(difference: Interval | None, *, higher_is_better: bool) -> Change:
    """Say which way a number went: only where the difference's interval leaves out zero."""
    if difference is None:
        return Change.UNKNOWN
    if difference.low <= 0 <= difference.high:
        return Change.NONE
    return Change.BETTER if (difference.low > 0) is higher_is_better else Change.WORSE


def _t_interval(middle: float, error: float, freedom: float) -> Interval:
    half = float(special.stdtrit(freedom, (1 + LEVEL) / 2)) * error
    return Interval(middle - half, middle + half)
