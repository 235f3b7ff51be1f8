"""Judging the results of eval runs whose runs have finished, and ending what is complete."""

import json
import logging
from collections import Counter
from collections.abc import Sequence

from django.contrib.auth.models import AbstractBaseUser
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from agents.golden.checks import has_passed, judge_outcome
from agents.golden.content import content_of
from agents.golden.evidence import spans_of_many
from agents.golden.expectations import ask_judges, count_verdicts, waits_for_judges
from agents.golden.hard import hard_findings
from agents.golden.lost import lost_way_out, lost_words
from agents.golden.observe import outcome_of
from agents.golden.outcome import cost_of, working_ms_of
from agents.judges.ask import stop_asking_about
from agents.judges.verdicts import PENDING as UNANSWERED
from agents.models import EvalResult, EvalRun, Gate, GoldenTest, Judgement, Run
from agents.runtime.many import stop_runs
from agents.tools.autonomy import database_now
from traces.clean import clean_text
from traces.models import Span

BATCH = 200
_logger = logging.getLogger(__name__)

_JUDGED = (
    "status", "checks", "hard", "error", "num_missing", "cost_usd", "working_ms", "finished_at",
)  # fmt: skip
_NOTHING_COUNTS = (EvalRun.Status.VOID, EvalRun.Status.CANCELLED)
_WRITE = """
UPDATE agents_evalresult AS result SET status = judged.status, checks = judged.checks,
    hard = judged.hard, error = judged.error, num_missing = judged.num_missing,
    cost_usd = judged.cost_usd, working_ms = judged.working_ms, finished_at = judged.finished_at
FROM jsonb_populate_recordset(NULL::agents_evalresult, %s::jsonb) AS judged
WHERE result.id = judged.id
"""
_ENDED = sorted(set(Run.Status) - set(Run.OPEN))
_SETTLEABLE = Q(run__status__in=_ENDED) | Q(run=None)
_UNREAD = ("run__input", "run__fixtures", "run__session__said", "run__session__said_vector")


def settle_finished() -> int:
    """Judge the results whose runs have finished, and end eval runs that are complete.

    Safe to call anywhere, often and at once: each eval run is settled with its row locked, and a
    verdict is written once. An eval run of a gate that is running is judged and left for the gate
    to end. One that cannot be judged becomes void and keeps no other from it. Returns how many
    results were judged.
    """
    ready = EvalResult.objects.filter(
        _SETTLEABLE, eval_run=OuterRef("pk"), status=EvalResult.Status.PENDING
    )
    under_way = EvalRun.objects.filter(Exists(ready), status=EvalRun.Status.RUNNING)
    num_judged = 0
    for pk in under_way.order_by("pk").values_list("pk", flat=True):
        try:
            num_judged += _settle(pk)
        except (InterfaceError, OperationalError):
            raise
        except Exception as error:
            _logger.exception("Eval run %s cannot be judged.", pk)
            why = f"It could not be judged: {type(error).__name__}: {clean_text(str(error))}"
            finish(EvalRun.objects.get(pk=pk), EvalRun.Status.VOID, why)
    _complete_waited_for()
    return num_judged


def finish(
    eval_run: EvalRun, status: EvalRun.Status, because: str = "", by: AbstractBaseUser | None = None
) -> EvalRun:
    """End an eval run and stop what of it still runs; one that has ended stays as it is.

    Judges are asked no more about one of which nothing counts.

    In the caller's transaction or one of its own; locks the eval run, then its runs.

    Args:
        eval_run: What ends.
        status: As what.
        because: Why, for people; of a complete one empty.
        by: Who ended it, if a person did.
    """
    with transaction.atomic():
        row = EvalRun.objects.select_for_update().get(pk=eval_run.pk)
        if row.status != EvalRun.Status.RUNNING:
            return row
        row.status, row.ended_because, row.finished_at = status, because[:1000], database_now()
        row.save(update_fields=["status", "ended_because", "finished_at"])
        if status in _NOTHING_COUNTS:
            stop_asking_about(eval_run=row)
        why = f"cancelled by {by}" if by else because or f"eval run {row.pk} has ended"
        open_runs = Run.objects.filter(eval_result__eval_run=row, status__in=Run.OPEN)
        if ids := list(open_runs.values_list("pk", flat=True)):
            stop_runs(run_ids=ids, because=why)
    return row


def shown_by(counted: QuerySet[EvalResult]) -> tuple[EvalRun.Status, str]:
    """Return as what an eval run ends with these results, and why where that does not say it.

    Failed where one of them failed, passed where all passed. Without a failure, but with results
    that have no verdict, it is inconclusive; void where the infrastructure left nothing. One query.
    """
    status = EvalResult.Status
    counts = Counter(counted.values_list("status", flat=True))
    total, num_infra = counts.total(), counts[status.INFRA_ERROR]
    if not total:
        return (
            EvalRun.Status.VOID,
            "Each of its tests is in quarantine, so that nothing of it counts.",
        )
    if counts[status.FAILED]:
        return EvalRun.Status.FAILED, ""
    if counts[status.PASSED] == total:
        return EvalRun.Status.PASSED, ""
    lost = num_infra, counts[status.NOT_JUDGED]
    way_out = lost_way_out(*lost, again="run the tests again")
    if num_infra == total:
        runs = "its one run" if total == 1 else f"all {total:,} runs"
        text = f"The infrastructure failed {runs}: nothing was shown, no pass and no failure."
        return EvalRun.Status.VOID, f"{text} {way_out}"
    text = f"Nothing failed, but there is no verdict on {sum(lost):,} of {total:,} results"
    return EvalRun.Status.INCONCLUSIVE, f"{text}: {lost_words(*lost)}. {way_out}"


def void_running(*, test: GoldenTest, by: AbstractBaseUser, because: str = "") -> None:
    """End the eval runs under way that hold a test which has been changed; in a transaction.

    A gate that holds one of them finds it void and ends with it.
    """
    why = because or f"The test “{test.title}” was edited while it ran."
    under_way = EvalRun.objects.filter(
        Exists(EvalResult.objects.filter(eval_run=OuterRef("pk"), test=test)),
        status=EvalRun.Status.RUNNING,
    )
    for eval_run in under_way.order_by("pk"):
        finish(eval_run, EvalRun.Status.VOID, why, by)


def gates_of(eval_run: EvalRun) -> QuerySet[Gate]:
    """Return the gate that this eval run is part of, if it is; while it runs it ends the run."""
    return Gate.objects.filter(Q(candidate_run=eval_run) | Q(baseline_run=eval_run))


def running_gates(eval_run: EvalRun) -> QuerySet[Gate]:
    """Return the gate that is running on this eval run, if one is."""
    return gates_of(eval_run).filter(status=Gate.Status.RUNNING)


def _settle(pk: int) -> int:
    """Judge what is ready of an eval run, batch by batch; return how many results were."""
    num_judged = 0
    while num := _settle_batch(pk):
        num_judged += num
        if num < BATCH:
            break
    return num_judged


def _settle_batch(pk: int) -> int:
    with transaction.atomic():
        eval_run = (
            EvalRun.objects.select_for_update(of=("self",))
            .select_related("requested_by")
            .get(pk=pk)
        )
        if eval_run.status != EvalRun.Status.RUNNING:
            return 0
        pending = eval_run.results.filter(status=EvalResult.Status.PENDING)
        ready = pending.filter(_SETTLEABLE).select_related(
            "test", "test_version__test", "run__session", "run__agent", "run__version"
        )
        results = list(ready.defer(*_UNREAD).order_by("pk")[:BATCH])
        if changed := _changed(results):
            finish(eval_run, EvalRun.Status.VOID, changed)
            return 0
        sessions = [result.run.session for result in results if result.run]
        spans, now = spans_of_many(sessions), database_now()
        for result in results:
            result.finished_at = now
            _judge(result, spans[result.run.session_id] if result.run else [])
        _write_judged(results)
        ask_judges(results, by=eval_run.requested_by)
        _complete_if_done(eval_run)
    return len(results)


def _write_judged(results: Sequence[EvalResult]) -> None:
    """Write what was found, in one statement: the ORM's own takes longer than all the judging."""
    rows = [{name: getattr(result, name) for name in ("id", *_JUDGED)} for result in results]
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, [json.dumps(rows, default=str)])


def _complete_if_done(eval_run: EvalRun) -> None:
    """End an eval run whose results and judgements are all there, unless a gate ends it."""
    pending = eval_run.results.filter(status=EvalResult.Status.PENDING)
    if pending.exists() or waits_for_judges(eval_run):
        return
    count_verdicts(eval_run)
    if not running_gates(eval_run).exists():
        _complete(eval_run)


def _complete_waited_for() -> None:
    """End the eval runs that waited for judges alone, who have answered."""
    of_it = Judgement.objects.filter(eval_result__eval_run=OuterRef("pk"))
    pending = EvalResult.objects.filter(eval_run=OuterRef("pk"), status=EvalResult.Status.PENDING)
    answered = EvalRun.objects.filter(
        Exists(of_it),
        ~Exists(of_it.filter(status__in=UNANSWERED)),
        ~Exists(pending),
        status=EvalRun.Status.RUNNING,
    )
    for pk in answered.order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            eval_run = EvalRun.objects.select_for_update().get(pk=pk)
            if eval_run.status == EvalRun.Status.RUNNING:
                _complete_if_done(eval_run)


def _changed(results: Sequence[EvalResult]) -> str:
    """Return why results are about tests that are not the same any more, or nothing."""
    for result in results:
        test = result.test
        if test.archived_at is not None:
            return f"The test “{test.title}” was archived while it ran."
        if test.content_hash != result.test_hash:
            return f"The test “{test.title}” was edited while it ran."
    return ""


def _complete(eval_run: EvalRun) -> None:
    """End an eval run all of whose results are there; those in quarantine don't count."""
    counted = eval_run.results.exclude(test__slug__in=eval_run.options.get("quarantined", []))
    finish(eval_run, *shown_by(counted))


def _judge(result: EvalResult, spans: Sequence[Span]) -> None:
    run = result.run
    result.error = _infrastructure_error(run)
    if run is None:
        result.status = EvalResult.Status.INFRA_ERROR
        return
    result.cost_usd, result.working_ms = cost_of(spans), working_ms_of(spans)
    result.num_missing = sum(bool(span.attributes.get("is_missing")) for span in spans)
    if result.error:
        result.status = EvalResult.Status.INFRA_ERROR
        return
    test = result.test_version or result.test
    asked = content_of(test)["checks"]
    outcome = outcome_of(run=run, spans=spans, checks=asked)
    checks = judge_outcome(asked, outcome)
    result.checks = [check.to_json() for check in checks]
    result.hard = hard_findings(run=run, spans=spans, test=test, outcome=outcome)
    result.error = run.error
    is_passed = has_passed(checks) and run.status == Run.Status.COMPLETED
    result.status = EvalResult.Status.PASSED if is_passed else EvalResult.Status.FAILED


def _infrastructure_error(run: Run | None) -> str:
    """Return why a run says nothing about the agent, or nothing if it does.

    A run that went over its limits is the agent's own doing and is judged.
    """
    if run is None:
        return "its run was deleted"
    if run.status == Run.Status.CANCELLED:
        return run.error or "its run was cancelled"
    if run.status == Run.Status.FAILED and run.failure != Run.Failure.LIMIT:
        return run.error or "its run failed"
    return ""
