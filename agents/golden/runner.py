"""Running golden tests against a version: the plan in rows, the verdicts, and what they prove."""

from collections.abc import Sequence

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from agents.config import content_hash
from agents.demo.shop import DatabaseWorld
from agents.errors import GoldenError, RunError
from agents.golden.checks import CheckResult, judge_outcome, records_asked
from agents.golden.evidence import spans_of
from agents.golden.outcome import Outcome, events_of
from agents.models import Agent, EvalResult, EvalRun, GoldenTest, Run, Version
from agents.runtime.start import request_cancel, start_run
from agents.tools.autonomy import database_now
from traces.models import Session

MOST_REPEATS = 10
MOST_RUNS = 1000

_ENDED = sorted(set(Run.Status) - set(Run.OPEN))
_FINISHED = Q(run__status__in=_ENDED)
_SETTLEABLE = _FINISHED | Q(run=None)


def start_eval_run(
    *,
    version: Version,
    tests: Sequence[GoldenTest] | None = None,
    num_repeats: int = 1,
    by: AbstractBaseUser | None,
) -> EvalRun:
    """Plan an eval run and queue its runs, in one transaction with one hint to the workers.

    The same tests asked for again while they run give the eval run that is under way.

    Args:
        version: What is tested.
        tests: Active tests of its agent; None is all of them.
        num_repeats: How often each test is run, 1 to 10.
        by: Who asked.

    Raises:
        GoldenError: There is no test to run, or too many runs would be.
    """
    if not 1 <= num_repeats <= MOST_REPEATS:
        raise GoldenError(f"Repeats are {num_repeats}; choose 1 to {MOST_REPEATS}.")
    with transaction.atomic():
        agent = Agent.objects.select_for_update().select_related("project").get(pk=version.agent_id)
        chosen = _chosen(agent, tests)
        if len(chosen) * num_repeats > MOST_RUNS:
            raise GoldenError(
                f"{len(chosen)} tests with {num_repeats} repeats are {len(chosen) * num_repeats:,} "
                f"runs; {MOST_RUNS:,} at most. Choose fewer repeats."
            )
        digest = evidence_hash_of(version, [test.content_hash for test in chosen], num_repeats)
        same = version.eval_runs.filter(status=EvalRun.Status.RUNNING, evidence_hash=digest)
        if known := same.first():
            return known
        eval_run = EvalRun.objects.create(
            agent=agent,
            version=version,
            num_repeats=num_repeats,
            is_partial=tests is not None and len(chosen) < _num_active(agent),
            evidence_hash=digest,
            requested_by_id=by.pk if by else None,
        )
        EvalResult.objects.bulk_create(
            EvalResult(
                eval_run=eval_run,
                test=test,
                test_hash=test.content_hash,
                repeat=repeat,
                run=_start(agent, version, test, eval_run, by),
            )
            for repeat in range(1, num_repeats + 1)
            for test in chosen
        )
    return eval_run


def cancel_eval_run(*, eval_run: EvalRun, by: AbstractBaseUser) -> EvalRun:
    """Stop an eval run: what has been judged stays, the rest does not run.

    Raises:
        GoldenError: It has ended already.
    """
    with transaction.atomic():
        row = EvalRun.objects.select_for_update().get(pk=eval_run.pk)
        if row.status != EvalRun.Status.RUNNING:
            raise GoldenError(f"This eval run has ended already: it is {row.get_status_display()}.")
        _end(row, EvalRun.Status.CANCELLED, by)
    return row


def settle_finished() -> int:
    """Judge the results whose runs have finished, and end eval runs that are complete.

    Safe to call anywhere, often and at once: each eval run is settled with its row locked, and a
    verdict is written once. Returns how many results were judged.
    """
    ready = EvalResult.objects.filter(
        _SETTLEABLE, eval_run=OuterRef("pk"), status=EvalResult.Status.PENDING
    )
    under_way = EvalRun.objects.filter(Exists(ready), status=EvalRun.Status.RUNNING)
    return sum(_settle(pk) for pk in under_way.order_by("pk").values_list("pk", flat=True))


def void_running(*, test: GoldenTest, by: AbstractBaseUser) -> None:
    """End the eval runs under way that hold a test which has been changed; in a transaction."""
    under_way = EvalRun.objects.select_for_update().filter(
        Exists(EvalResult.objects.filter(eval_run=OuterRef("pk"), test=test)),
        status=EvalRun.Status.RUNNING,
    )
    for eval_run in under_way:
        _end(eval_run, EvalRun.Status.VOID, by)


def is_evidence_valid(eval_run: EvalRun) -> bool:
    """Say whether the verdict is about the version's and the agent's tests as they are now.

    It is not once a test was edited, added or archived, or where not all were run. Two queries.
    """
    hashes = GoldenTest.objects.filter(agent=eval_run.agent_id, archived_at=None)
    now = list(hashes.values_list("content_hash", flat=True))
    digest = evidence_hash_of(eval_run.version, now, eval_run.num_repeats)
    return bool(now) and digest == eval_run.evidence_hash


def evidence_hash_of(version: Version, test_hashes: Sequence[str], num_repeats: int) -> str:
    """Return what binds an eval run's verdict to version, tests and repeats, by content."""
    return content_hash(
        {"version": version.content_hash, "tests": sorted(test_hashes), "repeats": num_repeats}
    )


def _num_active(agent: Agent) -> int:
    return GoldenTest.objects.filter(agent=agent, archived_at=None).count()


def _chosen(agent: Agent, tests: Sequence[GoldenTest] | None) -> list[GoldenTest]:
    active = GoldenTest.objects.filter(agent=agent, archived_at=None).order_by("pk")
    if tests is not None:
        active = active.filter(pk__in=[test.pk for test in tests])
    chosen = list(active)
    if not chosen:
        raise GoldenError(f"{agent} has no golden test to run: promote a session first.")
    if tests is not None and len(chosen) != len(tests):
        raise GoldenError("Some of these tests are archived or belong to another agent.")
    return chosen


def _start(
    agent: Agent,
    version: Version,
    test: GoldenTest,
    eval_run: EvalRun,
    by: AbstractBaseUser | None,
) -> Run:
    return start_run(
        agent=agent,
        version=version,
        run_input=test.input,
        title=test.title,
        started_by=by,
        kind=Run.Kind.GOLDEN,
        fixtures=test.fixtures,
        metadata={"golden_test": test.slug, "eval_run": eval_run.pk},
    )


def _settle(pk: int) -> int:
    with transaction.atomic():
        eval_run = EvalRun.objects.select_for_update().get(pk=pk)
        if eval_run.status != EvalRun.Status.RUNNING:
            return 0
        pending = eval_run.results.filter(status=EvalResult.Status.PENDING)
        results = list(
            pending.filter(_SETTLEABLE).select_related("test", "run__session", "run__agent")
        )
        if any(result.test.content_hash != result.test_hash for result in results):
            _end(eval_run, EvalRun.Status.VOID, None)
            return 0
        for result in results:
            _judge(result)
        if not pending.exists():
            is_clean = not eval_run.results.exclude(status=EvalResult.Status.PASSED).exists()
            _end(eval_run, EvalRun.Status.PASSED if is_clean else EvalRun.Status.FAILED, None)
    return len(results)


def _judge(result: EvalResult) -> None:
    run = result.run
    result.finished_at = database_now()
    result.error = _infrastructure_error(run)
    if run is None or result.error:
        result.status = EvalResult.Status.INFRA_ERROR
    else:
        checks = _check(result, run)
        result.checks = [check.to_json() for check in checks]
        result.error = run.error
        is_passed = all(check.passed for check in checks) and run.status == Run.Status.COMPLETED
        result.status = EvalResult.Status.PASSED if is_passed else EvalResult.Status.FAILED
    result.save(update_fields=["status", "checks", "error", "finished_at"])


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


def _check(result: EvalResult, run: Run) -> tuple[CheckResult, ...]:
    checks = result.test.checks
    events, num_steps = events_of(spans_of(run.session))
    world = DatabaseWorld(run=run, dataset=run.agent.dataset)
    outcome = Outcome(
        events=events,
        num_steps=num_steps,
        is_handed_over=run.session.status == Session.Status.HANDED_OVER,
        records={(kind, key): world.get(kind, key) for kind, key in records_asked(checks)},
    )
    return judge_outcome(checks, outcome)


def _end(eval_run: EvalRun, status: EvalRun.Status, by: AbstractBaseUser | None) -> None:
    """End an eval run; whoever ends it early stops its runs too."""
    eval_run.status, eval_run.finished_at = status, database_now()
    eval_run.save(update_fields=["status", "finished_at"])
    if by is None:
        return
    for run in Run.objects.filter(eval_result__eval_run=eval_run, status__in=Run.OPEN):
        try:
            request_cancel(run=run, by=by)
        except RunError:
            continue
