"""One golden test, read from the database: its checks per version, what happened, its origin."""

import uuid
from dataclasses import dataclass

from django.db.models import Count, Q

from agents.golden.check_fields import readable_title
from agents.golden.edit import archived_because
from agents.golden.judgements import Check, shorten
from agents.golden.promote import cause_of
from agents.golden.replay import Fixture, fixture_from_json
from agents.models import Agent, EvalResult, GoldenTest
from agents.releases.proof import Move
from reviewdesk.screens.golden.board import (
    Cell,
    Column,
    cell_of,
    columns_of,
    move_between,
    newest_results,
)


@dataclass(frozen=True)
class CheckCell:
    """How one check went on one version.

    Attributes:
        num_passed: Repeats in which it passed.
        num_judged: Repeats in which it was judged; 0 is "not run".
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
    """A version in the panel: its results of this test."""

    column: Column
    cell: Cell
    results: tuple[EvalResult, ...]
    deviations: tuple[Deviation, ...]


@dataclass(frozen=True)
class Panel:
    """A golden test with all that the panel shows.

    Attributes:
        cause: Code and name of the labelled cause, empty where there is none.
        num_passed: Runs of this test that ever passed, on any version.
        num_judged: Runs that passed or failed.
        archived_because: Why it is not run any more, or empty.
    """

    test: GoldenTest
    columns: tuple[PanelColumn, ...]
    lines: tuple[CheckLine, ...]
    move: Move | None
    cause: tuple[str, str]
    num_passed: int
    num_judged: int
    archived_because: str

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
        for column in self.deviating:
            for deviation in column.deviations:
                if deviation.session_id:
                    return deviation.session_id
        runs = [result.run for column in reversed(self.columns) for result in column.results]
        return next((run.session_id for run in runs if run), None)

    @property
    def deviating(self) -> list[PanelColumn]:
        """Return the versions that failed, newest first."""
        return [column for column in reversed(self.columns) if column.cell.is_failed]

    @property
    def newest(self) -> PanelColumn | None:
        """Return the newest version's column."""
        return self.columns[-1] if self.columns else None


def read_panel(agent: Agent, test: GoldenTest, columns: tuple[Column, ...] | None = None) -> Panel:
    """Return a test with its results on the last versions. At most eight queries."""
    shown = columns_of(agent) if columns is None else columns
    by_version = _results(test, shown)
    own = tuple(_column(test, column, by_version.get(column.version.pk, ())) for column in shown)
    judged = test.results.aggregate(
        passed=Count("pk", filter=Q(status=EvalResult.Status.PASSED)),
        failed=Count("pk", filter=Q(status=EvalResult.Status.FAILED)),
    )
    live = next((each.cell for each in own if each.column.is_live), Cell())
    candidate = next((each.cell for each in own if each.column.is_candidate), None)
    return Panel(
        test=test,
        columns=own,
        lines=tuple(_line(at, check, own) for at, check in enumerate(test.checks)),
        move=move_between(live, candidate) if candidate else None,
        cause=cause_of(test.source_label),
        num_passed=judged["passed"],
        num_judged=judged["passed"] + judged["failed"],
        archived_because=archived_because(test) if test.archived_at else "",
    )


def _results(test: GoldenTest, columns: tuple[Column, ...]) -> dict[int, tuple[EvalResult, ...]]:
    """Return the results of the test's newest eval run on each version, by the version's id."""
    newest = newest_results([test], [column.version for column in columns])
    pks = [row["pk"] for rows in newest.values() for row in rows]
    found = EvalResult.objects.filter(pk__in=pks).select_related("run", "eval_run")
    by_version: dict[int, list[EvalResult]] = {}
    for result in found.order_by("repeat"):
        by_version.setdefault(result.eval_run.version_id, []).append(result)
    return {version_id: tuple(results) for version_id, results in by_version.items()}


def _column(test: GoldenTest, column: Column, results: tuple[EvalResult, ...]) -> PanelColumn:
    pairs = [(result.status, result.test_hash) for result in results]
    cell = cell_of(pairs, test.content_hash) if results else Cell()
    return PanelColumn(column, cell, results, () if cell.is_outdated else _deviations(results))


def _deviations(results: tuple[EvalResult, ...]) -> tuple[Deviation, ...]:
    """Return what failed, each finding once, with the first session it is seen in."""
    found: dict[tuple[str, str], list[EvalResult]] = {}
    for result in results:
        if result.status == EvalResult.Status.FAILED:
            for check in result.checks:
                if not check["passed"]:
                    found.setdefault((check["title"], check["found"]), []).append(result)
            if result.error:
                found.setdefault(("ends by itself", result.error), []).append(result)
    return tuple(
        Deviation(title, what, len(seen), seen[0].run.session_id if seen[0].run else None)
        for (title, what), seen in found.items()
    )


def _line(at: int, check: Check, columns: tuple[PanelColumn, ...]) -> CheckLine:
    return CheckLine(
        check=check,
        title=readable_title(check),
        cells=tuple(_check_cell(at, column) for column in columns),
    )


def _check_cell(at: int, column: PanelColumn) -> CheckCell:
    if column.cell.is_outdated:
        return CheckCell()
    judged = [result.checks[at] for result in column.results if at < len(result.checks)]
    failed = [check for check in judged if not check["passed"]]
    telling = (failed or judged)[:1]
    return CheckCell(
        num_passed=len(judged) - len(failed),
        num_judged=len(judged),
        found=telling[0]["found"] if telling else "",
    )
