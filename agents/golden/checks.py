"""Judging an outcome by the checks of a test, of whatever kind. Pure.

A check is stored as `{"kind": …, …}` with the fields of its kind; `KINDS` holds the kinds.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from agents.golden import answer_checks, call_checks, judged_checks, run_checks
from agents.golden.judgements import Check
from agents.golden.kinds import REGISTRY, CheckKind, Code, Field, FieldKind, Group
from agents.golden.outcome import Outcome

__all__ = [
    "KINDS", "CheckKind", "CheckResult", "Code", "Field", "FieldKind", "Group", "check_title",
    "has_passed", "judge_outcome", "records_asked",
]  # fmt: skip

# Imported, they have registered their kinds.
MODULES = (call_checks, answer_checks, run_checks, judged_checks)
KINDS: dict[str, CheckKind] = {
    kind.name: kind for group in Group for kind in REGISTRY.values() if kind.group is group
}


@dataclass(frozen=True)
class CheckResult:
    """What one check found in one outcome.

    Attributes:
        kind: Name of its kind.
        title: What it demands, in words.
        passed: None where only a judge can say, and has not.
        found: What was found, in words.
    """

    kind: str
    title: str
    passed: bool | None
    found: str

    def to_json(self) -> dict[str, Any]:
        """Return the form that is stored in `EvalResult.checks`."""
        return asdict(self)


def judge_outcome(checks: Sequence[Check], outcome: Outcome) -> tuple[CheckResult, ...]:
    """Return what each check found, in their order."""
    results = []
    for check in checks:
        passed, found = KINDS[check["kind"]].judge(check, outcome)
        results.append(CheckResult(check["kind"], check_title(check), passed, found))
    return tuple(results)


def has_passed(results: Sequence[CheckResult]) -> bool:
    """Say whether no check failed; what only a judge can say is counted later."""
    return all(result.passed is not False for result in results)


def check_title(check: Check) -> str:
    """Return what a check demands, such as "calls cancel_order with order_id #A1"."""
    return "".join(KINDS[check["kind"]].title(check))


def records_asked(checks: Sequence[Check]) -> set[tuple[str, str]]:
    """Return kind and key of the records that the checks look at."""
    return {(check["record"], check["key"]) for check in checks if check["kind"] == "final_state"}
