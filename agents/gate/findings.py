"""The parts of a decision: hard gates, critical tests, ceilings, slices, moved tests. Pure."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from agents.gate import stats
from agents.gate.config import GateConfig
from agents.gate.decision import Arm, Ceiling, CriticalTest, HardFinding, MovedTest, Slice
from agents.gate.evidence import Evidence, Repeats, TestEvidence, diffs_of, mean_repeats

MOVES = ("broken", "worse", "better", "fixed")
# Of the chance to err on one side, what the parts may use: with the whole suite's, a gate of two
# same versions fails at most 3.5 % of the time at the usual confidence.
SLICE_SHARE = 0.4
# A test has one of each, or none; tags it may have several of.
_ONE_EACH = ("suite", "severity", "intent", "language")


def arm_of(name: str, runs: Sequence[Repeats]) -> Arm:
    """Sum up one version's repeats, each test with the same weight."""
    shares = [each.share for each in runs if each.num_judged]
    costs = [cost for each in runs for cost in each.costs_usd]
    latencies = [latency for each in runs for latency in each.latencies_ms]
    return Arm(
        name=name,
        rate=sum(shares) / len(shares) if shares else None,
        num_passed=sum(each.num_passed for each in runs),
        num_judged=sum(each.num_judged for each in runs),
        num_infra=sum(each.num_infra for each in runs),
        num_not_judged=sum(each.num_not_judged for each in runs),
        num_runs=sum(each.num_runs for each in runs),
        cost_usd=sum(costs) / len(costs) if costs else None,
        total_cost_usd=sum(costs) if costs else None,
        latency_ms=sum(latencies) / len(latencies) if latencies else None,
    )


def hard_findings(tests: Sequence[TestEvidence], config: GateConfig) -> tuple[HardFinding, ...]:
    """Return what must never happen and was seen in the candidate's runs, confirmed first."""
    found = []
    for test in tests:
        first: dict[str, str] = {}
        for gate, text in test.now.hard:
            first.setdefault(gate, text)
        seen = Counter(gate for gate, _ in test.now.hard)
        before = Counter(gate for gate, _ in test.before.hard)
        found += [
            HardFinding(
                gate=gate,
                key=test.key,
                title=test.title,
                found=text,
                num_seen=seen[gate],
                num_runs=test.now.num_runs,
                num_seen_before=before[gate],
                is_confirmed=seen[gate] > 1,
            )
            for gate, text in first.items()
            if gate in config.hard_gates
        ]
    return tuple(sorted(found, key=lambda each: (not each.is_confirmed, each.gate, each.key)))


def critical_tests(tests: Sequence[TestEvidence], config: GateConfig) -> tuple[CriticalTest, ...]:
    """Return the critical tests, those that did not pass every time first."""
    found = [
        CriticalTest(
            key=test.key,
            title=test.title,
            num_passed=test.now.num_passed,
            num_judged=test.now.num_judged,
            num_needed=config.critical_repeats,
            before_passed=test.before.num_passed,
            before_judged=test.before.num_judged,
            has_passed=test.now.num_passed == test.now.num_judged >= config.critical_repeats,
        )
        for test in tests
        if test.is_critical
    ]
    return tuple(sorted(found, key=lambda each: (each.has_passed, each.key)))


def ceilings(evidence: Evidence, config: GateConfig, *, level: float) -> tuple[Ceiling, ...]:
    """Return cost and time beside their limits; `over` only where the whole interval is."""
    return (
        *_ceilings(
            "cost", config.max_cost_ratio, config.max_cost_usd, _costs, evidence, level=level
        ),
        *_ceilings(
            "latency",
            config.max_latency_ratio,
            config.max_latency_seconds,
            _seconds,
            evidence,
            level=level,
        ),
    )


def slices(evidence: Evidence, config: GateConfig, *, level: float) -> tuple[Slice, ...]:
    """Look at each part by itself, corrected for their number, the worst first.

    Each look spends its share of the error by itself (Bonferroni over looks, Holm within one).
    """
    parts = _parts(evidence.compared, config)
    if not parts:
        return ()
    alpha = config.alpha * SLICE_SHARE
    share = stats.look_shares(evidence.looks, alpha)[evidence.look - 1]
    diffs = [diffs_of(tests) for _, _, tests in parts]
    p_values = stats.holm(
        np.array([float(stats.worse_p_values(each, seed=evidence.seed)) for each in diffs])
    )
    found = []
    for (by, name, tests), diff, p_value in zip(parts, diffs, p_values, strict=True):
        range_ = stats.compare(diff, repeats=mean_repeats(tests), level=level, seed=evidence.seed)
        found.append(
            Slice(
                by=by,
                name=name,
                num_tests=len(tests),
                diff=float(range_.diff),
                low=float(range_.low),
                high=float(range_.high),
                p_value=float(p_value),
                is_worse=bool(p_value <= share and range_.diff <= -config.margin),
            )
        )
    return tuple(sorted(found, key=lambda part: (not part.is_worse, part.diff, part.name)))


def moved_tests(tests: Sequence[TestEvidence]) -> tuple[MovedTest, ...]:
    """Return the tests that answer otherwise than before, what broke first."""
    found = [_moved(test) for test in tests if abs(test.diff) > 1e-9]
    return tuple(sorted(found, key=lambda each: (MOVES.index(each.move), each.p_value, each.key)))


def num_flaky(tests: Sequence[TestEvidence]) -> int:
    """Return how many tests pass at times, under both versions."""
    return sum(0 < test.before.share < 1 and 0 < test.now.share < 1 for test in tests)


def _moved(test: TestEvidence) -> MovedTest:
    before, now = test.before, test.now
    if now.share < before.share:
        move = "broken" if before.share == 1 and now.share == 0 else "worse"
    else:
        move = "fixed" if before.share == 0 and now.share == 1 else "better"
    return MovedTest(
        key=test.key,
        title=test.title,
        suite=test.suite,
        move=move,
        before_passed=before.num_passed,
        before_judged=before.num_judged,
        now_passed=now.num_passed,
        now_judged=now.num_judged,
        p_value=stats.gap_p_value(
            now.num_passed, now.num_judged, before.num_passed, before.num_judged
        ),
        is_critical=test.is_critical,
    )


def _parts(
    tests: Sequence[TestEvidence], config: GateConfig
) -> list[tuple[str, str, list[TestEvidence]]]:
    """Return the parts with enough tests; one that holds all of them says nothing new."""
    found: dict[tuple[str, str], list[TestEvidence]] = {}
    for test in tests:
        names = [(by, getattr(test, by)) for by in _ONE_EACH if getattr(test, by)]
        names += [("tag", tag) for tag in test.tags]
        for by, name in names:
            if by in config.slice_by:
                found.setdefault((by, name), []).append(test)
    return [
        (by, name, part)
        for (by, name), part in sorted(found.items())
        if config.min_slice_tests <= len(part) < len(tests)
    ]


def _costs(repeats: Repeats) -> tuple[float, ...]:
    return repeats.costs_usd


def _seconds(repeats: Repeats) -> tuple[float, ...]:
    return tuple(latency / 1000 for latency in repeats.latencies_ms)


def _ceilings(
    what: str,
    max_ratio: float | None,
    most: float | None,
    read: Callable[[Repeats], tuple[float, ...]],
    evidence: Evidence,
    *,
    level: float,
) -> list[Ceiling]:
    """Return the ceilings of one measure, over the tests for which both versions' is known."""
    both = [
        (float(np.mean(read(test.now))), float(np.mean(read(test.before))))
        for test in evidence.compared
        if read(test.now) and read(test.before)
    ]
    now, before = np.array([pair[0] for pair in both]), np.array([pair[1] for pair in both])
    found = []
    if max_ratio is not None:
        is_known = bool(len(both)) and before.sum() > 0
        known = stats.ratio(now, before, level=level, seed=evidence.seed) if is_known else None
        found.append(_ceiling(what, True, max_ratio, known))
    if most is not None:
        known = stats.mean_interval(now, level=level, seed=evidence.seed) if both else None
        found.append(_ceiling(what, False, most, known))
    return found


def _ceiling(
    what: str, is_ratio: bool, limit: float, known: tuple[float, float, float] | None
) -> Ceiling:
    if known is None:
        return Ceiling(what, is_ratio, limit, None, None, None, "unknown")
    value, low, high = known
    state = "over" if low > limit else "unsure" if value > limit else "under"
    # JSON has no infinity: with one test the interval has no upper end.
    top = high if np.isfinite(high) else None
    return Ceiling(what, is_ratio, limit, value, low, top, state)
