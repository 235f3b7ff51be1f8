"""The list of an agent's eval runs, read in few queries."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from agents.models import Agent, EvalResult, EvalRun

PAGE_SIZE = 50
_STATUS = EvalResult.Status


@dataclass(frozen=True)
class RunRow:
    """One eval run in the list.

    Attributes:
        scope: What of the agent's tests it holds, in words; empty is all.
        cost_usd: Of what has been judged; None is unknown.
    """

    eval_run: EvalRun
    scope: str
    num_tests: int
    num_passed: int
    num_judged: int
    num_infra: int
    num_not_judged: int
    cost_usd: Decimal | None


def runs_of(agent: Agent) -> QuerySet[EvalRun]:
    """Return an agent's eval runs, newest first."""
    return (
        EvalRun.objects.filter(agent=agent)
        .select_related("version", "requested_by")
        .defer("version__config")
        .order_by("-pk")
    )


def run_rows(eval_runs: Iterable[EvalRun]) -> list[RunRow]:
    """Return the rows of a page. One query."""
    shown = list(eval_runs)
    counts = {
        row["eval_run_id"]: row
        for row in EvalResult.objects.filter(eval_run__in=shown)
        .values("eval_run_id")
        .annotate(
            tests=Count("test_id", distinct=True),
            passed=Count("pk", filter=Q(status=_STATUS.PASSED)),
            failed=Count("pk", filter=Q(status=_STATUS.FAILED)),
            infra=Count("pk", filter=Q(status=_STATUS.INFRA_ERROR)),
            not_judged=Count("pk", filter=Q(status=_STATUS.NOT_JUDGED)),
            unpriced=Count("pk", filter=~Q(status=_STATUS.PENDING) & Q(cost_usd=None)),
            cost=Sum("cost_usd"),
        )
    }
    return [_row(eval_run, counts.get(eval_run.pk, {})) for eval_run in shown]


def _row(eval_run: EvalRun, counts: Mapping[str, Any]) -> RunRow:
    cost = counts.get("cost")
    return RunRow(
        eval_run=eval_run,
        scope=_scope(eval_run),
        num_tests=int(counts.get("tests") or 0),
        num_passed=int(counts.get("passed") or 0),
        num_judged=int(counts.get("passed") or 0) + int(counts.get("failed") or 0),
        num_infra=int(counts.get("infra") or 0),
        num_not_judged=int(counts.get("not_judged") or 0),
        cost_usd=Decimal(cost) if cost is not None and not counts.get("unpriced") else None,
    )


def _scope(eval_run: EvalRun) -> str:
    if role := eval_run.options.get("pair"):
        return f"{role} of a gate"
    named = [*eval_run.options.get("suites", ()), *eval_run.options.get("tags", ())]
    if named:
        return ", ".join(named)
    return "some tests" if eval_run.is_partial else ""
