"""A difference of pass rates in words, the same on the board, on comparisons and by a gate. Pure.

Two questions are asked of one interval, and a page says which it answers: whether the difference
is told apart from 0, and whether a drop of the margin is ruled out. A gate asks the second one.
"""

from enum import StrEnum

from agents.gate.decision import Decision, Outcome
from agents.gate.sentence import points


class Told(StrEnum):
    """What an interval says of the difference itself."""

    BETTER = "better"
    WORSE = "worse"
    OPEN = "not told apart from 0"


def told_of(low: float, high: float) -> Told:
    """Return whether the interval lies above zero, below it, or holds it."""
    if low > 0:
        return Told.BETTER
    return Told.WORSE if high < 0 else Told.OPEN


def difference_words(diff: float, low: float, high: float) -> str:
    """Return what was found of the difference: "Better by 4.2 points"."""
    told = told_of(low, high)
    if told is Told.OPEN:
        return f"Difference {told}: {points(diff)} points"
    return f"{told.capitalize()} by {points(abs(diff)).lstrip('+')} points"


def margin_words(decision: Decision) -> str:
    """Return what a gate found of the margin, which it decides by; empty where it was not asked.

    A gate may fail, or be inconclusive, for another reason: then this may still hold, and is said.
    """
    low, high = decision.low, decision.high
    if decision.outcome is Outcome.VOID or low is None or high is None:
        return ""
    margin = f"the margin of {100 * decision.margin:g} points"
    if low > -decision.margin:
        return (
            f"worse, but surely by less than {margin}" if high < 0 else f"not worse than {margin}"
        )
    if high < 0:
        return f"worse, perhaps by more than {margin}"
    return f"a drop of {margin} not ruled out"
