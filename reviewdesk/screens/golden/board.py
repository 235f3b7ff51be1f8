"""The Golden screen's board, read from the database: tests by versions, and what moved."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q

from agents.models import Agent, EvalResult, EvalRun, GoldenTest, Version
from agents.releases.proof import Move

PAGE_SIZE = 50
NUM_VERSIONS = 3
_LETTERS = {
    EvalResult.Status.PASSED: "g",
    EvalResult.Status.FAILED: "f",
    EvalResult.Status.INFRA_ERROR: "e",
    EvalResult.Status.PENDING: "p",
}


@dataclass(frozen=True)
class Column:
    """A version on the board, with its newest eval run (None: not run yet)."""

    version: Version
    is_live: bool
    is_candidate: bool
    eval_run: EvalRun | None


@dataclass(frozen=True)
class Cell:
    """What one version did in one test.

    Attributes:
        letters: One per repeat: g passed, f failed, e infrastructure error, p not run.
        is_outdated: The test was edited since; the letters say nothing any more.
    """

    letters: tuple[str, ...] = ("p",)
    is_outdated: bool = False

    @property
    def num_passed(self) -> int:
        """Return the repeats that passed."""
        return self.letters.count("g")

    @property
    def num_judged(self) -> int:
        """Return the repeats that passed or failed."""
        return self.num_passed + self.letters.count("f")

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
        if not self.num_judged and "e" not in self.letters:
            return "not run"
        parts = [f"{self.num_passed} of {self.num_judged} pass"] if self.num_judged else []
        if errors := self.letters.count("e"):
            parts.append(f"{errors} infrastructure error{'s' if errors > 1 else ''}")
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
    """All tests of an agent against its last versions.

    Attributes:
        rows: Active tests, what moved first.
        columns: Oldest version first.
        num_archived: Tests that are not run any more.
        is_archived: The rows are those instead.
    """

    agent: Agent
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    num_archived: int
    is_archived: bool = False

    @property
    def live(self) -> Column | None:
        """Return the live version's column."""
        return next((column for column in self.columns if column.is_live), None)

    @property
    def candidate(self) -> Column | None:
        """Return the newest version's column if it is not the live one."""
        return next((column for column in self.columns if column.is_candidate), None)

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


def read_board(agent: Agent, *, is_archived: bool = False) -> Board:
    """Return the board of an agent's active tests, or of its archived ones. Seven queries."""
    all_tests = GoldenTest.objects.filter(agent=agent).defer("input", "fixtures", "checks")
    tests = list(all_tests.filter(archived_at__isnull=not is_archived).order_by("title", "pk"))
    num_archived = len(tests) if is_archived else all_tests.exclude(archived_at=None).count()
    versions = columns_of(agent)
    cells = _cells(tests, [column.version for column in versions])
    rows = [_row(test, versions, cells) for test in tests]
    rows.sort(key=lambda row: (_order(row), row.test.title.casefold()))
    return Board(agent, versions, tuple(rows), num_archived, is_archived)


def columns_of(agent: Agent) -> tuple[Column, ...]:
    """Return the newest version, the live one and those last run, oldest first.

    At most three queries.
    """
    live_id = agent.live_version_id
    was_run = EvalRun.objects.filter(version=OuterRef("pk")).exclude(status=EvalRun.Status.VOID)
    top = agent.versions.order_by("-number").values("pk")[:1]
    shown = Q(Exists(was_run)) | Q(pk=live_id) | Q(pk__in=top)
    newest = list(agent.versions.filter(shown).order_by("-number").defer("config")[:NUM_VERSIONS])
    if live_id is not None and live_id not in {version.pk for version in newest}:
        newest[-1:] = agent.versions.filter(pk=live_id).defer("config")
    runs = {
        run.version_id: run
        for run in EvalRun.objects.filter(version__in=newest)
        .exclude(status=EvalRun.Status.VOID)
        .order_by("version_id", "-created_at", "-pk")
        .distinct("version_id")
    }
    highest = max((version.number for version in newest), default=0)
    return tuple(
        Column(
            version=version,
            is_live=version.pk == live_id,
            is_candidate=version.number == highest and version.pk != live_id,
            eval_run=runs.get(version.pk),
        )
        for version in sorted(newest, key=lambda version: version.number)
    )


def newest_results(
    tests: Iterable[GoldenTest], versions: Iterable[Version]
) -> dict[tuple[int, int], list[dict[str, Any]]]:
    """Return the results of each test's newest eval run on each version, by their ids.

    Two queries. Void eval runs don't count, and of cancelled ones only what was judged does.
    """
    found = EvalResult.objects.filter(
        test__in=[test.pk for test in tests],
        eval_run__version__in=[version.pk for version in versions],
    ).exclude(eval_run__status=EvalRun.Status.VOID)
    found = found.exclude(
        eval_run__status=EvalRun.Status.CANCELLED, status=EvalResult.Status.PENDING
    )
    newest = {
        (test_id, version_id): run_id
        for test_id, version_id, run_id in found.order_by(
            "test_id", "eval_run__version_id", "-eval_run_id"
        )
        .distinct("test_id", "eval_run__version_id")
        .values_list("test_id", "eval_run__version_id", "eval_run_id")
    }
    by_pair: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    rows = found.filter(eval_run__in=set(newest.values())).order_by("repeat")
    for row in rows.values(
        "pk", "test_id", "eval_run_id", "eval_run__version_id", "repeat", "status", "test_hash"
    ):
        pair = (row["test_id"], row["eval_run__version_id"])
        if newest[pair] == row["eval_run_id"]:
            by_pair[pair].append({**row})
    return by_pair


def cell_of(results: Sequence[tuple[str, str]], test_hash: str) -> Cell:
    """Return the cell of a test's repeats: their status and hash, and the test's hash now."""
    return Cell(
        letters=tuple(_LETTERS[EvalResult.Status(status)] for status, _ in results),
        is_outdated=results[0][1] != test_hash,
    )


def move_between(before: Cell, now: Cell) -> Move | None:
    """Return what moved from one cell to another; None where nothing was judged now."""
    if not now.is_judged:
        return None
    if not before.is_judged:
        return Move.NEW
    share, share_before = (
        now.num_passed / now.num_judged,
        before.num_passed / before.num_judged,
    )
    if share == share_before:
        return Move.SAME
    if share > share_before:
        return Move.BETTER
    return Move.BROKEN if share_before == 1 and share == 0 else Move.WORSE


def _cells(tests: Sequence[GoldenTest], versions: Sequence[Version]) -> dict[tuple[int, int], Cell]:
    hashes = {test.pk: test.content_hash for test in tests}
    return {
        pair: cell_of([(row["status"], row["test_hash"]) for row in rows], hashes[pair[0]])
        for pair, rows in newest_results(tests, versions).items()
    }


def _row(test: GoldenTest, columns: Sequence[Column], cells: dict[tuple[int, int], Cell]) -> Row:
    own = tuple(cells.get((test.pk, column.version.pk), Cell()) for column in columns)
    by_role = dict(zip(columns, own, strict=True))
    live = next((cell for column, cell in by_role.items() if column.is_live), None)
    candidate = next((cell for column, cell in by_role.items() if column.is_candidate), None)
    return Row(
        test=test,
        cells=own,
        move=move_between(live or Cell(), candidate) if candidate else None,
        fails_on_live=live is not None and live.is_failed,
    )


def _order(row: Row) -> int:
    order = (Move.BROKEN, Move.WORSE, Move.BETTER, Move.NEW)
    if row.move in order:
        return order.index(row.move)
    return len(order) if row.fails_on_live else len(order) + 1


def _belongs(row: Row, show: str) -> bool:
    if show == "failing":
        return row.fails_on_live
    if show == "moved":
        return row.move in {Move.BROKEN, Move.WORSE, Move.BETTER}
    if show == "new":
        return row.move is Move.NEW or not any(cell.is_judged for cell in row.cells)
    return True


def _text_of(test: GoldenTest) -> str:
    return f"{test.title} {test.slug} {' '.join(test.tags)}".casefold()
