"""A gate's decision in words: one sentence of what was decided and why, then the rest. Pure."""

from collections.abc import Iterator

from agents.gate.config import HARD_GATES, GateConfig
from agents.gate.decision import Ceiling, CriticalTest, Decision, HardFinding, Outcome
from agents.golden.lost import lost_way_out, lost_words

_WHAT = {"cost": "cost", "latency": "time worked"}
_MOST_NAMES = 3


def sentences_for(decision: Decision, config: GateConfig) -> tuple[str, tuple[str, ...]]:
    """Return the first sentence of a decision and the further ones, the weightiest first."""
    say = {
        Outcome.VOID: _void,
        Outcome.FAILED: _failed,
        Outcome.PASSED: _passed,
        Outcome.INCONCLUSIVE: _inconclusive,
    }[decision.outcome]
    first, *rest = [*say(decision, config), *_remarks(decision)]
    return first, tuple(dict.fromkeys(rest))


def points(share: float) -> str:
    """Return a difference of shares in points, with its sign: +4.2."""
    rounded = round(share * 100, 1)
    return f"{rounded:+.1f}".replace("-", "\N{MINUS SIGN}") if rounded else "0.0"


def size_of(decision: Decision) -> str:
    """Return how much was run: "120 tests × 3"."""
    return f"{count(decision.num_tests, 'test')} × {decision.num_repeats}"


def interval_of(decision: Decision) -> str:
    """Return the interval in points: "+0.6 to +7.9"."""
    if decision.low is None or decision.high is None:
        return "unknown"
    return f"{points(decision.low)} to {points(decision.high)}"


def count(number: int, word: str) -> str:
    """Return a number with its word: "1 test", "1,200 tests"."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _void(decision: Decision, config: GateConfig) -> Iterator[str]:
    if decision.lost_share > config.max_infra_share:
        yield _too_many_lost(decision, config)
    else:
        yield (
            f"Void: no test was judged under both {decision.baseline.name} and "
            f"{decision.candidate.name}, so that there is nothing to compare."
        )
    yield from _confirmed(decision)


def _too_many_lost(decision: Decision, config: GateConfig) -> str:
    num_infra, num_not_judged = decision.num_lost
    runs = count(decision.baseline.num_runs + decision.candidate.num_runs, "run")
    shares = (
        f"({decision.lost_share:.0%}; at most {config.max_infra_share:.0%} may have no verdict)"
    )
    if num_infra and num_not_judged:
        shares = f"({decision.lost_share:.0%}; at most {config.max_infra_share:.0%} may)"
        what = f"{num_infra + num_not_judged:,} of {runs} have no verdict {shares}: "
        what += lost_words(num_infra, num_not_judged)
    else:
        what = f"{lost_words(num_infra, num_not_judged)} of {runs} {shares}"
    way_out = lost_way_out(num_infra, num_not_judged, again="run the gate again")
    return f"Void: {what}, so that the rest says nothing. {way_out}"


def _failed(decision: Decision, config: GateConfig) -> Iterator[str]:
    reasons = [
        *_confirmed(decision),
        *_critical(decision),
        *_worse(decision),
        *_parts(decision),
        *_over(decision),
    ]
    yield "Failed: " + reasons[0]
    yield from (_capital(reason) for reason in reasons[1:])


def _passed(decision: Decision, config: GateConfig) -> Iterator[str]:
    candidate, baseline = decision.candidate.name, decision.baseline.name
    low, high, diff = decision.low or 0.0, decision.high or 0.0, decision.diff or 0.0
    by, over = (
        f"{points(abs(diff)).lstrip('+')} points ({interval_of(decision)})",
        size_of(decision),
    )
    margin = _margin(config)
    if low > 0:
        yield f"Passed: {candidate} is better than {baseline} by {by}, {over}."
    elif high < 0:
        yield (
            f"Passed: {candidate} is worse than {baseline} by {by}, {over}, but surely by less "
            f"than the {margin} allowed."
        )
    else:
        yield (
            f"Passed: {candidate} is not worse than {baseline} by {margin} or more; the "
            f"difference is {points(diff)} points ({interval_of(decision)}), {over}."
        )


def _inconclusive(decision: Decision, config: GateConfig) -> Iterator[str]:
    reasons = [*_unconfirmed(decision), *_unfinished(decision), *_unsure(decision)]
    if (decision.low or 0.0) <= -config.margin:
        reasons.insert(0, _unclear(decision, config))
    yield "Inconclusive: " + reasons[0]
    yield from (_capital(reason) for reason in reasons[1:])
    if decision.next_repeats is not None:
        yield f"{decision.next_repeats} repeats of each test may still decide it."
    else:
        yield "No further repeats are added: a person decides."


def _unclear(decision: Decision, config: GateConfig) -> str:
    better, worse = decision.num_moved("better", "fixed"), decision.num_moved("broken", "worse")
    found = f"({points(decision.diff or 0.0)} points, {interval_of(decision)})"
    change = "no change was seen" if decision.num_tests and better == worse else "it is not clear"
    return (
        f"{change} {found}: {better} better and {worse} worse of {size_of(decision)}. A drop of "
        f"{_margin(config)} cannot be ruled out; {could_see(decision)}."
    )


def could_see(decision: Decision) -> str:
    """Return the power there was: "this many runs could have seen a drop of 6 points"."""
    if decision.could_see is None:
        return "nothing could be seen"
    drop = f"{decision.could_see * 100:.0f}"
    unit = "point" if drop == "1" else "points"
    return f"so many runs could have seen a drop of {drop} {unit}"


def _margin(config: GateConfig) -> str:
    return "1 point" if config.margin_points == 1 else f"{config.margin_points:g} points"


def _confirmed(decision: Decision) -> Iterator[str]:
    for each in decision.hard:
        if each.is_confirmed:
            yield f"{_finding(each, decision)}."


def _unconfirmed(decision: Decision) -> Iterator[str]:
    for each in decision.hard:
        if not each.is_confirmed:
            yield f"{_finding(each, decision)}: seen once, not confirmed. A person looks at it."


def _finding(each: HardFinding, decision: Decision) -> str:
    what = HARD_GATES.get(each.gate, each.gate)
    before = (
        f"; under {decision.baseline.name} too, {count(each.num_seen_before, 'time')}"
        if each.num_seen_before
        else ""
    )
    runs = count(each.num_runs, "run")
    return f"{what} in “{each.title}”, in {each.num_seen} of {runs}{before}: {each.found}".rstrip(
        ".: "
    )


def _critical(decision: Decision) -> Iterator[str]:
    for each in decision.critical:
        if each.num_passed < each.num_judged:
            yield (
                f"the critical test “{each.title}” passed {each.num_passed} of "
                f"{each.num_judged} repeats, and every one must pass"
                f"{_before(each, decision)}."
            )


def _before(each: CriticalTest, decision: Decision) -> str:
    under = f"({decision.baseline.name}: {each.before_passed} of {each.before_judged})"
    return f"; it also fails on the baseline {under}" if each.fails_before else f" {under}"


def _unfinished(decision: Decision) -> Iterator[str]:
    for each in decision.critical:
        if each.num_passed == each.num_judged < each.num_needed:
            yield (
                f"the critical test “{each.title}” has {each.num_judged} of the "
                f"{each.num_needed} repeats it needs."
            )


def _worse(decision: Decision) -> Iterator[str]:
    low, high, diff = decision.low, decision.high, decision.diff
    if low is None or high is None or diff is None or not (high < 0 and low <= -decision.margin):
        return
    yield (
        f"{decision.candidate.name} is worse than {decision.baseline.name} by "
        f"{points(-diff).lstrip('+')} points ({interval_of(decision)}), {size_of(decision)}."
    )


def _parts(decision: Decision) -> Iterator[str]:
    for part in decision.slices:
        if part.is_worse:
            yield (
                f"the {part.by} {part.name} is worse by {points(-part.diff).lstrip('+')} points "
                f"({points(part.low)} to {points(part.high)}), {count(part.num_tests, 'test')}."
            )


def _over(decision: Decision) -> Iterator[str]:
    for each in decision.ceilings:
        if each.state == "over":
            yield f"{_height(each, decision)}."


def _unsure(decision: Decision) -> Iterator[str]:
    for each in decision.ceilings:
        if each.state == "unsure":
            yield f"{_height(each, decision)}, though it may lie under it."


def _height(each: Ceiling, decision: Decision) -> str:
    low, high = _amount(each, each.low), _amount(each, each.high)
    than = f" of {decision.baseline.name}'s" if each.is_ratio else ""
    return (
        f"the {_WHAT[each.what]} of a run is {_amount(each, each.value)}{than} ({low} to {high}), "
        f"over the ceiling of {_amount(each, each.limit)}"
    )


def _amount(each: Ceiling, value: float | None) -> str:
    if value is None:
        return "unknown"
    if each.is_ratio:
        return f"{value:.2f} times"
    return f"${value:.4f}" if each.what == "cost" else f"{value:.1f} s"


def _remarks(decision: Decision) -> Iterator[str]:
    if broken := decision.broken:
        names = ", ".join(f"“{test.title}”" for test in broken[:_MOST_NAMES])
        more = f" and {len(broken) - _MOST_NAMES} more" if len(broken) > _MOST_NAMES else ""
        once = decision.num_repeats == 1
        how = "passed before, fails now" if once else "passed every time before, never now"
        yield f"Broken ({how}): {names}{more}."
    if decision.outcome is Outcome.VOID:
        return
    if any(decision.num_lost):
        lost = lost_words(*decision.num_lost)
        yield f"Of the runs {lost}: without a verdict they count for neither version."
    if decision.num_left_out:
        are = "is" if decision.num_left_out == 1 else "are"
        yield f"{count(decision.num_left_out, 'test')} could not be compared and {are} left out."
    if decision.num_quarantined:
        yield f"{count(decision.num_quarantined, 'test')} in quarantine did not count."
    if decision.num_advisory:
        number = count(decision.num_advisory, "verdict")
        yield f"{number} of judges that are not trusted did not count."


def _capital(text: str) -> str:
    """Begin a sentence, unless it begins with a version's name."""
    return text if text[1:2].isdigit() else text[:1].upper() + text[1:]
