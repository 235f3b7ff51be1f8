"""The Golden screen's board, read from the database."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Q
from django.utils import timezone

from agents.models import Agent, EvalResult, EvalRun, GoldenTest
from reviewdesk.screens.golden.board import Board, Cell, Column, build_board, cell_of
from reviewdesk.screens.golden.columns import Pick, columns_of

QUARANTINE = "quarantine"
RETIRED = "retired"


def read_board(agent: Agent, *, suite: str = "", pick: Pick | None = None) -> Board:
    """Return the board of an agent's tests of a suite, or of those set aside.

    At most eleven queries, for any number of tests.
    """
    tests = tests_of(agent, suite)
    columns = columns_of(agent, pick)
    return build_board(
        agent, columns=columns, tests=tests, cells=_cells(tests, columns), suite=suite
    )


def tests_of(agent: Agent, suite: str) -> list[GoldenTest]:
    """Return a suite's active tests, `quarantine`, `retired`, or all active ones. One query."""
    tests = GoldenTest.objects.filter(_chosen(suite), agent=agent)
    left_out = ("input", "fixtures", "checks", "expectations", "customer", "rules")
    return list(tests.defer(*left_out).order_by("title", "pk"))


def quarantined(on: date | None = None) -> Q:
    """Return the condition of tests that are in quarantine; it ends by itself on its day."""
    return Q(archived_at=None, quarantined_until__gt=on or timezone.now().date())


def results_of(
    tests: Iterable[GoldenTest], columns: Sequence[Column]
) -> dict[tuple[int, int], list[dict[str, Any]]]:
    """Return each test's results by its id and the column's place. At most three queries.

    Of a pinned column those of its eval run; else those of the test's newest eval run on the
    version: void ones don't count, and of cancelled ones only what was judged does.
    """
    wanted = [test.pk for test in tests]
    newest = _newest_runs(wanted, columns)
    run_ids = {
        (pk, at): _run_of(column, pk, newest) for at, column in enumerate(columns) for pk in wanted
    }
    rows = (
        EvalResult.objects.filter(test__in=wanted, eval_run__in=set(run_ids.values()) - {None})
        .order_by("repeat")
        .values("pk", "test_id", "eval_run_id", "status", "test_hash", "cost_usd")
    )
    by_run: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_run[row["test_id"], row["eval_run_id"]].append({**row})
    return {
        (pk, at): by_run[pk, run_id]
        for (pk, at), run_id in run_ids.items()
        if run_id is not None and (pk, run_id) in by_run
    }


def cost_of(results: Sequence[dict[str, Any]]) -> Decimal | None:
    """Return what the results cost; None where one of them is unknown."""
    costs = [row["cost_usd"] for row in results]
    return None if None in costs else sum(costs, Decimal())


def _cells(tests: Sequence[GoldenTest], columns: Sequence[Column]) -> dict[tuple[int, int], Cell]:
    hashes = {test.pk: test.content_hash for test in tests}
    return {
        (pk, at): cell_in(columns[at], rows, hashes[pk])
        for (pk, at), rows in results_of(tests, columns).items()
    }


def cell_in(column: Column, results: Sequence[dict[str, Any]], test_hash: str) -> Cell:
    """Return a column's cell; what an eval run that was asked for found is never outdated."""
    pairs = [(row["status"], row["test_hash"]) for row in results]
    cell = cell_of(pairs, pairs[0][1] if column.is_pinned else test_hash)
    return replace(cell, cost_usd=cost_of(results))


def _newest_runs(tests: Sequence[int], columns: Sequence[Column]) -> dict[tuple[int, int], int]:
    versions = [column.version.pk for column in columns if not column.is_pinned]
    found = (
        EvalResult.objects.filter(test__in=tests, eval_run__version__in=versions)
        .exclude(eval_run__status=EvalRun.Status.VOID)
        .exclude(eval_run__status=EvalRun.Status.CANCELLED, status=EvalResult.Status.PENDING)
        .order_by("test_id", "eval_run__version_id", "-eval_run_id")
        .distinct("test_id", "eval_run__version_id")
        .values_list("test_id", "eval_run__version_id", "eval_run_id")
    )
    return {(test, version): run for test, version, run in found}


def _run_of(column: Column, test: int, newest: dict[tuple[int, int], int]) -> int | None:
    if column.is_pinned:
        return column.eval_run.pk if column.eval_run else None
    return newest.get((test, column.version.pk))


def _chosen(suite: str) -> Q:
    if suite == RETIRED:
        return Q(archived_at__isnull=False)
    if suite == QUARANTINE:
        return quarantined()
    active = Q(archived_at=None) & ~quarantined()
    return active & Q(suite=suite) if suite else active
