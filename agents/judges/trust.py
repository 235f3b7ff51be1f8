"""Whether a judge is believed: only where it was measured against people, slice by slice."""

from dataclasses import dataclass

from agents.judges.calibration import ALL, EXPECTATIONS, Calibration, calibrate
from agents.judges.measures import Confusion, Rate
from agents.models import JudgeVersion

FLOOR = 0.8
"""What the lower bounds of both rates must exceed (design, "Evaluation")."""


@dataclass(frozen=True)
class Trust:
    """Whether a version may gate in a slice; otherwise what it says is advisory.

    Attributes:
        tpr: Of what people pass, how much it passes.
        tnr: Of what people fail, how much it fails.
        n_pos: Sessions that people pass.
        n_neg: Sessions that people fail.
        why: A sentence.
    """

    is_trusted: bool
    tpr: Rate
    tnr: Rate
    n_pos: int
    n_neg: int
    why: str


def trust_of(version: JudgeVersion, slice: str = ALL) -> Trust:
    """Return whether `version` is believed in a slice. Two queries.

    Args:
        version: With its judge.
        slice: Empty for all sessions, `agent:<slug>`, `version:…`, `source:…`, `cause:…`, or
            `expectations` for what it says about expectations of golden tests.
    """
    return trust_in(version, calibrate(version), slice)


def trust_in(version: JudgeVersion, calibration: Calibration, slice: str = ALL) -> Trust:
    """Return whether `version` is believed in a slice of this calibration."""
    table = calibration.confusion(slice)
    why = _reason_against(version, table, slice)
    if why and calibration.num_own:
        why += f" {_own(calibration.num_own)} by its author alone, whose labels do not count."
    return Trust(
        is_trusted=not why,
        tpr=table.tpr,
        tnr=table.tnr,
        n_pos=table.tpr.n,
        n_neg=table.tnr.n,
        why=why or _in_favour(table, slice),
    )


def slice_of_result(*, agent_slug: str, subject: str) -> str:
    """Return the slice in which a judgement of an eval result has to be trusted."""
    return EXPECTATIONS if subject else f"agent:{agent_slug}"


def slice_words(slice: str) -> str:
    """Return where a slice is, for a sentence: "everywhere", "on version v3"."""
    if slice == ALL:
        return "on all sessions"
    if slice == EXPECTATIONS:
        return "on expectations of golden tests"
    dimension, _, name = slice.partition(":")
    return f"on {dimension} {name or 'without a name'}"


def _own(number: int) -> str:
    return "1 judged session is labelled" if number == 1 else f"{number} judged ones are labelled"


def _reason_against(version: JudgeVersion, table: Confusion, slice: str) -> str:
    where = slice_words(slice)
    if not version.judge.question:
        return "People have no question like this judge's, so nothing measures it."
    if version.judge.archived_at:
        return "The judge is archived."
    for rate, what in ((table.tpr, "passed"), (table.tnr, "failed")):
        if rate.low is None:
            return f"Nothing that people {what} was judged {where}."
    for rate, name in ((table.tpr, "TPR"), (table.tnr, "TNR")):
        if rate.low is not None and rate.low <= FLOOR:
            return (
                f"Its {name} {where} is {rate.num} of {rate.n}: surely over {rate.low:.2f} only, "
                f"and it takes more than {FLOOR:g}."
            )
    return ""


def _in_favour(table: Confusion, slice: str) -> str:
    return (
        f"Measured {slice_words(slice)} against people: TPR {table.tpr.num} of {table.tpr.n}, "
        f"TNR {table.tnr.num} of {table.tnr.n}, both surely over {FLOOR:g}."
    )
