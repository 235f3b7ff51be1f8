"""Rates from few labels and many judgements: prediction-powered inference. Pure.

What a judge says of many sessions is corrected by how wrong it was where people have labelled. The
estimate is unbiased whatever the judge is worth, as long as the labelled sessions are a random part
of the judged ones; a better judge makes the interval narrower, never the estimate truer.

Source: Angelopoulos, Bates, Fannjiang, Jordan, Zrnic (2023), Prediction-powered inference, Science
382; the weight of the judgements after Angelopoulos, Duchi, Zrnic (2023), PPI++, arXiv 2311.01453,
example 6.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from agents.judges.measures import LEVEL, confusion_of

FEWEST_LABELS = 30
FEWEST_OF_EACH = 5


@dataclass(frozen=True)
class CorrectedRate:
    """A share of sessions that pass, or why there is none.

    Attributes:
        value: 0 to 1; None where it is refused.
        interval: 95 %.
        weight: How much the judgements count, 0 to 1; at 0 the labels alone speak.
        num_labelled: Sessions with both a label and a judgement.
        num_judged: Sessions with a judgement alone.
        raw: The share that the judge passes, uncorrected, over all it judged.
        refused: Why there is no value; empty where there is one.
    """

    value: float | None
    interval: tuple[float, float] | None
    weight: float
    num_labelled: int
    num_judged: int
    raw: float | None
    refused: str = ""


def corrected_rate(
    labelled: Sequence[tuple[bool, bool]], unlabelled: Sequence[bool]
) -> CorrectedRate:
    """Return the share of passing sessions.

    Args:
        labelled: (people pass, judge passes), one per session.
        unlabelled: What the judge says of sessions without a label.
    """
    judged = [*(judge for _, judge in labelled), *unlabelled]
    raw = sum(judged) / len(judged) if judged else None
    if refused := _reason_to_refuse(labelled, unlabelled):
        return CorrectedRate(None, None, 0.0, len(labelled), len(unlabelled), raw, refused)
    truth = np.array([float(human) for human, _ in labelled])
    guess = np.array([float(judge) for _, judge in labelled])
    others = np.array([float(judge) for judge in unlabelled])
    weight = _weight(truth, guess, others)
    value = float(weight * others.mean() + (truth - weight * guess).mean())
    spread = (truth - weight * guess).var(ddof=1) / len(truth)
    spread += weight**2 * others.var(ddof=1) / len(others)
    reach = float(special.ndtri(0.5 + LEVEL / 2)) * float(spread) ** 0.5
    interval = (max(0.0, value - reach), min(1.0, value + reach))
    value = min(1.0, max(0.0, value))
    return CorrectedRate(value, interval, weight, len(labelled), len(unlabelled), raw)


def _weight(
    truth: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]",
    guess: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]",
    others: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]",
) -> float:
    """Return the weight that makes the variance least, held between 0 and 1."""
    variance = float(np.concatenate([guess, others]).var(ddof=1))
    if variance == 0:
        return 0.0
    together = float(np.cov(truth, guess, ddof=1)[0, 1])
    best = together / ((1 + len(truth) / len(others)) * variance)
    return min(1.0, max(0.0, best))


def _reason_to_refuse(labelled: Sequence[tuple[bool, bool]], unlabelled: Sequence[bool]) -> str:
    if len(labelled) < FEWEST_LABELS:
        return (
            f"{len(labelled)} sessions have both a label and a judgement; it takes "
            f"{FEWEST_LABELS}. Label more of what was judged."
        )
    num_passed = sum(human for human, _ in labelled)
    fewest = min(num_passed, len(labelled) - num_passed)
    if fewest < FEWEST_OF_EACH:
        return (
            f"Of the labelled sessions {fewest} are of the rarer kind; it takes {FEWEST_OF_EACH} "
            "that pass and as many that fail."
        )
    table = confusion_of(labelled)
    if not table.is_informative:
        return (
            "The judge carries no information here: what it says does not depend on what people "
            f"say (Fisher's exact test, p = {table.p_of_no_information:.3f}). Its verdicts would "
            "add nothing but the look of precision."
        )
    if len(unlabelled) < FEWEST_LABELS:
        return (
            f"{len(unlabelled)} sessions were judged without a label; it takes {FEWEST_LABELS} "
            "for them to add anything to the labels."
        )
    return ""
