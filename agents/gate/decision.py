"""What the gate decided, in the form that is stored and shown. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """What came out; the value is the word for people."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    VOID = "void"


@dataclass(frozen=True)
class Arm:
    """One of the two versions, over all counted tests.

    Attributes:
        name: As people call it: "v15", or a file's name.
        rate: Mean over tests of each test's share of passed repeats, 0-1; None without any.
        num_infra: Runs that the infrastructure failed.
        num_not_judged: Runs that neither a check nor a judge that is trusted decided.
        num_runs: Runs begun and ended, also those that say nothing.
        cost_usd: Mean per run; None is unknown.
        total_cost_usd: Of all runs whose cost is known; None where none is.
        latency_ms: Mean time worked per run; None is unknown.
    """

    name: str
    rate: float | None
    num_passed: int
    num_judged: int
    num_infra: int
    num_runs: int
    cost_usd: float | None = None
    total_cost_usd: float | None = None
    latency_ms: float | None = None
    num_not_judged: int = 0


@dataclass(frozen=True)
class MovedTest:
    """A test that answers otherwise than before.

    Attributes:
        key: Its slug, or the task's id in a file.
        move: broken (all passed, now none does), worse, better, fixed (none passed, now all do).
        p_value: Chance of a gap like this if both were the same (Fisher's exact test, two-sided).
    """

    key: str
    title: str
    suite: str
    move: str
    before_passed: int
    before_judged: int
    now_passed: int
    now_judged: int
    p_value: float
    is_critical: bool = False


@dataclass(frozen=True)
class Slice:
    """The tests of one suite, severity, intent or language, or with one tag.

    Attributes:
        by: One of `agents.gate.config.SLICES`.
        diff: Of the pass rate, a share; `low` and `high` are its interval.
        p_value: That it is no worse, corrected for all parts looked at (Holm).
        is_worse: Surely worse, by more than the margin: this fails the gate.
    """

    by: str
    name: str
    num_tests: int
    diff: float
    low: float
    high: float
    p_value: float
    is_worse: bool


@dataclass(frozen=True)
class HardFinding:
    """Something that must never happen, seen in the candidate's runs of one test.

    Attributes:
        gate: A key of `agents.gate.config.HARD_GATES`.
        found: In words, as first seen.
        num_seen: Runs of the test in which it was seen, of `num_runs`.
        num_seen_before: Likewise in the baseline's runs.
        is_confirmed: Seen in a second run of the same test; only then it fails the gate.
    """

    gate: str
    key: str
    title: str
    found: str
    num_seen: int
    num_runs: int
    num_seen_before: int
    is_confirmed: bool


@dataclass(frozen=True)
class CriticalTest:
    """A test whose every repeat must pass; `before_*` are the baseline's."""

    key: str
    title: str
    num_passed: int
    num_judged: int
    num_needed: int
    before_passed: int
    before_judged: int
    has_passed: bool

    @property
    def fails_before(self) -> bool:
        """Say whether the baseline fails it, too: the candidate did not break it, yet must pass."""
        return self.before_passed < self.before_judged


@dataclass(frozen=True)
class Ceiling:
    """A limit to cost or time.

    Attributes:
        what: `cost` or `latency`.
        is_ratio: Whether `value` is a multiple of the baseline's, else US dollars or seconds.
        value: Of the candidate; None is unknown. `low` and `high` are its interval.
        state: `under`, `over` (surely), `unsure` or `unknown`.
    """

    what: str
    is_ratio: bool
    limit: float
    value: float | None
    low: float | None
    high: float | None
    state: str


_LISTS: dict[str, type] = {
    "moved": MovedTest,
    "slices": Slice,
    "hard": HardFinding,
    "critical": CriticalTest,
    "ceilings": Ceiling,
}


@dataclass(frozen=True)
class Decision:
    """One look's outcome and everything that a result page shows of it.

    Rates and differences are shares: -0.05 is a drop of five points.

    Attributes:
        sentence: What was decided and why, one sentence.
        why: Further reasons, a sentence each, the weightiest first.
        diff: Candidate minus baseline; None where nothing could be compared.
        low: Of the interval, which keeps its confidence over all looks.
        confidence: Of the interval, for instance 0.95.
        num_tests: Compared on both sides.
        num_repeats: Of each test; of critical ones it may be more.
        look: 1 is the first of `num_looks`.
        next_repeats: To which the repeats may still be raised; None: nothing is left to add.
        could_see: The least drop that would have been seen at this look in four of five cases.
        infra_share: Of all runs, those that the infrastructure failed.
        not_judged_share: Of all runs, those that nothing decided.
        num_flaky: Tests that pass at times, on both sides.
        num_left_out: Tests that only one side has judged.
        num_quarantined: Tests in quarantine, which do not count.
        num_advisory: Verdicts of judges not trusted, which do not count.
        policy: "defaults" or "rules 3".
    """

    outcome: Outcome
    sentence: str
    why: tuple[str, ...]
    baseline: Arm
    candidate: Arm
    diff: float | None
    low: float | None
    high: float | None
    margin: float
    confidence: float
    num_tests: int
    num_repeats: int
    look: int
    num_looks: int
    next_repeats: int | None
    could_see: float | None
    moved: tuple[MovedTest, ...]
    slices: tuple[Slice, ...]
    hard: tuple[HardFinding, ...]
    critical: tuple[CriticalTest, ...]
    ceilings: tuple[Ceiling, ...]
    infra_share: float
    num_flaky: int
    num_left_out: int
    num_quarantined: int
    num_advisory: int
    policy: str
    seed: int
    not_judged_share: float = 0.0

    @property
    def lost_share(self) -> float:
        """Return the share of all runs that have no verdict: with too many the gate is void."""
        return self.infra_share + self.not_judged_share

    @property
    def num_lost(self) -> tuple[int, int]:
        """Return the runs that the infrastructure failed, and those that nothing decided."""
        arms = (self.baseline, self.candidate)
        return sum(arm.num_infra for arm in arms), sum(arm.num_not_judged for arm in arms)

    @property
    def is_final(self) -> bool:
        """Say whether no further repeat would be added."""
        return self.outcome is not Outcome.INCONCLUSIVE or self.next_repeats is None

    @property
    def broken(self) -> tuple[MovedTest, ...]:
        """Return the tests that passed every time before and do not pass once now."""
        return tuple(test for test in self.moved if test.move == "broken")

    def num_moved(self, *moves: str) -> int:
        """Return how many tests made one of these moves."""
        return sum(test.move in moves for test in self.moved)

    def to_json(self) -> dict[str, Any]:
        """Return the form that is stored in `Gate.result`."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Decision":
        """Return the decision that `to_json` wrote."""
        known = {field.name for field in fields(cls)}
        values: dict[str, Any] = {key: value for key, value in data.items() if key in known}
        values["outcome"] = Outcome(data["outcome"])
        values["why"] = tuple(data["why"])
        values["baseline"] = Arm(**data["baseline"])
        values["candidate"] = Arm(**data["candidate"])
        for name, kind in _LISTS.items():
            values[name] = tuple(kind(**row) for row in data[name])
        return cls(**values)
