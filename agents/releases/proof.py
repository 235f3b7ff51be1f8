"""Which golden tests a version moves, against the last eval run of another one."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import Count, Q

from agents.models import EvalResult, EvalRun, Version


class Move(StrEnum):
    """What a version does to a test; the value is the word for people."""

    BROKEN = "broken"
    WORSE = "worse"
    BETTER = "better"
    FLAKY = "flaky"
    SAME = "same"
    NEW = "new"


@dataclass(frozen=True)
class TestCounts:
    """The repeats of one test in one eval run.

    Attributes:
        test_hash: The test's content as it was run.
        num_errors: Repeats that say nothing, because the infrastructure failed.
        num_not_judged: Repeats that say nothing, because nothing decided them.
    """

    pk: int
    slug: str
    title: str
    severity: str
    test_hash: str
    num_passed: int
    num_failed: int
    num_errors: int
    num_pending: int
    num_not_judged: int = 0

    @property
    def num_repeats(self) -> int:
        """Return all repeats, also those that say nothing (yet)."""
        return self.num_judged + self.num_errors + self.num_not_judged + self.num_pending

    @property
    def num_judged(self) -> int:
        """Return the repeats that passed or failed."""
        return self.num_passed + self.num_failed


@dataclass(frozen=True)
class TestMove:
    """A test now and before; `before` is None where the same test was not judged."""

    move: Move
    now: TestCounts
    before: TestCounts | None

    @property
    def is_failing(self) -> bool:
        """Say whether a repeat failed."""
        return self.now.num_failed > 0


_ORDER = (Move.BROKEN, Move.WORSE, Move.BETTER, Move.FLAKY, Move.NEW, Move.SAME)


def last_finished(version: Version) -> EvalRun | None:
    """Return the version's newest eval run of all tests that came to an end by its results."""
    done = (EvalRun.Status.PASSED, EvalRun.Status.FAILED, EvalRun.Status.INCONCLUSIVE)
    runs = version.eval_runs.filter(status__in=done, is_partial=False)
    return runs.order_by("-created_at", "-pk").first()


def moved_tests(now: EvalRun, before: EvalRun | None) -> tuple[TestMove, ...]:
    """Compare two eval runs test by test, what got worse first. One query."""
    counts = _counts([now.pk, before.pk if before else None])
    old = {test.slug: test for run_id, test in counts if before and run_id == before.pk}
    return compare((test for run_id, test in counts if run_id == now.pk), old)


def compare(now: Iterable[TestCounts], before: dict[str, TestCounts]) -> tuple[TestMove, ...]:
    """Compare tests by slug; a test with other content, or not judged before, is new."""
    moves = []
    for test in now:
        old = before.get(test.slug)
        if old is not None and (old.test_hash != test.test_hash or not old.num_judged):
            old = None
        moves.append(TestMove(_move(test, old), test, old))
    return tuple(sorted(moves, key=lambda move: (_ORDER.index(move.move), move.now.slug)))


def move_of(*, now: tuple[int, int], before: tuple[int, int] | None) -> Move:
    """Return what moved, from repeats that passed and repeats that were judged.

    A test that passes only at times on both sides is flaky: which way it went says little.
    """
    if before is None or not before[1] or not now[1]:
        return Move.NEW
    share, share_before = now[0] / now[1], before[0] / before[1]
    if 0 < share < 1 and 0 < share_before < 1:
        return Move.FLAKY
    if share_before == 1 and share == 0:
        return Move.BROKEN
    if share == share_before:
        return Move.SAME
    return Move.BETTER if share > share_before else Move.WORSE


def _move(now: TestCounts, before: TestCounts | None) -> Move:
    return move_of(
        now=(now.num_passed, now.num_judged),
        before=(before.num_passed, before.num_judged) if before else None,
    )


def _counts(run_ids: Iterable[int | None]) -> list[tuple[int, TestCounts]]:
    status = EvalResult.Status
    rows = (
        EvalResult.objects.filter(eval_run__in=[pk for pk in run_ids if pk is not None])
        .values(
            "eval_run_id", "test_id", "test__slug", "test__title", "test__severity", "test_hash"
        )
        .annotate(
            num_passed=Count("pk", filter=Q(status=status.PASSED)),
            num_failed=Count("pk", filter=Q(status=status.FAILED)),
            num_errors=Count("pk", filter=Q(status=status.INFRA_ERROR)),
            num_not_judged=Count("pk", filter=Q(status=status.NOT_JUDGED)),
            num_pending=Count("pk", filter=Q(status=status.PENDING)),
        )
        .order_by("test__slug")
    )
    return [
        (
            row["eval_run_id"],
            TestCounts(
                pk=row["test_id"],
                slug=row["test__slug"],
                title=row["test__title"],
                severity=row["test__severity"],
                test_hash=row["test_hash"],
                num_passed=row["num_passed"],
                num_failed=row["num_failed"],
                num_errors=row["num_errors"],
                num_pending=row["num_pending"],
                num_not_judged=row["num_not_judged"],
            ),
        )
        for row in rows
    ]
