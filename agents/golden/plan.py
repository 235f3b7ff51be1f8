"""The plan of an eval run: which tests, how often, and the rows in which it is frozen."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from django.db.models import QuerySet

from agents.config import content_hash
from agents.errors import GoldenError
from agents.golden.content import LATER, content_of
from agents.golden.versions import current_versions
from agents.models import Agent, EvalResult, EvalRun, GoldenTest, GoldenTestVersion, Run, Version
from agents.runtime.many import NewRun, Opening, start_runs

MOST_RUNS = 20_000
# Source: the design's pass^k of critical tests.
CRITICAL_REPEATS = 5


@dataclass(frozen=True)
class Planned:
    """One repeat of one test that is to be run."""

    eval_run: EvalRun
    pinned: GoldenTestVersion
    test: GoldenTest
    repeat: int


def chosen_tests(
    agent: Agent,
    *,
    tests: Sequence[GoldenTest] | None = None,
    suites: Collection[str] = (),
    tags: Collection[str] = (),
) -> list[GoldenTest]:
    """Return the active tests that are asked for, in the order in which they were made.

    Args:
        agent: Whose tests.
        tests: These; None is all.
        suites: Of these only those in one of the suites; none is all.
        tags: Of these only those with one of the tags; none is all.

    Raises:
        GoldenError: There is none, one has no check, or some are archived or another agent's.
    """
    if unknown := sorted(set(suites) - set(GoldenTest.Suite.values)):
        known = ", ".join(GoldenTest.Suite.values)
        raise GoldenError(f"There is no suite {unknown[0]!r}; the suites are {known}.")
    active = active_tests(agent).order_by("pk")
    if tests is not None:
        active = active.filter(pk__in=[test.pk for test in tests])
    found = list(active)
    if tests is not None and found and len(found) != len({test.pk for test in tests}):
        raise GoldenError("Some of these tests are archived or belong to another agent.")
    if not found:
        raise GoldenError(f"{agent} has no golden test to run: promote a session first.")
    wanted = [test for test in found if _is_wanted(test, suites, tags)]
    if not wanted:
        said = " and ".join(filter(None, [_some("suite", suites), _some("tag", tags)]))
        raise GoldenError(f"None of the golden tests of {agent} has {said}.")
    if empty := [test for test in wanted if not test.checks and not test.expectations]:
        raise GoldenError(
            f"“{empty[0].title}” has no check, so that a run of it would prove nothing: "
            "add one, or archive the test."
        )
    return wanted


def active_tests(agent: Agent | int) -> QuerySet[GoldenTest]:
    """Return the agent's golden tests that are not archived."""
    return GoldenTest.objects.filter(agent=agent, archived_at=None)


def is_quarantined(test: GoldenTest) -> bool:
    """Say whether a test is set aside: it is run, and does not count. It ends on its day (UTC)."""
    until = test.quarantined_until
    return until is not None and until > datetime.now(tz=UTC).date()


def facts_of(tests: Iterable[GoldenTest], num_repeats: int) -> dict[str, Any]:
    """Return what of the tests' standing is kept with a plan: see `EvalRun.options`.

    `quarantined` are slugs; `critical` are `{slug: repeats}`.
    """
    tests = list(tests)
    return {
        "quarantined": [test.slug for test in tests if is_quarantined(test)],
        "critical": {
            test.slug: repeats_of(test, num_repeats) for test in tests if test.is_critical
        },
    }


def repeats_of(test: GoldenTest, num_repeats: int) -> int:
    """Return how often a test is run: a critical one five times or more."""
    return max(num_repeats, CRITICAL_REPEATS) if test.is_critical else num_repeats


def evidence_hash_of(
    version: Version,
    test_hashes: Sequence[str],
    num_repeats: int,
    quarantined: Sequence[str] = (),
    critical: Sequence[str] = (),
) -> str:
    """Return what binds an eval run's verdict to version, tests and repeats, by content.

    `quarantined` and `critical` are the hashes of such tests; where there is none, the hash is
    that of the time before there were any.
    """
    standing = {"quarantined": sorted(quarantined), "critical": sorted(critical)}
    return content_hash(
        {
            "version": version.content_hash,
            "tests": sorted(test_hashes),
            "repeats": num_repeats,
            **{name: hashes for name, hashes in standing.items() if hashes},
        }
    )


def evidence_of(version: Version, tests: Iterable[GoldenTest], num_repeats: int) -> str:
    """Return the evidence hash of these tests as they are and stand now."""
    tests = list(tests)
    return evidence_hash_of(
        version,
        [test.content_hash for test in tests],
        num_repeats,
        [test.content_hash for test in tests if is_quarantined(test)],
        [test.content_hash for test in tests if test.is_critical],
    )


def plan_all(
    eval_runs: Sequence[EvalRun], tests: Sequence[GoldenTest], num_repeats: int
) -> list[Planned]:
    """Return every repeat of every test, repeat by repeat, those of the eval runs in turns."""
    pinned = current_versions(tests)
    most = max(repeats_of(test, num_repeats) for test in tests)
    return [
        Planned(eval_run, pinned[test.pk], test, repeat)
        for repeat in range(1, most + 1)
        for test in tests
        if repeat <= repeats_of(test, num_repeats)
        for eval_run in eval_runs
    ]


def check_size(num_runs: int, num_tests: int) -> None:
    """Raise `GoldenError` where a plan is too large."""
    if num_runs > MOST_RUNS:
        raise GoldenError(
            f"{num_tests:,} tests would take {num_runs:,} runs; {MOST_RUNS:,} at most. "
            "Choose fewer repeats, or a suite."
        )


def shuffled(planned: Sequence[Planned], seed: int) -> list[Planned]:
    """Return a plan in another order by chance, each repeat's tests among themselves.

    The runs of one test and repeat stay together, and which of them begins is by chance too: so
    neither eval run has the better half of the window.
    """
    random = Random(seed)  # noqa: S311 - an order, no secret
    together: dict[tuple[int, int], list[Planned]] = {}
    for each in planned:
        together.setdefault((each.repeat, each.test.pk), []).append(each)
    groups = list(together.values())
    random.shuffle(groups)
    groups.sort(key=lambda group: group[0].repeat)
    for group in groups:
        random.shuffle(group)
    return [each for group in groups for each in group]


def write_plan(agent: Agent, planned: Sequence[Planned], by: int | None) -> list[EvalResult]:
    """Queue the runs of a plan in its order and write its rows, in the caller's transaction."""
    openings: dict[int, Opening] = {}
    for each in planned:
        if each.pinned.pk not in openings:
            openings[each.pinned.pk] = _opening(each)
    runs = start_runs(
        agent=agent,
        runs=[
            NewRun(
                version=each.eval_run.version,
                opening=openings[each.pinned.pk],
                metadata={"golden_test": each.test.slug, "eval_run": each.eval_run.pk},
            )
            for each in planned
        ],
        kind=Run.Kind.GOLDEN,
        started_by=by,
    )
    return EvalResult.objects.bulk_create(
        EvalResult(
            eval_run=each.eval_run,
            test=each.test,
            test_hash=each.test.content_hash,
            test_version=each.pinned,
            repeat=each.repeat,
            run=run,
        )
        for each, run in zip(planned, runs, strict=True)
    )


def _opening(planned: Planned) -> Opening:
    content = content_of(planned.pinned)
    further = {name: content[name] for name in ("rules", "customer")}
    return Opening(
        title=planned.test.title,
        run_input=content["input"],
        fixtures=content["fixtures"],
        play={
            "on_missing": content["on_missing"],
            **{name: value for name, value in further.items() if value != LATER[name]},
        },
    )


def _is_wanted(test: GoldenTest, suites: Collection[str], tags: Collection[str]) -> bool:
    return (not suites or test.suite in suites) and (
        not tags or not set(tags).isdisjoint(test.tags)
    )


def _some(word: str, values: Collection[str]) -> str:
    return f"the {word} {' or '.join(sorted(values))}" if values else ""
