"""What the Golden screen says first: how the newest version does against the live one. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from agents.models import EvalRun
from agents.releases.proof import Move
from reviewdesk.screens.golden.board import Board, Cell, Column


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


def compare_sentence(board: Board) -> Sentence:
    """Return what the board shows, in one sentence."""
    candidate, live = board.candidate, board.live
    if not board.columns:
        return Sentence("info", "info-circle", f"{board.agent} has no version to run them on yet.")
    now = candidate or live or board.columns[-1]
    counts = {column.version.pk: tally(_cells(board, column)) for column in board.columns}
    own = counts[now.version.pk]
    before = counts[live.version.pk] if live and live is not now else None
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
        return Sentence("good", "circle-check", f"{name} passed all {counts.num_passed} tests.")
    if status is EvalRun.Status.VOID:
        return Sentence("none", "ban", "Void: a test was edited while it ran.", so_far)
    if status is EvalRun.Status.CANCELLED:
        return Sentence("none", "ban", "Cancelled before it was complete.", so_far)
    if not counts.num_failed:
        text = f"{name} failed no test, but {counts.num_open} could not be judged."
        return Sentence("warn", "alert-triangle", text, so_far)
    text = f"{name} failed {counts.num_failed} of {counts.num_judged} tests."
    open_tests = f"{counts.num_open} could not be judged" if counts.num_open else ""
    return Sentence("bad", "circle-x", text, open_tests)


def _not_run(board: Board, now: Column, live: Column | None, before: Tally | None) -> Sentence:
    text = f"{_name(now)} has not been run yet"
    if live and before and before.num_judged:
        text += f"; {_name(live)} passed {before.num_passed} of {before.num_judged}"
    detail = f"{_tests(len(board.rows))} would be run" if board.rows else ""
    return Sentence("info", "info-circle", f"{text}.", detail)


def _detail(board: Board, now: Column) -> str:
    words = {Move.BROKEN: "broken", Move.WORSE: "worse", Move.BETTER: "better", Move.NEW: "new"}
    parts = [
        f"{number} {word}"
        for move, word in words.items()
        if (number := sum(row.move is move for row in board.rows))
    ]
    unjudged = [cell for cell in _cells(board, now) if not cell.is_judged]
    # An infrastructure error is somebody's work; a test that waits for its first run is not.
    num_lost = sum("e" in cell.letters and not cell.is_outdated for cell in unjudged)
    if num_lost:
        parts.append(f"{num_lost} not judged: infrastructure error")
    if len(unjudged) > num_lost:
        parts.append(f"{len(unjudged) - num_lost} not run")
    return " · ".join(parts)


def _cells(board: Board, column: Column) -> list[Cell]:
    at = board.columns.index(column)
    return [row.cells[at] for row in board.rows]


def _name(column: Column) -> str:
    return f"{column.version} (live)" if column.is_live else str(column.version)


def _tests(number: int) -> str:
    return "1 test" if number == 1 else f"{number} tests"
