"""The background tasks. A message is a hint: any of them may come twice, late, or never."""

from celery import shared_task

from agents.judges.hints import JUDGE_TASK
from agents.judges.worker import judge_due_judgements
from agents.runtime.hints import ADVANCE_TASK
from agents.runtime.worker import advance_due_runs


@shared_task(name=ADVANCE_TASK, ignore_result=True)
def advance_runs() -> None:
    """Advance due runs until none is left."""
    advance_due_runs()


@shared_task(name=JUDGE_TASK, ignore_result=True)
def judge_due() -> None:
    """Judge what is due until none is left."""
    judge_due_judgements()
