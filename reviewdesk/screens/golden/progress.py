"""One eval run, read from the database: how far it is, and its results test by test."""

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Q, QuerySet

from agents.golden.estimate import Estimate, estimate_from_json
from agents.golden.hard import GATES
from agents.golden.runner import is_evidence_valid
from agents.golden.settle import gates_of
from agents.models import EvalResult, EvalRun, Gate, Run
from agents.runtime.claim import num_live_workers
from agents.tools.autonomy import database_now
from reviewdesk.screens.golden.board import Cell, cell_of
from reviewdesk.screens.golden.judging import Judging, read_judging
from reviewdesk.screens.golden.sentence import Sentence, Tally, judges_sentence, run_sentence, tally

_JUDGED = {EvalRun.Status.PASSED, EvalRun.Status.FAILED, EvalRun.Status.INCONCLUSIVE}
_ORDER = {"f": 0, "e": 1, "u": 2, "p": 3, "g": 4}


@dataclass(frozen=True)
class Repeat:
    """One result with the session to read it in (None: not started or deleted).

    Attributes:
        num_asks_failed: Judgements of it that failed, so that they say nothing.
    """

    result: EvalResult
    session_id: uuid.UUID | None
    is_running: bool
    num_asks_failed: int = 0


@dataclass(frozen=True)
class TestResult:
    """A test's repeats in one eval run.

    Attributes:
        found: What failed, or what was in the way, each once.
        hard: Hard gates that it broke, each once: (gate in words, what was found).
        num_missing: Calls for which nothing was recorded, over all repeats.
        version: Number of the test's content that was run; None where that was not kept.
        is_set_aside: In quarantine when the eval run began: shown, not counted.
        recorded_id: The session it was promoted from; None where that was deleted since.
        failed_id: The session of the first repeat that failed; None where none did.
    """

    __test__ = False

    slug: str
    title: str
    severity: str
    pk: int
    cell: Cell
    repeats: tuple[Repeat, ...]
    found: tuple[str, ...]
    hard: tuple[tuple[str, str], ...]
    num_missing: int
    version: int | None
    is_critical: bool
    is_set_aside: bool
    recorded_id: uuid.UUID | None
    failed_id: uuid.UUID | None


@dataclass(frozen=True)
class Progress:
    """An eval run with all that its page shows.

    Attributes:
        tests: Those that count, failed ones first.
        set_aside: Those in quarantine.
        num_done: Results that are judged or could not be.
        infra: What the infrastructure was, and how often, most often first.
        not_judged: Likewise, why results were not judged.
        num_parked: Runs that wait for a person or a stop to be lifted.
        is_stuck: No worker lives that could go on with it.
        seconds_left: An estimate from those that are done; None while there is none.
        cost_usd: Of the agent's calls so far; None is unknown.
        cost_in_all: What that comes to for the whole plan; None is unknown, or it is done.
        expected: What was expected before it began; None where that was not kept.
        gate: The gate that it is part of.
        is_void: The tests were changed since it ended, so that it proves nothing any more.
        judging: How far judges are with its results.
        is_judging: Its runs are done, and it waits for judges alone.
    """

    eval_run: EvalRun
    tests: tuple[TestResult, ...]
    set_aside: tuple[TestResult, ...]
    sentence: Sentence
    counts: Tally
    num_done: int
    num_total: int
    infra: tuple[tuple[str, int], ...]
    not_judged: tuple[tuple[str, int], ...]
    num_parked: int
    is_stuck: bool
    seconds_left: int | None
    cost_usd: Decimal | None
    cost_in_all: Decimal | None
    expected: Estimate | None
    gate: Gate | None
    is_void: bool
    judging: Judging
    is_judging: bool

    @property
    def may_ask_again(self) -> bool:
        """Say whether judges can be asked again about what they failed to judge."""
        is_off = self.eval_run.status in {EvalRun.Status.VOID, EvalRun.Status.CANCELLED}
        return self.judging.num_failed > 0 and not is_off

    @property
    def is_decided(self) -> bool:
        """Say whether a gate has decided on these results, whatever judges say from now on."""
        return self.gate is not None and self.gate.status != Gate.Status.RUNNING

    @property
    def is_running(self) -> bool:
        """Say whether results are still to come."""
        return self.eval_run.status == EvalRun.Status.RUNNING

    @property
    def percent(self) -> int:
        """Return how much of the plan is done, 0-100."""
        return 100 * self.num_done // self.num_total if self.num_total else 100

    @property
    def num_infra(self) -> int:
        """Return the results that say nothing, because the infrastructure failed."""
        return sum(number for _, number in self.infra)

    @property
    def num_not_judged(self) -> int:
        """Return the results that say nothing, because nothing decided them."""
        return sum(number for _, number in self.not_judged)

    @property
    def num_tests(self) -> int:
        """Return how many tests it holds, those in quarantine too."""
        return len(self.tests) + len(self.set_aside)


def read_progress(eval_run: EvalRun) -> Progress:
    """Return an eval run with its results, failed tests first. Ten queries at most."""
    results = list(_results(eval_run))
    by_test: dict[int, list[EvalResult]] = {}
    for result in results:
        by_test.setdefault(result.test_id, []).append(result)
    quarantined = set(eval_run.options.get("quarantined", ()))
    judging = read_judging(eval_run)
    every = sorted(
        (_test_result(each, quarantined, judging) for each in by_test.values()), key=_worst
    )
    tests = tuple(test for test in every if not test.is_set_aside)
    counts = tally(test.cell for test in tests)
    num_done = sum(result.status != EvalResult.Status.PENDING for result in results)
    is_running = eval_run.status == EvalRun.Status.RUNNING
    is_over = eval_run.status in _JUDGED
    cost = _cost(results)
    is_going_on = is_running and num_done < len(results)
    is_judging = is_running and not is_going_on and judging.num_waiting > 0
    return Progress(
        eval_run=eval_run,
        tests=tests,
        set_aside=tuple(test for test in every if test.is_set_aside),
        sentence=(judges_sentence if is_judging else run_sentence)(eval_run, counts),
        counts=counts,
        num_done=num_done,
        num_total=len(results),
        infra=_lost(results, EvalResult.Status.INFRA_ERROR),
        not_judged=_lost(results, EvalResult.Status.NOT_JUDGED),
        num_parked=sum(_is_parked(result) for result in results) if is_running else 0,
        is_stuck=is_running and not num_live_workers(),
        seconds_left=_seconds_left(eval_run, num_done, len(results)),
        cost_usd=cost,
        cost_in_all=cost * len(results) / num_done if cost and is_going_on else None,
        expected=estimate_from_json(eval_run.estimate),
        gate=gates_of(eval_run).first(),
        is_void=is_over and not is_evidence_valid(eval_run),
        judging=judging,
        is_judging=is_judging,
    )


def seconds_left(started_at: datetime, now: datetime, num_done: int, num_total: int) -> int | None:
    """Return the time left if the rest goes as fast as what is done; None if nothing is."""
    if not num_done:
        return None
    per_result = (now - started_at).total_seconds() / num_done
    return max(0, round(per_result * (num_total - num_done)))


def running_of(agent_id: int) -> list[EvalRun]:
    """Return the agent's eval runs under way, newest first. One query."""
    under_way = Q(status=EvalRun.Status.RUNNING, agent=agent_id)
    return list(EvalRun.objects.filter(under_way).select_related("version").order_by("-pk")[:5])


def _results(eval_run: EvalRun) -> QuerySet[EvalResult]:
    return (
        eval_run.results.select_related("test", "run", "test_version")
        .only(
            "eval_run_id", "repeat", "status", "test_hash", "checks", "error", "hard",
            "num_missing", "cost_usd", "test__slug", "test__title", "test__severity",
            "test__is_critical", "test__source_session_id", "test_version__number",
            "run__session_id", "run__status",
        )
        .order_by("test__title", "test_id", "repeat")
    )  # fmt: skip


def _seconds_left(eval_run: EvalRun, num_done: int, num_total: int) -> int | None:
    if eval_run.status != EvalRun.Status.RUNNING:
        return None
    return seconds_left(eval_run.created_at, database_now(), num_done, num_total)


def _cost(results: Sequence[EvalResult]) -> Decimal | None:
    """Return what the judged results cost; None where that of one is not known."""
    done = [each for each in results if each.status != EvalResult.Status.PENDING]
    known = [result.cost_usd for result in done if result.cost_usd is not None]
    return sum(known, Decimal(0)) if known and len(known) == len(done) else None


def _lost(results: Sequence[EvalResult], status: EvalResult.Status) -> tuple[tuple[str, int], ...]:
    lost = Counter(result.error for result in results if result.status == status)
    return tuple(lost.most_common())


def _is_parked(result: EvalResult) -> bool:
    return result.run is not None and result.run.status in Run.PARKED


def _test_result(results: list[EvalResult], quarantined: set[str], judging: Judging) -> TestResult:
    test, version = results[0].test, results[0].test_version
    failed = [result.run for result in results if result.status == EvalResult.Status.FAILED]
    return TestResult(
        slug=test.slug,
        title=test.title,
        severity=test.severity,
        pk=test.pk,
        cell=cell_of([(r.status, r.test_hash) for r in results], results[0].test_hash),
        repeats=tuple(_repeat(result, judging) for result in results),
        found=_found(results),
        hard=_hard(results),
        num_missing=sum(result.num_missing for result in results),
        version=version.number if version else None,
        is_critical=test.is_critical,
        is_set_aside=test.slug in quarantined,
        recorded_id=test.source_session_id,
        failed_id=next((run.session_id for run in failed if run), None),
    )


def _found(results: list[EvalResult]) -> tuple[str, ...]:
    found = [
        f"{check['title']}: {check['found']}"
        for result in results
        for check in result.checks
        if check["passed"] is False
    ]
    errors = [result.error for result in results if result.error]
    return tuple(dict.fromkeys([*found, *errors]))


def _hard(results: list[EvalResult]) -> tuple[tuple[str, str], ...]:
    found = {(str(each["gate"]), str(each["found"])): None for r in results for each in r.hard}
    return tuple((GATES.get(gate, gate), text) for gate, text in found)


def _repeat(result: EvalResult, judging: Judging) -> Repeat:
    run = result.run
    is_open = result.status == EvalResult.Status.PENDING
    is_running = is_open and run is not None and run.status == Run.Status.RUNNING
    session_id = run.session_id if run else None
    return Repeat(result, session_id, is_running, judging.failed.get(result.pk, 0))


def _worst(test: TestResult) -> tuple[int, str]:
    return min(_ORDER[letter] for letter in test.cell.letters), test.title.casefold()
