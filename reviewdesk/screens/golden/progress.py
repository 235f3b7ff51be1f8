"""One eval run, read from the database: how far it is, and its results test by test."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Q, Sum

from agents.golden.runner import is_evidence_valid
from agents.models import EvalResult, EvalRun, Run
from agents.tools.autonomy import database_now
from reviewdesk.screens.golden.board import Cell, cell_of
from reviewdesk.screens.golden.sentence import Sentence, Tally, run_sentence, tally
from traces.models import Session

_ORDER = {"f": 0, "e": 1, "p": 2, "g": 3}


@dataclass(frozen=True)
class Repeat:
    """One result with the session to read it in (None: not started or deleted)."""

    result: EvalResult
    session_id: uuid.UUID | None
    is_running: bool


@dataclass(frozen=True)
class TestResult:
    """A test's repeats in one eval run.

    Attributes:
        found: What failed, or what was in the way, each once.
        recorded_id: The session it was promoted from; None where that was deleted since.
        failed_id: The session of the first repeat that failed; None where none did.
    """

    slug: str
    title: str
    severity: str
    pk: int
    cell: Cell
    repeats: tuple[Repeat, ...]
    found: tuple[str, ...]
    recorded_id: uuid.UUID | None
    failed_id: uuid.UUID | None


@dataclass(frozen=True)
class Progress:
    """An eval run with all that its page shows.

    Attributes:
        num_done: Results that are judged or could not be.
        seconds_left: An estimate from those that are done; None while there is none.
        cost_usd: Of its sessions; None is unknown.
        is_void: The tests were changed since it ended, so that it proves nothing any more.
    """

    eval_run: EvalRun
    tests: tuple[TestResult, ...]
    sentence: Sentence
    counts: Tally
    num_done: int
    num_total: int
    num_infra: int
    seconds_left: int | None
    cost_usd: Decimal | None
    is_void: bool

    @property
    def is_running(self) -> bool:
        """Say whether results are still to come."""
        return self.eval_run.status == EvalRun.Status.RUNNING

    @property
    def percent(self) -> int:
        """Return how much of the plan is done, 0-100."""
        return 100 * self.num_done // self.num_total if self.num_total else 100


def read_progress(eval_run: EvalRun) -> Progress:
    """Return an eval run with its results, failed tests first. Five queries."""
    results = list(
        eval_run.results.select_related("test", "run")
        .defer("test__input", "test__fixtures", "test__checks", "run__input", "run__fixtures")
        .order_by("test__title", "test_id", "repeat")
    )
    by_test: dict[int, list[EvalResult]] = {}
    for result in results:
        by_test.setdefault(result.test_id, []).append(result)
    tests = sorted(map(_test_result, by_test.values()), key=_worst)
    counts = tally(test.cell for test in tests)
    num_done = sum(result.status != EvalResult.Status.PENDING for result in results)
    cost = Session.objects.filter(pk__in=[r.run.session_id for r in results if r.run])
    is_over = eval_run.status in {EvalRun.Status.PASSED, EvalRun.Status.FAILED}
    return Progress(
        eval_run=eval_run,
        tests=tuple(tests),
        sentence=run_sentence(eval_run, counts),
        counts=counts,
        num_done=num_done,
        num_total=len(results),
        num_infra=sum(result.status == EvalResult.Status.INFRA_ERROR for result in results),
        seconds_left=_seconds_left(eval_run, num_done, len(results)),
        cost_usd=cost.aggregate(sum=Sum("cost_usd"))["sum"],
        is_void=is_over and not is_evidence_valid(eval_run),
    )


def seconds_left(started_at: datetime, now: datetime, num_done: int, num_total: int) -> int | None:
    """Return the time left if the rest goes as fast as what is done; None if nothing is."""
    if not num_done:
        return None
    per_result = (now - started_at).total_seconds() / num_done
    return max(0, round(per_result * (num_total - num_done)))


def _seconds_left(eval_run: EvalRun, num_done: int, num_total: int) -> int | None:
    if eval_run.status != EvalRun.Status.RUNNING:
        return None
    return seconds_left(eval_run.created_at, database_now(), num_done, num_total)


def _test_result(results: list[EvalResult]) -> TestResult:
    test = results[0].test
    found = [
        f"{check['title']}: {check['found']}"
        for result in results
        for check in result.checks
        if not check["passed"]
    ]
    failed = [result.run for result in results if result.status == EvalResult.Status.FAILED]
    errors = [result.error for result in results if result.error]
    return TestResult(
        slug=test.slug,
        title=test.title,
        severity=test.severity,
        pk=test.pk,
        cell=cell_of([(r.status, r.test_hash) for r in results], results[0].test_hash),
        repeats=tuple(_repeat(result) for result in results),
        found=tuple(dict.fromkeys([*found, *errors])),
        recorded_id=test.source_session_id,
        failed_id=next((run.session_id for run in failed if run), None),
    )


def _repeat(result: EvalResult) -> Repeat:
    run = result.run
    is_open = result.status == EvalResult.Status.PENDING
    is_running = is_open and run is not None and run.status == Run.Status.RUNNING
    return Repeat(result, run.session_id if run else None, is_running)


def _worst(test: TestResult) -> tuple[int, str]:
    return min(_ORDER[letter] for letter in test.cell.letters), test.title.casefold()


def running_of(agent_id: int) -> list[EvalRun]:
    """Return the agent's eval runs under way, newest first. One query."""
    under_way = Q(status=EvalRun.Status.RUNNING, agent=agent_id)
    return list(EvalRun.objects.filter(under_way).select_related("version").order_by("-pk")[:5])
