"""What a gate is decided on: the repeats of each golden test under both versions. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from agents.gate.stats import Floats


@dataclass(frozen=True)
class Repeats:
    """One version's repeats of one test.

    Attributes:
        num_passed: Of `num_judged`; repeats without a verdict are not among them.
        num_infra: Repeats that the infrastructure failed.
        num_not_judged: Whole ones that neither a check nor a judge that is trusted decided.
        num_reruns: Further runs, made to confirm a hard finding; they move no rate.
        num_advisory: Verdicts of judges that are not trusted; they do not count.
        costs_usd: One per run whose cost is known.
        latencies_ms: Time worked, one per run for which it is known.
        hard: `(gate, found)` for each run and hard gate broken in it.
    """

    num_passed: int = 0
    num_judged: int = 0
    num_infra: int = 0
    num_reruns: int = 0
    num_advisory: int = 0
    costs_usd: tuple[float, ...] = ()
    latencies_ms: tuple[float, ...] = ()
    hard: tuple[tuple[str, str], ...] = ()
    num_not_judged: int = 0

    @property
    def num_runs(self) -> int:
        """Return the runs that have ended, confirming re-runs too."""
        return self.num_judged + self.num_infra + self.num_not_judged + self.num_reruns

    @property
    def share(self) -> float:
        """Return the share that passed; at least one must be judged."""
        return self.num_passed / self.num_judged


@dataclass(frozen=True)
class TestEvidence:
    """One golden test under both versions.

    Attributes:
        key: Its slug, or the task's id in a file.
        intent: What its customer comes for, as intents were called when the gate began; or "".
        language: Of its customer, in words; empty where it cannot be told.
        was_rerun: The candidate was run on it once more, to confirm a hard finding.
    """

    __test__ = False

    key: str
    title: str
    before: Repeats
    now: Repeats
    suite: str = ""
    tags: tuple[str, ...] = ()
    severity: str = ""
    intent: str = ""
    language: str = ""
    is_critical: bool = False
    is_quarantined: bool = False
    was_rerun: bool = False

    @property
    def is_compared(self) -> bool:
        """Say whether both versions were judged on it."""
        return self.before.num_judged > 0 and self.now.num_judged > 0

    @property
    def diff(self) -> float:
        """Return candidate minus baseline, a share; both must be judged."""
        return self.now.share - self.before.share


@dataclass(frozen=True)
class Evidence:
    """Everything that one look decides on.

    Attributes:
        baseline: Its name, "v14"; likewise `candidate`.
        looks: Repeats at each look that there may be.
        look: Which it is, 1 is the first.
        policy: "defaults" or "rules 3".
    """

    baseline: str
    candidate: str
    tests: tuple[TestEvidence, ...]
    looks: tuple[int, ...]
    look: int = 1
    seed: int = 0
    policy: str = "defaults"
    counted: tuple[TestEvidence, ...] = field(init=False)
    compared: tuple[TestEvidence, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Sort out what counts and what can be compared."""
        counted = tuple(test for test in self.tests if not test.is_quarantined)
        object.__setattr__(self, "counted", counted)
        object.__setattr__(self, "compared", tuple(test for test in counted if test.is_compared))

    @property
    def num_repeats(self) -> int:
        """Return the repeats that this look asks for."""
        return self.looks[self.look - 1]

    @property
    def next_repeats(self) -> int | None:
        """Return what the next look asks for; None at the last."""
        return self.looks[self.look] if self.look < len(self.looks) else None

    @property
    def infra_share(self) -> float:
        """Return the share of runs that the infrastructure failed, over both versions."""
        return self._share([arm.num_infra for arm in self._arms])

    @property
    def not_judged_share(self) -> float:
        """Return the share of runs that nothing decided, over both versions."""
        return self._share([arm.num_not_judged for arm in self._arms])

    @property
    def _arms(self) -> list[Repeats]:
        return [arm for test in self.counted for arm in (test.before, test.now)]

    def _share(self, numbers: Sequence[int]) -> float:
        num_runs = sum(arm.num_runs for arm in self._arms)
        return sum(numbers) / num_runs if num_runs else 0.0


def diffs_of(tests: Sequence[TestEvidence]) -> Floats:
    """Return one difference per test."""
    return np.array([test.diff for test in tests], dtype=float)


def mean_repeats(tests: Sequence[TestEvidence]) -> float:
    """Return the mean number of judged repeats of a test and version; at least one test."""
    return sum(test.before.num_judged + test.now.num_judged for test in tests) / (2 * len(tests))
