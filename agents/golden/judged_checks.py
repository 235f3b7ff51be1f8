"""Checks that a judge decides, after the exact ones. Pure."""

from agents.golden.judgements import Check, Found
from agents.golden.kinds import Field, FieldKind, Group, check_kind
from agents.golden.outcome import Outcome


@check_kind(
    label="satisfies a judge's rubric",
    group=Group.JUDGED,
    title="satisfies the judge {judge}",
    fields=(
        Field(
            "judge",
            "Judge",
            FieldKind.JUDGE,
            "What it says counts only where it is trusted; elsewhere it is advisory.",
        ),
    ),
)
def judge_rubric(check: Check, outcome: Outcome) -> Found:
    """Pass if a judge, measured against people and believed, says that its rubric is met.

    It is asked when the exact checks are done; the eval run waits for its answer. The answer of a
    judge that is not believed is shown as advisory and counts neither way, and so does one that
    failed. A result of which nothing else was judged then counts as not judged.
    """
    return None, f"not judged yet by {check['judge']}"
