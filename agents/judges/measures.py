"""How well two who say pass or fail agree, with intervals. Pure: no database, no clock.

"Positive" is a pass. Whoever flatters has a high true-positive rate and a low true-negative one;
agreement alone hides that wherever most sessions pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy import special, stats

LEVEL = 0.95
_NO_INFORMATION = 0.05


@dataclass(frozen=True)
class Rate:
    """A share with its interval (95 %); None where there is nothing to take a share of.

    Clopper and Pearson's exact interval: what decides whether a judge is believed must not promise
    more than it keeps, and Wilson's covers less than 95 % for shares near one.

    Source: Clopper, Pearson (1934), The use of confidence or fiducial limits, Biometrika 26.
    """

    num: int
    n: int

    @property
    def value(self) -> float | None:
        """Return the share, 0 to 1."""
        return self.num / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return its bounds, 0 to 1."""
        if not self.n:
            return None
        # By quantiles of the beta distribution: scipy's binomtest searches for them, in 5 ms each.
        tail, num_others = (1 - LEVEL) / 2, self.n - self.num
        low = special.betaincinv(self.num, num_others + 1, tail) if self.num else 0.0
        high = special.betaincinv(self.num + 1, num_others, 1 - tail) if num_others else 1.0
        return float(low), float(high)

    @property
    def low(self) -> float | None:
        """Return the lower bound."""
        return self.interval[0] if self.interval else None

    @property
    def high(self) -> float | None:
        """Return the upper bound."""
        return self.interval[1] if self.interval else None


@dataclass(frozen=True)
class Kappa:
    """Cohen's kappa with its interval (95 %)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Confusion:
    """What people and a judge said of the same sessions.

    Attributes:
        true_pass: Both pass.
        false_fail: People pass, the judge fails: it is too strict.
        false_pass: People fail, the judge passes: it flatters.
        true_fail: Both fail.
    """

    true_pass: int = 0
    false_fail: int = 0
    false_pass: int = 0
    true_fail: int = 0

    @property
    def n(self) -> int:
        """Return how many sessions there are."""
        return self.true_pass + self.false_fail + self.false_pass + self.true_fail

    @property
    def num_differing(self) -> int:
        """Return of how many they say different things."""
        return self.false_fail + self.false_pass

    @property
    def tpr(self) -> Rate:
        """Return the true-positive rate: of what people pass, how much the judge passes."""
        return Rate(self.true_pass, self.true_pass + self.false_fail)

    @property
    def tnr(self) -> Rate:
        """Return the true-negative rate: of what people fail, how much the judge fails."""
        return Rate(self.true_fail, self.true_fail + self.false_pass)

    @property
    def agreement(self) -> Rate:
        """Return the share of which they say the same."""
        return Rate(self.true_pass + self.true_fail, self.n)

    @property
    def kappa(self) -> Kappa | None:
        """Return Cohen's kappa; None too where people say one and the same of every session.

        Whatever the judge says then, kappa is zero, and says nothing of the judge.
        """
        if not self.tpr.n or not self.tnr.n:
            return None
        rows = [[self.true_pass, self.false_fail], [self.false_pass, self.true_fail]]
        return cohens_kappa(rows)

    @property
    def p_of_no_information(self) -> float:
        """Return how likely so much agreement is by chance: Fisher's exact test, one-sided.

        Source: Fisher (1922), J. R. Stat. Soc. 85, as `scipy.stats.fisher_exact`.
        """
        rows = [[self.true_pass, self.false_fail], [self.false_pass, self.true_fail]]
        return float(stats.fisher_exact(rows, alternative="greater").pvalue)

    @property
    def is_informative(self) -> bool:
        """Say whether what the judge says depends on what people say, beyond chance."""
        return self.p_of_no_information < _NO_INFORMATION


def confusion_of(pairs: Sequence[tuple[bool, bool]]) -> Confusion:
    """Count pairs of (people pass, judge passes)."""
    return Confusion(
        true_pass=pairs.count((True, True)),
        false_fail=pairs.count((True, False)),
        false_pass=pairs.count((False, True)),
        true_fail=pairs.count((False, False)),
    )


def cohens_kappa(table: list[list[int]]) -> Kappa | None:
    """Return Cohen's kappa of a square table of counts: rows one rater, columns the other.

    None where it has no meaning: without a count, or where both only ever say one and the same
    thing. Where no count lies off the diagonal the formula's interval would have no width; then
    its lower bound is that of the table with half a count added to each cell.

    Sources: Cohen (1960), Educ. Psychol. Meas. 20; the variance of Fleiss, Cohen, Everitt (1969),
    Psychol. Bull. 72, equation 13.
    """
    counts = np.asarray(table, dtype=float)
    if counts.sum() == 0:
        return None
    found = _kappa(counts)
    if found is None:
        return None
    value, error = found
    if error == 0:
        smoothed, error = cast(tuple[float, float], _kappa(counts + 0.5))
        value_low, value_high = min(value, smoothed), max(value, smoothed)
    else:
        value_low = value_high = value
    reach = float(special.ndtri(0.5 + LEVEL / 2)) * error
    return Kappa(value, max(-1.0, value_low - reach), min(1.0, value_high + reach))


def _kappa(
    counts: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]",
) -> tuple[float, float] | None:
    """Return kappa and its standard error, or None where chance alone gives full agreement."""
    n = counts.sum()
    shares = counts / n
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    agreed, by_chance = float(np.trace(shares)), float(rows @ columns)
    if by_chance >= 1:
        return None
    kappa = (agreed - by_chance) / (1 - by_chance)
    diagonal = np.diag(shares) @ (1 - (rows + columns) * (1 - kappa)) ** 2
    spread = shares * (columns[:, None] + rows[None, :]) ** 2
    off = (1 - kappa) ** 2 * (spread.sum() - np.trace(spread))
    middle = (kappa - by_chance * (1 - kappa)) ** 2
    variance = float(diagonal + off - middle) / ((1 - by_chance) ** 2 * n)
    return kappa, float(max(variance, 0.0)) ** 0.5 if variance > 1e-15 else 0.0
