"""From evidence to a decision: the recipe, in the order in which its parts weigh. Pure."""

from dataclasses import dataclass, replace

from agents.gate import findings, stats
from agents.gate.config import GateConfig
from agents.gate.decision import Decision, Outcome
from agents.gate.evidence import Evidence, diffs_of, mean_repeats
from agents.gate.sentence import sentences_for

# How often a critical test's lost repeats are made up for.
_MOST_TRIES = 3


@dataclass(frozen=True)
class _Range:
    """The difference over the whole suite at this look's level."""

    diff: float | None = None
    low: float | None = None
    high: float | None = None
    could_see: float | None = None


def decide(evidence: Evidence, config: GateConfig) -> Decision:
    """Decide a gate on what has been run so far.

    Void where more than the allowed share of runs has no verdict (the infrastructure failed them,
    or nothing decided them), or nothing can be compared. Failed by a confirmed hard gate, a
    critical test, the whole suite (the interval lies below zero and reaches the margin), a part of
    it, or a ceiling. Passed where the whole interval lies above the margin and nothing is open.
    Else inconclusive.
    """
    level = stats.look_levels(evidence.looks, config.alpha)[evidence.look - 1]
    counted, compared = evidence.counted, evidence.compared
    range_ = _range(evidence, level)
    draft = Decision(
        outcome=Outcome.INCONCLUSIVE,
        sentence="",
        why=(),
        baseline=findings.arm_of(evidence.baseline, [test.before for test in counted]),
        candidate=findings.arm_of(evidence.candidate, [test.now for test in counted]),
        diff=range_.diff,
        low=range_.low,
        high=range_.high,
        margin=config.margin,
        confidence=config.confidence,
        num_tests=len(compared),
        num_repeats=evidence.num_repeats,
        look=evidence.look,
        num_looks=len(evidence.looks),
        next_repeats=evidence.next_repeats,
        could_see=range_.could_see,
        moved=findings.moved_tests(compared),
        slices=findings.slices(evidence, config, level=level),
        hard=findings.hard_findings(counted, config),
        critical=findings.critical_tests(counted, config),
        ceilings=findings.ceilings(evidence, config, level=level) if compared else (),
        infra_share=evidence.infra_share,
        not_judged_share=evidence.not_judged_share,
        num_flaky=findings.num_flaky(compared),
        num_left_out=len(counted) - len(compared),
        num_quarantined=len(evidence.tests) - len(counted),
        num_advisory=sum(test.before.num_advisory + test.now.num_advisory for test in counted),
        policy=evidence.policy,
        seed=evidence.seed,
    )
    decided = replace(draft, outcome=_outcome(draft, config))
    if not _may_change(decided, config):
        decided = replace(decided, next_repeats=None)
    sentence, why = sentences_for(decided, config)
    return replace(decided, sentence=sentence, why=why)


def is_worse(low: float, high: float, margin: float) -> bool:
    """Say whether an interval shows harm: surely worse, and perhaps by more than the margin."""
    return high < 0 and low <= -margin


def is_no_worse(low: float, margin: float) -> bool:
    """Say whether an interval rules out a drop of the margin or more."""
    return low > -margin


def to_rerun(evidence: Evidence, decision: Decision) -> list[str]:
    """Return the tests of which one more run of the candidate would settle something.

    Hard findings that were seen in one run only and have had no confirming re-run; critical tests
    of which a repeat has no verdict.
    """
    if decision.outcome in {Outcome.FAILED, Outcome.VOID}:
        return []
    tests = {test.key: test for test in evidence.counted}
    found = [
        each.key
        for each in decision.hard
        if not each.is_confirmed and not tests[each.key].was_rerun
    ]
    found += [
        each.key
        for each in decision.critical
        if each.num_passed == each.num_judged < each.num_needed
        and tests[each.key].now.num_runs < each.num_needed + _MOST_TRIES
    ]
    return sorted(set(found))


def _range(evidence: Evidence, level: float) -> _Range:
    tests = evidence.compared
    if not tests:
        return _Range()
    found = stats.compare(
        diffs_of(tests), repeats=mean_repeats(tests), level=level, seed=evidence.seed
    )
    return _Range(
        diff=float(found.diff),
        low=float(found.low),
        high=float(found.high),
        could_see=min(stats.least_seen(float(found.error), level), 1.0),
    )


def _may_change(decided: Decision, config: GateConfig) -> bool:
    """Say whether more repeats of all tests may decide what is open; of one finding they do not."""
    if decided.outcome is not Outcome.INCONCLUSIVE or decided.low is None:
        return False
    is_unsure = any(each.state == "unsure" for each in decided.ceilings)
    return is_unsure or not is_no_worse(decided.low, config.margin)


def _outcome(draft: Decision, config: GateConfig) -> Outcome:
    if draft.lost_share > config.max_infra_share or draft.low is None or draft.high is None:
        return Outcome.VOID
    has_failed = (
        any(each.is_confirmed for each in draft.hard)
        or any(each.num_passed < each.num_judged for each in draft.critical)
        or is_worse(draft.low, draft.high, config.margin)
        or any(part.is_worse for part in draft.slices)
        or any(each.state == "over" for each in draft.ceilings)
    )
    if has_failed:
        return Outcome.FAILED
    is_open = (
        bool(draft.hard)
        or not all(each.has_passed for each in draft.critical)
        or any(each.state == "unsure" for each in draft.ceilings)
    )
    if is_no_worse(draft.low, config.margin) and not is_open:
        return Outcome.PASSED
    return Outcome.INCONCLUSIVE
