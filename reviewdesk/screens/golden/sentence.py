"""What the Golden screen says first: how the candidate does against its baseline. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from agents.gate import stats
from agents.gate.decision import Decision, Outcome
from agents.gate.sentence import interval_of, points, size_of
from agents.gate.words import Told, difference_words, told_of
from agents.golden.compare import LEVEL
from agents.models import EvalRun, Gate
from agents.releases.proof import Move
from reviewdesk.kpis.estimates import Estimate, Interval
from reviewdesk.screens.golden.board import MOVED_FIRST, Board, Cell, Column

# Of fewer tests an interval says nothing that their names don't say better.
MIN_TESTS = 5
_SAME = 1e-9
_TOLD = {
    Told.BETTER: ("good", "circle-check"),
    Told.WORSE: ("bad", "circle-x"),
    Told.OPEN: ("none", "equal"),
}
GATE_MARKS = {
    Gate.Status.RUNNING: ("accent", "player-play"),
    Gate.Status.PASSED: ("good", "circle-check"),
    Gate.Status.FAILED: ("bad", "circle-x"),
    Gate.Status.INCONCLUSIVE: ("warn", "user-question"),
    Gate.Status.VOID: ("none", "ban"),
    Gate.Status.CANCELLED: ("none", "ban"),
}


@dataclass(frozen=True)
class Sentence:
    """A finding in words.

    Attributes:
        kind: good, warn, bad, info or none.
        icon: In the sprite.
        text: The finding.
        detail: What stands behind it, or empty.
    """

    kind: str
    icon: str
    text: str
    detail: str = ""


@dataclass(frozen=True)
class Tally:
    """How a version does over all tests; a test passes if all its judged repeats do."""

    num_passed: int
    num_failed: int
    num_open: int

    @property
    def num_judged(self) -> int:
        """Return the tests that passed or failed."""
        return self.num_passed + self.num_failed


def tally(cells: Iterable[Cell]) -> Tally:
    """Count the cells of one version."""
    all_cells = list(cells)
    passed = sum(cell.is_passed for cell in all_cells)
    failed = sum(cell.is_failed for cell in all_cells)
    return Tally(passed, failed, len(all_cells) - passed - failed)


def compare_sentence(board: Board, decision: Decision | None = None) -> Sentence:
    """Return what the board shows, in one sentence.

    Args:
        board: What is shown.
        decision: Of the gate whose two eval runs are compared: where it is about the same tests
            its interval is shown, which allows for its looks.
    """
    if not board.columns:
        return Sentence("info", "info-circle", f"{board.agent} has no version to run them on yet.")
    difference = difference_of(board)
    if difference is not None and decision is not None:
        difference = _as_decided(difference, decision)
    if difference is not None and difference.n >= MIN_TESTS:
        return _difference_sentence(board, difference)
    return _count_sentence(board)


def difference_of(board: Board) -> Estimate | None:
    """Return the candidate's share of passes minus the baseline's, as a mean over tests.

    Each test counts once, whatever its repeats, for they are not independent; the interval is the
    gate's, by a bootstrap over tests. None where nothing is compared.
    """
    baseline, candidate = board.baseline, board.candidate
    if baseline is None or candidate is None:
        return None
    pairs = zip(board.cells_of(baseline), board.cells_of(candidate), strict=True)
    compared = [
        (before, now)
        for before, now in pairs
        if before.is_judged and now.is_judged and before.test_hash == now.test_hash
    ]
    differences = [
        now.num_passed / now.num_judged - before.num_passed / before.num_judged
        for before, now in compared
    ]
    if not differences:
        return None
    interval = None
    if len(differences) > 1:
        cells = [cell for pair in compared for cell in pair]
        found = stats.compare(
            np.array(differences),
            repeats=fmean(cell.num_judged for cell in cells),
            level=LEVEL,
            seed=0,
        )
        interval = Interval(float(found.low), float(found.high))
    return Estimate(fmean(differences), interval, len(differences), 1)


def _as_decided(difference: Estimate, decision: Decision) -> Estimate:
    """Return a difference with the gate's interval where the gate decided on the same results."""
    diff, low, high = decision.diff, decision.low, decision.high
    if diff is None or low is None or high is None or difference.value is None:
        return difference
    is_same = difference.n == decision.num_tests and abs(difference.value - diff) < _SAME
    return replace(difference, interval=Interval(low, high)) if is_same else difference


def gate_sentence(gate: Gate, decision: Decision | None) -> Sentence:
    """Return what a gate has come to, in one sentence."""
    status = Gate.Status(gate.status)
    kind, icon = GATE_MARKS[status]
    if status is Gate.Status.RUNNING:
        text = f"{gate.candidate} is being compared with {gate.baseline}."
        so_far = f"Undecided after look {decision.look}: {decision.sentence}" if decision else ""
        return Sentence(kind, icon, text, so_far)
    detail = ""
    if decision and decision.diff is not None and decision.outcome is not Outcome.VOID:
        rates = [
            f"{100 * arm.rate:.1f} %" if arm.rate is not None else "–"
            for arm in (decision.candidate, decision.baseline)
        ]
        detail = f"Pass rate {rates[0]} against {rates[1]}: {points(decision.diff)} points "
        detail += f"({interval_of(decision)}), {size_of(decision)}, same window."
    return Sentence(kind, icon, gate.sentence, detail)


def aside_of(board: Board) -> str:
    """Return what stands beside the sentence: when it was run, its cost, what is left out."""
    candidate = board.candidate
    if candidate is None or candidate.eval_run is None:
        return ""
    cells = board.cells_of(candidate)
    ended = candidate.eval_run.finished_at
    parts = [f"done {ended:%a %d %b, %H:%M}"] if ended else []
    costs = [cell.cost_usd for cell in cells if set(cell.letters) != {"p"}]
    known = [cost for cost in costs if cost is not None]
    if known and len(known) == len(costs):
        parts.append(f"${sum(known):.2f}")
    told = [cell for cell in cells if not cell.is_outdated]
    if errors := sum(cell.num_errors for cell in told):
        parts.append(f"{errors} infra error{'' if errors == 1 else 's'}, left out")
    if num_not_judged := sum(cell.num_not_judged for cell in told):
        parts.append(f"{num_not_judged} not judged, left out")
    return " · ".join(parts)


def _difference_sentence(board: Board, difference: Estimate) -> Sentence:
    value, interval = difference.value or 0.0, difference.interval
    size = f"{_tests(difference.n)} × {_repeats(board)}"
    if interval is None:
        detail = f"{size}, every one went the same way"
        low = high = value
    else:
        detail = f"({points(interval.low)} to {points(interval.high)}), {size}"
        low, high = interval.low, interval.high
    if value == 0 and interval is None:
        return Sentence("none", "equal", "No difference", size)
    return Sentence(*_TOLD[told_of(low, high)], difference_words(value, low, high), detail)


def _repeats(board: Board) -> str:
    candidate = board.candidate
    cells = board.cells_of(candidate) if candidate else []
    numbers = sorted({len(cell.letters) for cell in cells if cell.is_judged})
    return f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


def _count_sentence(board: Board) -> Sentence:
    live = board.baseline or board.live
    now = board.candidate or live or board.columns[-1]
    own = tally(board.cells_of(now))
    before = tally(board.cells_of(live)) if live and live is not now else None
    if not own.num_judged:
        return _not_run(board, now, live, before)
    text = f"{_name(now)}: {own.num_passed} of {own.num_judged} passed"
    if live and before and before.num_judged:
        text += f"; {_name(live)} failed {before.num_failed} of {before.num_judged}"
    is_worse = any(row.move in {Move.BROKEN, Move.WORSE} for row in board.rows)
    kind, icon = "good", "circle-check"
    if own.num_failed:
        kind, icon = ("bad", "circle-x") if is_worse or now is live else ("warn", "alert-triangle")
    return Sentence(kind, icon, f"{text}.", _detail(board, now))


def run_sentence(eval_run: EvalRun, counts: Tally) -> Sentence:
    """Return what an eval run has come to, in one sentence about its tests."""
    name, status = str(eval_run.version), EvalRun.Status(eval_run.status)
    so_far = f"{counts.num_passed} of {counts.num_judged + counts.num_open} tests passed"
    if status is EvalRun.Status.RUNNING:
        return Sentence("accent", "player-play", f"{name} is being tested.", f"{so_far} so far")
    if status is EvalRun.Status.PASSED:
        all_of_them = f"all {num} tests" if (num := counts.num_passed) != 1 else "its one test"
        return Sentence("good", "circle-check", f"{name} passed {all_of_them}.")
    if status is EvalRun.Status.VOID:
        why = eval_run.ended_because or "A test was edited while it ran."
        return Sentence("none", "ban", f"Void: {why[:1].lower()}{why[1:]}", so_far)
    if status is EvalRun.Status.CANCELLED:
        why = eval_run.ended_because or "Cancelled before it was complete."
        return Sentence("none", "ban", why, so_far)
    if not counts.num_failed:
        text = f"{name} failed no test, but there is no verdict on {counts.num_open}."
        detail = f"{so_far}. {eval_run.ended_because}" if eval_run.ended_because else so_far
        return Sentence("warn", "alert-triangle", f"Inconclusive: {text}", detail)
    text = f"{name} failed {counts.num_failed} of {counts.num_judged} tests."
    open_tests = f"{counts.num_open} without a verdict" if counts.num_open else ""
    return Sentence("bad", "circle-x", text, open_tests)


def judges_sentence(eval_run: EvalRun, counts: Tally) -> Sentence:
    """Return that an eval run waits for judges alone, and what it came to without them."""
    all_runs = counts.num_judged + counts.num_open
    so_far = f"{counts.num_passed} of {all_runs} tests passed by their exact checks"
    text = f"{eval_run.version} waits for judges; its runs are done."
    return Sentence("info", "hourglass", text, so_far)


def _not_run(board: Board, now: Column, live: Column | None, before: Tally | None) -> Sentence:
    cells = board.cells_of(now)
    if any(set(cell.letters) & {"e", "u"} and not cell.is_outdated for cell in cells):
        text = f"{_name(now)} was run, but no test of it has a verdict."
        return Sentence("warn", "alert-triangle", text, _detail(board, now))
    text = f"{_name(now)} has not been run yet"
    if live and before and before.num_judged:
        text += f"; {_name(live)} passed {before.num_passed} of {before.num_judged}"
    detail = f"{_tests(len(board.rows))} would be run" if board.rows else ""
    return Sentence("info", "info-circle", f"{text}.", detail)


def _detail(board: Board, now: Column) -> str:
    parts = [
        f"{number} {move.value}"
        for move in MOVED_FIRST
        if (number := sum(row.move is move for row in board.rows))
    ]
    unjudged = [cell for cell in board.cells_of(now) if not cell.is_judged]
    # What was lost is somebody's work; a test that waits for its first run is not.
    told = [cell for cell in unjudged if not cell.is_outdated]
    num_infra = sum("e" in cell.letters for cell in told)
    num_not_judged = sum("u" in cell.letters and "e" not in cell.letters for cell in told)
    if num_infra:
        parts.append(f"{num_infra} without a verdict: infrastructure error")
    if num_not_judged:
        parts.append(f"{num_not_judged} without a verdict: not judged")
    if num_open := len(unjudged) - num_infra - num_not_judged:
        parts.append(f"{num_open} not run")
    return " · ".join(parts)


def _name(column: Column) -> str:
    return f"{column.version} (live)" if column.is_live else str(column.version)


def _tests(number: int) -> str:
    return "1 test" if number == 1 else f"{number} tests"
