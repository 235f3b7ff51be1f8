"""One golden test, read from the database: its checks per version, what happened, its origin."""

import uuid
from dataclasses import dataclass

from django.db.models import Count, Max, Min, Q

from agents.golden.check_fields import readable_title
from agents.golden.edit import archived_because
from agents.golden.judgements import Check, shorten
from agents.golden.plan import is_quarantined
from agents.golden.proposed import cause_of
from agents.golden.replay import Fixture, fixture_from_json
from agents.models import Agent, EvalResult, EvalRun, GoldenTest
from agents.releases.proof import Move
from reviewdesk.screens.golden.board import Cell, Column, move_between
from reviewdesk.screens.golden.columns import columns_of
from reviewdesk.screens.golden.expected import ExpectedLine, lines_of_expectations
from reviewdesk.screens.golden.reading import cell_in, results_of


@dataclass(frozen=True)
class CheckCell:
    """How one check went on one version.

    Attributes:
        num_passed: Repeats in which it passed.
        num_judged: Repeats in which it was judged; 0 is "not run", or "no judge has said".
        found: What was found where it failed, else where it passed.
    """

    num_passed: int = 0
    num_judged: int = 0
    found: str = ""

    @property
    def state(self) -> str:
        """Return pass, fail, mixed, or nothing where it was not judged."""
        if not self.num_judged:
            return ""
        if self.num_passed == self.num_judged:
            return "pass"
        return "mixed" if self.num_passed else "fail"


@dataclass(frozen=True)
class CheckLine:
    """A check with a cell per version."""

    check: Check
    title: str
    cells: tuple[CheckCell, ...]


@dataclass(frozen=True)
class Deviation:
    """What a version did instead of what a check demands.

    Attributes:
        num_times: In so many repeats.
        session_id: A session to read it in, or None.
    """

    title: str
    found: str
    num_times: int
    session_id: uuid.UUID | None


@dataclass(frozen=True)
class PanelColumn:
    """A version in the panel: its results of this test.

    Attributes:
        hard: What broke a hard gate, each once: `(gate, found)`.
        num_missing: Calls for which there was no recorded answer.
    """

    column: Column
    cell: Cell
    results: tuple[EvalResult, ...]
    deviations: tuple[Deviation, ...]
    hard: tuple[tuple[str, str], ...]
    num_missing: int

    @property
    def session_id(self) -> uuid.UUID | None:
        """Return the session to read: one that failed, else the first there is."""
        failed = [each.session_id for each in self.deviations if each.session_id]
        runs = [result.run for result in self.results if result.run]
        return failed[0] if failed else (runs[0].session_id if runs else None)


@dataclass(frozen=True)
class History:
    """How a test went so far, over all versions and eval runs that count."""

    num_passed: int
    num_judged: int
    first: int | None
    last: int | None


@dataclass(frozen=True)
class Panel:
    """A golden test with all that the panel shows.

    Attributes:
        columns: What is compared, or else the versions of the board.
        cause: Code and name of the labelled cause, empty where there is none.
        archived_because: Why it is not run any more, or empty.
    """

    test: GoldenTest
    columns: tuple[PanelColumn, ...]
    lines: tuple[CheckLine, ...]
    expected: tuple[ExpectedLine, ...]
    move: Move | None
    cause: tuple[str, str]
    history: History
    archived_because: str
    is_quarantined: bool

    @property
    def fixtures(self) -> list[Fixture]:
        """Return the recorded tool results."""
        return [fixture_from_json(data) for data in self.test.fixtures]

    @property
    def quote(self) -> str:
        """Return the customer's first words."""
        said = [each["content"] for each in self.test.input["messages"] if each["role"] == "user"]
        return shorten(said[0], 220) if said else ""

    @property
    def num_messages(self) -> int:
        """Return how many messages the test's customer and greeting have."""
        return len(self.test.input["messages"]) + len(self.test.input["turns"])

    @property
    def session_id(self) -> uuid.UUID | None:
        """Return the session to look into first: one that failed, else the newest version's."""
        for column in (*self.deviating, *reversed(self.columns)):
            if column.session_id:
                return column.session_id
        return None

    @property
    def beside(self) -> tuple[uuid.UUID, uuid.UUID] | None:
        """Return two sessions to read side by side: the baseline's or the recorded one, and now's.

        None where one of them is missing.
        """
        now = (self.newest.session_id if self.newest else None) or self.session_id
        before = next((each.session_id for each in self.columns if each.column.is_baseline), None)
        before = before if before != now else None
        before = before or self.test.source_session_id
        return (before, now) if before and now and before != now else None

    @property
    def deviating(self) -> list[PanelColumn]:
        """Return the versions that failed, newest first."""
        return [column for column in reversed(self.columns) if column.cell.is_failed]

    @property
    def before(self) -> PanelColumn | None:
        """Return the baseline's column, where it judged the test."""
        found = (each for each in self.columns if each.column.is_baseline and each.cell.is_judged)
        return next(found, None)

    @property
    def newest(self) -> PanelColumn | None:
        """Return the newest version's column."""
        return self.columns[-1] if self.columns else None


def read_panel(agent: Agent, test: GoldenTest, columns: tuple[Column, ...] | None = None) -> Panel:
    """Return a test with its results on the versions of the board. At most ten queries."""
    all_columns = columns_of(agent) if columns is None else columns
    compared = tuple(each for each in all_columns if each.is_baseline or each.is_candidate)
    shown = compared if len(compared) == 2 else all_columns
    found = results_of([test], shown)
    by_pk = EvalResult.objects.select_related("run", "eval_run").in_bulk(
        [row["pk"] for rows in found.values() for row in rows]
    )
    own = tuple(
        _column(test, column, [by_pk[row["pk"]] for row in found.get((test.pk, at), ())])
        for at, column in enumerate(shown)
    )
    before = next((each.cell for each in own if each.column.is_baseline), Cell())
    now = next((each.cell for each in own if each.column.is_candidate), None)
    return Panel(
        test=test,
        columns=own,
        lines=tuple(_line(test, at, check, own) for at, check in enumerate(test.checks)),
        expected=lines_of_expectations(
            test, [() if each.cell.is_outdated else each.results for each in own]
        ),
        move=move_between(before, now) if now else None,
        cause=cause_of(test.source_label),
        history=_history(test),
        archived_because=archived_because(test) if test.archived_at else "",
        is_quarantined=test.archived_at is None and is_quarantined(test),
    )


def _history(test: GoldenTest) -> History:
    judged = test.results.filter(
        status__in=(EvalResult.Status.PASSED, EvalResult.Status.FAILED)
    ).exclude(eval_run__status=EvalRun.Status.VOID)
    found = judged.aggregate(
        num_passed=Count("pk", filter=Q(status=EvalResult.Status.PASSED)),
        num_judged=Count("pk"),
        first=Min("eval_run__version__number"),
        last=Max("eval_run__version__number"),
    )
    return History(**found)


def _column(test: GoldenTest, column: Column, results: list[EvalResult]) -> PanelColumn:
    rows = [
        {"status": each.status, "test_hash": each.test_hash, "cost_usd": each.cost_usd}
        for each in results
    ]
    cell = cell_in(column, rows, test.content_hash) if rows else Cell()
    told = () if cell.is_outdated else tuple(results)
    return PanelColumn(
        column,
        cell,
        tuple(results),
        _deviations(told),
        hard=tuple(
            dict.fromkeys((each["gate"], each["found"]) for result in told for each in result.hard)
        ),
        num_missing=sum(result.num_missing for result in told),
    )


def _deviations(results: tuple[EvalResult, ...]) -> tuple[Deviation, ...]:
    """Return what failed, each finding once, with the first session it is seen in."""
    found: dict[tuple[str, str], list[EvalResult]] = {}
    for result in results:
        if result.status == EvalResult.Status.FAILED:
            for check in result.checks:
                if check["passed"] is False:
                    found.setdefault((check["title"], check["found"]), []).append(result)
            if result.error:
                found.setdefault(("ends by itself", result.error), []).append(result)
    return tuple(
        Deviation(title, what, len(seen), seen[0].run.session_id if seen[0].run else None)
        for (title, what), seen in found.items()
    )


def _line(test: GoldenTest, at: int, check: Check, columns: tuple[PanelColumn, ...]) -> CheckLine:
    return CheckLine(
        check=check,
        title=readable_title(check),
        cells=tuple(_check_cell(test, at, column) for column in columns),
    )


def _check_cell(test: GoldenTest, at: int, column: PanelColumn) -> CheckCell:
    if column.cell.is_outdated or column.cell.test_hash != test.content_hash:
        return CheckCell()
    found = [result.checks[at] for result in column.results if at < len(result.checks)]
    judged = [check for check in found if check["passed"] is not None]
    failed = [check for check in judged if not check["passed"]]
    telling = (failed or judged or found)[:1]
    return CheckCell(
        num_passed=len(judged) - len(failed),
        num_judged=len(judged),
        found=telling[0]["found"] if telling else "",
    )
