"""What stands on the Golden screen's board: tests by versions, and what moved. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from agents.models import Agent, EvalResult, EvalRun, GoldenTest, Version
from agents.releases.proof import Move, move_of

MOVED_FIRST = (Move.BROKEN, Move.WORSE, Move.BETTER, Move.FLAKY, Move.NEW)
_LETTERS = {
    EvalResult.Status.PASSED: "g",
    EvalResult.Status.FAILED: "f",
    EvalResult.Status.INFRA_ERROR: "e",
    EvalResult.Status.NOT_JUDGED: "u",
    EvalResult.Status.PENDING: "p",
}


@dataclass(frozen=True)
class Column:
    """A version on the board.

    Attributes:
        is_baseline: What the candidate is compared with.
        is_candidate: What is compared with the baseline.
        eval_run: Its newest eval run, or the one that was asked for; None: not run yet.
        is_pinned: The results are those of `eval_run`, else each test's newest on the version.
    """

    version: Version
    is_live: bool
    is_candidate: bool
    eval_run: EvalRun | None
    is_baseline: bool = False
    is_pinned: bool = False

    @property
    def role(self) -> str:
        """Return what stands beside the version's number."""
        if self.is_live:
            return "live"
        return "candidate" if self.is_candidate else ""

    @property
    def value(self) -> str:
        """Return how it is asked for in the address."""
        if self.is_pinned and self.eval_run:
            return str(self.eval_run.pk)
        return str(self.version)


@dataclass(frozen=True)
class Cell:
    """What one version did in one test.

    Attributes:
        letters: One per repeat: g passed, f failed, e infrastructure error, u not judged, p not
            run.
        is_outdated: The test was edited since; the letters say nothing any more.
        test_hash: The content that was run.
        cost_usd: Of its repeats; None is unknown.
    """

    letters: tuple[str, ...] = ("p",)
    is_outdated: bool = False
    test_hash: str = ""
    cost_usd: Decimal | None = None

    @property
    def num_passed(self) -> int:
        """Return the repeats that passed."""
        return self.letters.count("g")

    @property
    def num_judged(self) -> int:
        """Return the repeats that passed or failed."""
        return self.num_passed + self.letters.count("f")

    @property
    def num_errors(self) -> int:
        """Return the repeats that say nothing, because the infrastructure failed."""
        return self.letters.count("e")

    @property
    def num_not_judged(self) -> int:
        """Return the repeats that say nothing, because nothing decided them."""
        return self.letters.count("u")

    @property
    def is_judged(self) -> bool:
        """Say whether the cell says anything about the test as it is."""
        return bool(self.num_judged) and not self.is_outdated

    @property
    def is_passed(self) -> bool:
        """Say whether all judged repeats passed."""
        return self.is_judged and self.num_passed == self.num_judged

    @property
    def is_failed(self) -> bool:
        """Say whether a judged repeat failed."""
        return self.is_judged and self.num_passed < self.num_judged

    @property
    def words(self) -> str:
        """Return the cell in words, for those who don't see the squares."""
        if self.is_outdated:
            return "not run since the test was edited"
        if set(self.letters) == {"p"}:
            return "not run"
        parts = [f"{self.num_passed} of {self.num_judged} pass"] if self.num_judged else []
        if errors := self.num_errors:
            parts.append(f"{errors} infrastructure error{'s' if errors > 1 else ''}")
        if self.num_not_judged:
            parts.append(f"{self.num_not_judged} not judged")
        if num_open := self.letters.count("p"):
            parts.append(f"{num_open} not run")
        return ", ".join(parts)


@dataclass(frozen=True)
class Row:
    """A test on the board, with a cell per column."""

    test: GoldenTest
    cells: tuple[Cell, ...]
    move: Move | None
    fails_on_live: bool


@dataclass(frozen=True)
class Board:
    """Tests of an agent against some of its versions.

    Attributes:
        rows: What moved first.
        columns: As they stand from left to right; the candidate is the last one.
        suite: A suite's key, `quarantine`, `retired`, or empty for all active tests.
    """

    agent: Agent
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    suite: str = ""

    @property
    def live(self) -> Column | None:
        """Return the live version's column."""
        return next((column for column in self.columns if column.is_live), None)

    @property
    def baseline(self) -> Column | None:
        """Return the column that the candidate is compared with."""
        return next((column for column in self.columns if column.is_baseline), None)

    @property
    def candidate(self) -> Column | None:
        """Return the column that is compared with the baseline."""
        return next((column for column in self.columns if column.is_candidate), None)

    @property
    def is_compared(self) -> bool:
        """Say whether there are two columns to compare."""
        return self.baseline is not None and self.candidate is not None

    def cells_of(self, column: Column) -> list[Cell]:
        """Return a column from top to bottom."""
        at = self.columns.index(column)
        return [row.cells[at] for row in self.rows]

    def shown(self, show: str, words: str) -> list[Row]:
        """Return the rows of a tab whose title, slug or tags contain all words."""
        wanted = words.casefold().split()
        return [
            row
            for row in self.rows
            if _belongs(row, show) and all(word in _text_of(row.test) for word in wanted)
        ]

    def num_shown(self, show: str) -> int:
        """Return how many rows a tab has."""
        return sum(_belongs(row, show) for row in self.rows)


def build_board(
    agent: Agent,
    *,
    columns: tuple[Column, ...],
    tests: Sequence[GoldenTest],
    cells: Mapping[tuple[int, int], Cell],
    suite: str = "",
) -> Board:
    """Return the board of these tests; `cells` by the test's id and the column's place."""
    rows = [_row(test, columns, cells) for test in tests]
    rows.sort(key=lambda row: (_order(row), row.test.title.casefold()))
    return Board(agent, columns, tuple(rows), suite)


def cell_of(results: Sequence[tuple[str, str]], test_hash: str) -> Cell:
    """Return the cell of a test's repeats: their status and hash, and the test's hash now."""
    return Cell(
        letters=tuple(_LETTERS[EvalResult.Status(status)] for status, _ in results),
        is_outdated=results[0][1] != test_hash,
        test_hash=results[0][1],
    )


def move_between(before: Cell, now: Cell) -> Move | None:
    """Return what moved from one cell to another; None where nothing was judged now."""
    if not now.is_judged:
        return None
    is_same_test = before.is_judged and before.test_hash == now.test_hash
    return move_of(
        now=(now.num_passed, now.num_judged),
        before=(before.num_passed, before.num_judged) if is_same_test else None,
    )


def _row(test: GoldenTest, columns: Sequence[Column], cells: Mapping[tuple[int, int], Cell]) -> Row:
    own = tuple(cells.get((test.pk, at), Cell()) for at in range(len(columns)))
    by_column = list(zip(columns, own, strict=True))
    live = next((cell for column, cell in by_column if column.is_live), None)
    before = next((cell for column, cell in by_column if column.is_baseline), Cell())
    now = next((cell for column, cell in by_column if column.is_candidate), None)
    return Row(
        test=test,
        cells=own,
        move=move_between(before, now) if now else None,
        fails_on_live=live is not None and live.is_failed,
    )


def _order(row: Row) -> int:
    if row.move in MOVED_FIRST:
        return MOVED_FIRST.index(row.move)
    return len(MOVED_FIRST) + (not row.fails_on_live)


def _belongs(row: Row, show: str) -> bool:
    if show == "failing":
        return row.fails_on_live
    if show == Move.NEW:
        return row.move is Move.NEW or not any(cell.is_judged for cell in row.cells)
    return show == "all" or row.move == show


def _text_of(test: GoldenTest) -> str:
    return f"{test.title} {test.slug} {' '.join(test.tags)}".casefold()
