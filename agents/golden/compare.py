"""Any two eval runs side by side: which tests moved, and how sure the difference is."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

import numpy as np

from agents.gate import stats
from agents.models import EvalResult, EvalRun, GoldenTest
from agents.releases.proof import Move, move_of

# Of one side: the interval holds the true difference in 95 of 100 comparisons.
LEVEL = 0.025
MOVED = (Move.BROKEN, Move.WORSE, Move.BETTER, Move.FLAKY)
_STATUS = EvalResult.Status


@dataclass(frozen=True)
class Side:
    """One test in one eval run.

    Attributes:
        letters: One per repeat: g passed, f failed, e infrastructure error, u not judged, p not
            run.
        cost_usd: Mean of its repeats; None is unknown.
        working_ms: Likewise.
        passed_id: A session in which it passed; None where there is none.
        failed_id: Likewise, failed.
    """

    test_hash: str
    letters: tuple[str, ...]
    cost_usd: float | None
    working_ms: float | None
    passed_id: UUID | None
    failed_id: UUID | None

    @property
    def num_passed(self) -> int:
        """Return the repeats that passed."""
        return self.letters.count("g")

    @property
    def num_judged(self) -> int:
        """Return the repeats that passed or failed."""
        return self.num_passed + self.letters.count("f")

    @property
    def share(self) -> float:
        """Return the share that passed; at least one must be judged."""
        return self.num_passed / self.num_judged


@dataclass(frozen=True)
class TestPair:
    """A test in both eval runs, or in one of them.

    Attributes:
        before: In the first eval run; None where it was not in it. Likewise `now`.
        move: `new` where it was not judged, with this content, in both.
        is_set_aside: In quarantine when one of the two began: it counts in no rate.
    """

    __test__ = False

    pk: int
    slug: str
    title: str
    suite: str
    tags: tuple[str, ...]
    is_critical: bool
    before: Side | None
    now: Side | None
    move: Move
    is_set_aside: bool

    @property
    def is_compared(self) -> bool:
        """Say whether it counts: judged in both with the same content, and not set aside."""
        return self.move is not Move.NEW and not self.is_set_aside

    @property
    def why_new(self) -> str:
        """Return why it cannot be compared; empty where it can."""
        if self.move is not Move.NEW:
            return ""
        if self.before is None or self.now is None:
            return "only in the first" if self.now is None else "only in the second"
        if self.before.test_hash != self.now.test_hash:
            return "edited in between"
        return f"no verdict in {_without_verdict(self.before, self.now)}"

    @property
    def sessions(self) -> tuple[UUID, UUID] | None:
        """Return a session of each that show the difference; None where one has none."""
        if self.before is None or self.now is None:
            return None
        is_better = self.move is Move.BETTER
        first = _session(self.before, wants_passed=not is_better)
        second = _session(self.now, wants_passed=is_better)
        return (first, second) if first and second else None


@dataclass(frozen=True)
class Part:
    """What tests have come to together: all of them, a suite or a tag.

    Attributes:
        by: `all`, `suite` or `tag`.
        before: Mean share of passed repeats over its tests, each with the same weight.
        low: Of the 95 % interval of the difference, a share; None where two tests or more are
            lacking. Likewise `high`.
    """

    by: str
    name: str
    num_tests: int
    moves: Mapping[Move, int]
    before: float
    now: float
    low: float | None
    high: float | None

    @property
    def diff(self) -> float:
        """Return the second's share minus the first's."""
        return self.now - self.before


@dataclass(frozen=True)
class Totals:
    """What one eval run took: a run, on average over the tests in both; None is unknown."""

    cost_usd: Decimal | None
    working_ms: float | None


@dataclass(frozen=True)
class Comparison:
    """Two eval runs side by side.

    Attributes:
        tests: What broke first.
        whole: All tests that count; None where none does.
        parts: Suites, then tags, of two tests or more; the worst first.
        before_took: What the first took; likewise `now_took`.
    """

    before: EvalRun
    now: EvalRun
    tests: tuple[TestPair, ...]
    whole: Part | None
    parts: tuple[Part, ...]
    before_took: Totals
    now_took: Totals

    @property
    def num_set_aside(self) -> int:
        """Return how many tests are in quarantine."""
        return sum(test.is_set_aside for test in self.tests)

    @property
    def num_new(self) -> int:
        """Return how many tests cannot be compared, quarantine apart."""
        return sum(test.move is Move.NEW and not test.is_set_aside for test in self.tests)


_ORDER = (*MOVED, Move.NEW, Move.SAME)


def compare_runs(*, before: EvalRun, now: EvalRun) -> Comparison:
    """Compare two eval runs of an agent, test by test. One query.

    Confirming re-runs beyond the planned repeats don't count. Rates give each test the same
    weight, and their difference has the interval of the gate, by a bootstrap over tests.
    """
    rows = (
        EvalResult.objects.filter(eval_run__in=[before.pk, now.pk])
        .select_related("test", "run")
        .only(
            "eval_run_id", "test_hash", "repeat", "status", "cost_usd", "working_ms",
            "run__session_id", "test__slug", "test__title", "test__suite", "test__tags",
            "test__is_critical",
        )
        .order_by("test_id", "repeat")
    )  # fmt: skip
    by_test: dict[int, list[EvalResult]] = defaultdict(list)
    for row in rows:
        by_test[row.test_id].append(row)
    tests = [_pair(before, now, found) for found in by_test.values()]
    tests.sort(key=lambda test: (_ORDER.index(test.move), test.title.casefold()))
    counted = [test for test in tests if test.is_compared]
    return Comparison(
        before=before,
        now=now,
        tests=tuple(tests),
        whole=_part("all", "all tests", counted) if counted else None,
        parts=tuple(_parts(counted)),
        before_took=_totals([test.before for test in counted]),
        now_took=_totals([test.now for test in counted]),
    )


def _pair(before: EvalRun, now: EvalRun, rows: Sequence[EvalResult]) -> TestPair:
    test = rows[0].test
    first, second = (_side(eval_run, test, rows) for eval_run in (before, now))
    is_same = first is not None and second is not None and first.test_hash == second.test_hash
    return TestPair(
        pk=test.pk,
        slug=test.slug,
        title=test.title,
        suite=test.suite,
        tags=tuple(test.tags),
        is_critical=test.is_critical,
        before=first,
        now=second,
        move=move_of(
            now=(second.num_passed, second.num_judged),
            before=(first.num_passed, first.num_judged),
        )
        if first and second and is_same
        else Move.NEW,
        is_set_aside=any(test.slug in run.options.get("quarantined", ()) for run in (before, now)),
    )


def _side(eval_run: EvalRun, test: GoldenTest, rows: Sequence[EvalResult]) -> Side | None:
    planned = eval_run.options.get("critical", {}).get(test.slug, eval_run.num_repeats)
    own = [row for row in rows if row.eval_run_id == eval_run.pk and row.repeat <= planned]
    if not own:
        return None
    letters = {
        _STATUS.PASSED: "g", _STATUS.FAILED: "f", _STATUS.INFRA_ERROR: "e",
        _STATUS.NOT_JUDGED: "u", _STATUS.PENDING: "p",
    }  # fmt: skip
    return Side(
        test_hash=own[0].test_hash,
        letters=tuple(letters[_STATUS(row.status)] for row in own),
        cost_usd=_mean(float(row.cost_usd) for row in own if row.cost_usd is not None),
        working_ms=_mean(row.working_ms for row in own if row.working_ms is not None),
        passed_id=_first(own, _STATUS.PASSED),
        failed_id=_first(own, _STATUS.FAILED),
    )


def _without_verdict(before: Side, now: Side) -> str:
    """Return which side has no verdict, and why: "the second (infrastructure error)"."""
    lost = [
        (name, side)
        for name, side in (("the first", before), ("the second", now))
        if not side.num_judged
    ]
    words = {"e": "infrastructure error", "u": "not judged", "p": "not run"}
    letters = dict.fromkeys(letter for _, side in lost for letter in side.letters)
    where = "both" if len(lost) > 1 else lost[0][0]
    return f"{where} ({', '.join(words[letter] for letter in letters)})"


def _parts(tests: Sequence[TestPair]) -> list[Part]:
    found: dict[tuple[str, str], list[TestPair]] = defaultdict(list)
    for test in tests:
        found["suite", test.suite].append(test)
        for tag in test.tags:
            found["tag", tag].append(test)
    parts = [_part(by, name, own) for (by, name), own in found.items() if len(own) > 1]
    return sorted(parts, key=lambda part: (part.by, part.diff, part.name))


def _part(by: str, name: str, tests: Sequence[TestPair]) -> Part:
    pairs = [(test.before, test.now) for test in tests if test.before and test.now]
    low = high = None
    if len(pairs) > 1:
        judged = sum(before.num_judged + now.num_judged for before, now in pairs)
        diffs = np.array([now.share - before.share for before, now in pairs])
        found = stats.compare(diffs, repeats=judged / (2 * len(pairs)), level=LEVEL, seed=0)
        low, high = float(found.low), float(found.high)
    return Part(
        by=by,
        name=name,
        num_tests=len(pairs),
        moves=Counter(test.move for test in tests),
        before=sum(before.share for before, _ in pairs) / len(pairs),
        now=sum(now.share for _, now in pairs) / len(pairs),
        low=low,
        high=high,
    )


def _totals(sides: Iterable[Side | None]) -> Totals:
    known = [side for side in sides if side]
    cost = _mean(side.cost_usd for side in known if side.cost_usd is not None)
    return Totals(
        cost_usd=None if cost is None else Decimal(str(round(cost, 8))),
        working_ms=_mean(side.working_ms for side in known if side.working_ms is not None),
    )


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return sum(found) / len(found) if found else None


def _first(rows: Sequence[EvalResult], status: EvalResult.Status) -> UUID | None:
    return next((row.run.session_id for row in rows if row.status == status and row.run), None)


def _session(side: Side, *, wants_passed: bool) -> UUID | None:
    if wants_passed:
        return side.passed_id or side.failed_id
    return side.failed_id or side.passed_id
