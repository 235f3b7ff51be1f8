"""Asking judges once more about results of an eval run whose judgement failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import QuerySet

from agents.errors import GoldenError
from agents.golden.settle import gates_of
from agents.judges.ask import ask_failed_again
from agents.models import EvalResult, EvalRun, Gate, Judge, Judgement
from agents.tools.autonomy import database_now

ASKED_AGAIN = "asked_again"
"""Key in an eval run's options: `[{by, at, num}]`, who had judges asked again, and how often."""
_ENDED = (EvalRun.Status.PASSED, EvalRun.Status.FAILED, EvalRun.Status.INCONCLUSIVE)
_NOT_ASKED = (EvalRun.Status.VOID, EvalRun.Status.CANCELLED)


@dataclass(frozen=True)
class AskedAgain:
    """What became of asking once more.

    Attributes:
        num: Answers that are to come.
        decided_by: The gate that has decided on these results and stays as it is; None: they
            count once they are there.
    """

    num: int
    decided_by: Gate | None


def ask_again(
    *, eval_run: EvalRun, result: EvalResult | None = None, by: AbstractBaseUser
) -> AskedAgain:
    """Ask the same versions of the judges about what they failed to judge.

    An eval run that had ended goes on until they have answered, and then comes to what it comes
    to; until then it is no evidence. One on which a gate has decided stays as it is: the answers
    are shown there and count in the next gate. Locks the eval run.

    Args:
        eval_run: Whose results were to be judged.
        result: Only this one of them.
        by: Who asks; the eval run keeps it.

    Raises:
        GoldenError: Nothing failed, its judges are archived, or nothing of the run counts.
    """
    with transaction.atomic():
        row = EvalRun.objects.select_for_update().get(pk=eval_run.pk)
        if row.status in _NOT_ASKED:
            raise GoldenError(
                f"Eval run {row.pk} is {row.get_status_display()}: nothing of it counts, so no "
                "judge is asked about it. Run the tests again."
            )
        failed = _failed(row, result)
        results = list(failed.values_list("eval_result_id", flat=True).distinct())
        num = ask_failed_again(failed, by=by)
        decided_by = gates_of(row).exclude(status=Gate.Status.RUNNING).first()
        if decided_by is None:
            _open(row, results)
        entry = {"by": by.pk, "at": database_now().isoformat(), "num": num}
        row.options = {**row.options, ASKED_AGAIN: [*row.options.get(ASKED_AGAIN, ()), entry]}
        row.save(update_fields=["options", "status", "ended_because", "finished_at"])
    return AskedAgain(num, decided_by)


def _failed(eval_run: EvalRun, result: EvalResult | None) -> QuerySet[Judgement]:
    """Return the judgements that failed and may be asked for again.

    Raises:
        GoldenError: There is none.
    """
    about: dict[str, Any] = {"eval_result__eval_run": eval_run}
    if result is not None:
        about["eval_result"] = result
    failed = Judgement.objects.filter(status=Judgement.Status.FAILED, **about)
    open_judges = failed.filter(version__judge__archived_at=None)
    if open_judges.exists():
        return open_judges
    archived = Judge.objects.filter(versions__judgements__in=failed).distinct().order_by("name")
    if names := ", ".join(archived.values_list("name", flat=True)):
        raise GoldenError(f"Archived, and not asked any more: {names}. Name another judge.")
    what = f"Eval run {eval_run.pk}" if result is None else f"Repeat {result.repeat} of its test"
    raise GoldenError(f"{what} has no judgement that failed: there is nothing to ask again.")


def _open(eval_run: EvalRun, results: Sequence[int]) -> None:
    """Let an eval run that has ended wait for judges once more, in a transaction."""
    lost = eval_run.results.filter(
        pk__in=results,
        status=EvalResult.Status.NOT_JUDGED,
    )
    lost.update(status=EvalResult.Status.PASSED, error="")
    if eval_run.status in _ENDED:
        eval_run.status, eval_run.ended_because = EvalRun.Status.RUNNING, ""
        eval_run.finished_at = None
