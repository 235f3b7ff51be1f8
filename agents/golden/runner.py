"""Running golden tests against a version: starting, adding to and cancelling eval runs."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from agents.errors import GoldenError
from agents.golden.estimate import estimate_for
from agents.golden.plan import (
    Planned,
    active_tests,
    check_size,
    chosen_tests,
    evidence_hash_of,
    evidence_of,
    facts_of,
    plan_all,
    repeats_of,
    shuffled,
    write_plan,
)
from agents.golden.settle import finish, running_gates, settle_finished, void_running
from agents.golden.versions import current_version
from agents.models import Agent, EvalResult, EvalRun, GoldenTest, Version

__all__ = [
    "MOST_REPEATS",
    "add_repeats",
    "cancel_eval_run",
    "evidence_hash_of",
    "finish",
    "is_evidence_valid",
    "rerun_tests",
    "settle_finished",
    "start_eval_run",
    "start_pair",
    "void_running",
]

MOST_REPEATS = 10


def start_eval_run(
    *,
    version: Version,
    tests: Sequence[GoldenTest] | None = None,
    num_repeats: int = 1,
    by: AbstractBaseUser | None,
    suites: Collection[str] = (),
    tags: Collection[str] = (),
    options: dict[str, Any] | None = None,
) -> EvalRun:
    """Plan an eval run and queue its runs, in one transaction with one hint to the workers.

    The same tests asked for again while they run give the eval run that is under way. Tests in
    quarantine are run and do not count; a critical test is run five times or more.

    Args:
        version: What is tested.
        tests: Active tests of its agent; None is all of them.
        num_repeats: How often each test is run, 1 to 10.
        by: Who asked.
        suites: Only tests of these suites; none is all.
        tags: Only tests with one of these tags; none is all.
        options: Further facts to keep with the eval run.

    Raises:
        GoldenError: There is no test to run, too many runs would be, or the version is gone.
    """
    _check_repeats(num_repeats)
    with transaction.atomic():
        agent = _lock_agent(version)
        chosen = chosen_tests(agent, tests=tests, suites=suites, tags=tags)
        digest = evidence_of(version, chosen, num_repeats)
        same = version.eval_runs.filter(status=EvalRun.Status.RUNNING, evidence_hash=digest)
        if known := same.exclude(options__has_key="pair").first():
            return known
        asked = {"suites": sorted(suites), "tags": sorted(tags)}
        further = {name: values for name, values in asked.items() if values} | (options or {})
        if tests is not None:
            further["tests"] = [test.slug for test in chosen]
        eval_run = _create(version, chosen, num_repeats, further, by)
        planned = plan_all([eval_run], chosen, num_repeats)
        check_size(len(planned), len(chosen))
        write_plan(agent, planned, by.pk if by else None)
    return eval_run


def start_pair(
    *,
    candidate: Version,
    baseline: Version,
    tests: Sequence[GoldenTest] | None = None,
    num_repeats: int,
    seed: int,
    by: AbstractBaseUser | None,
    suites: Collection[str] = (),
    options: dict[str, Any] | None = None,
) -> tuple[EvalRun, EvalRun]:
    """Plan two eval runs of the same tests in one window, their runs begun in turns.

    Args:
        candidate: The version on trial.
        baseline: What it is compared with; of the same agent.
        tests: Active tests of the agent; None is all of them.
        num_repeats: How often each test is run on each, 1 to 10.
        seed: Of the order of the tests, and of who is first at each.
        by: Who asked.
        suites: Only tests of these suites; none is all.
        options: Further facts to keep with both.

    Returns:
        The candidate's eval run and the baseline's.

    Raises:
        GoldenError: As `start_eval_run`, or the two are the same, or of different agents.
    """
    _check_repeats(num_repeats)
    if candidate.pk == baseline.pk:
        raise GoldenError(f"{candidate} cannot be compared with itself: choose another baseline.")
    if candidate.agent_id != baseline.agent_id:
        raise GoldenError(f"{candidate} and {baseline} are versions of different agents.")
    with transaction.atomic():
        agent = _lock_agent(candidate)
        _lock_agent(baseline)
        chosen = chosen_tests(agent, tests=tests, suites=suites)
        further = {
            "seed": seed,
            **({"suites": sorted(suites)} if suites else {}),
            **(options or {}),
        }
        first, second = (
            _create(version, chosen, num_repeats, {**further, "pair": role}, by)
            for version, role in ((candidate, "candidate"), (baseline, "baseline"))
        )
        planned = shuffled(plan_all([first, second], chosen, num_repeats), seed)
        check_size(len(planned), len(chosen))
        write_plan(agent, planned, by.pk if by else None)
    return first, second


def add_repeats(*, eval_runs: Sequence[EvalRun], to: int) -> int:
    """Add repeats to eval runs under way until each test has `to`; return how many runs are new.

    The new runs begin in turns. One transaction; locks the eval runs. Tests are run as they were
    pinned at the start.

    Args:
        eval_runs: Of one agent; each running.
        to: Repeats of each test; a critical test has five or more.

    Raises:
        GoldenError: One has ended, or too many runs would be.
    """
    with transaction.atomic():
        rows = _lock_running(eval_runs)
        planned = [
            replace(last, repeat=repeat)
            for row in rows
            for last in _last_repeats(row)
            for repeat in range(last.repeat + 1, repeats_of(last.test, to) + 1)
        ]
        if not planned:
            return 0
        check_size(len(planned), len({each.test.pk for each in planned}))
        for row in rows:
            _note_repeats(row, to)
        planned.sort(key=lambda each: each.repeat)
        seed = int(rows[0].options.get("seed", 0)) + to
        write_plan(rows[0].agent, shuffled(planned, seed), rows[0].requested_by_id)
    return len(planned)


def rerun_tests(*, eval_run: EvalRun, tests: Sequence[GoldenTest]) -> list[EvalResult]:
    """Run each of these tests once more in an eval run under way, as a further repeat.

    Raises:
        GoldenError: It has ended, or does not hold one of the tests.
    """
    with transaction.atomic():
        (row,) = _lock_running([eval_run])
        wanted = {test.pk for test in tests}
        last = [each for each in _last_repeats(row) if each.test.pk in wanted]
        if len(last) != len(wanted):
            raise GoldenError(f"Eval run {row.pk} does not hold all of these tests.")
        planned = [replace(each, repeat=each.repeat + 1) for each in last]
        return write_plan(row.agent, planned, row.requested_by_id) if planned else []


def cancel_eval_run(*, eval_run: EvalRun, by: AbstractBaseUser) -> EvalRun:
    """Stop an eval run: what has been judged stays, the rest does not run.

    Raises:
        GoldenError: It has ended already, or is a gate's.
    """
    with transaction.atomic():
        row = EvalRun.objects.select_for_update().get(pk=eval_run.pk)
        if row.status != EvalRun.Status.RUNNING:
            raise GoldenError(f"This eval run has ended already: it is {row.get_status_display()}.")
        if gate := running_gates(row).first():
            raise GoldenError(f"This eval run is part of gate {gate.pk}: cancel the gate.")
        return finish(row, EvalRun.Status.CANCELLED, f"Cancelled by {by}.", by)


def is_evidence_valid(eval_run: EvalRun) -> bool:
    """Say whether the verdict is about the version's and the agent's tests as they are now.

    It is not once a test was edited, added or archived, left or entered quarantine or became
    critical, or where not all were run. Two queries.
    """
    now = list(active_tests(eval_run.agent_id).defer("input", "fixtures", "checks"))
    digest = evidence_of(eval_run.version, now, eval_run.num_repeats)
    return bool(now) and digest == eval_run.evidence_hash


def _check_repeats(num_repeats: int) -> None:
    if not 1 <= num_repeats <= MOST_REPEATS:
        raise GoldenError(f"Repeats are {num_repeats}; choose 1 to {MOST_REPEATS}.")


def _lock_agent(version: Version) -> Agent:
    """Lock and return the version's agent, and see that the version is still there."""
    agents = Agent.objects.select_for_update(of=("self",)).select_related("project")
    agent = agents.filter(pk=version.agent_id, versions=version.pk).first()
    if agent is None:
        raise GoldenError(f"{version} was deleted meanwhile: nothing was started.")
    return agent


def _create(
    version: Version,
    chosen: Sequence[GoldenTest],
    num_repeats: int,
    further: dict[str, Any],
    by: AbstractBaseUser | None,
) -> EvalRun:
    return EvalRun.objects.create(
        agent_id=version.agent_id,
        version=version,
        num_repeats=num_repeats,
        options={**further, **facts_of(chosen, num_repeats)},
        estimate=estimate_for(version, chosen, num_repeats).to_json(),
        is_partial=len(chosen) < active_tests(version.agent_id).count(),
        evidence_hash=evidence_of(version, chosen, num_repeats),
        requested_by_id=by.pk if by else None,
    )


def _lock_running(eval_runs: Sequence[EvalRun]) -> list[EvalRun]:
    wanted = [eval_run.pk for eval_run in eval_runs]
    rows = EvalRun.objects.select_for_update(of=("self",)).filter(pk__in=wanted)
    found = list(rows.select_related("agent__project", "version").order_by("pk"))
    for row in found:
        if row.status != EvalRun.Status.RUNNING:
            raise GoldenError(f"Eval run {row.pk} has ended: it is {row.get_status_display()}.")
    return found


def _last_repeats(eval_run: EvalRun) -> list[Planned]:
    """Return the last repeat of each test, as it was pinned at the start."""
    newest = eval_run.results.order_by("test_id", "-repeat").distinct("test_id")
    return [
        Planned(eval_run, each.test_version or current_version(each.test), each.test, each.repeat)
        for each in newest.select_related("test", "test_version")
    ]


def _note_repeats(eval_run: EvalRun, to: int) -> None:
    """Bind the evidence to the repeats that there are from now on; the tests are the plan's."""
    hashes = dict(eval_run.results.values_list("test__slug", "test_hash").distinct())
    quarantined = eval_run.options.get("quarantined", [])
    critical = eval_run.options.get("critical", {})
    eval_run.num_repeats = max(eval_run.num_repeats, to)
    eval_run.options["critical"] = {slug: max(num, to) for slug, num in critical.items()}
    eval_run.evidence_hash = evidence_hash_of(
        eval_run.version,
        list(hashes.values()),
        eval_run.num_repeats,
        [hashes[slug] for slug in quarantined],
        [hashes[slug] for slug in critical],
    )
    eval_run.save(update_fields=["num_repeats", "options", "evidence_hash"])
