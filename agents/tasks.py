"""The background tasks. A message is a hint: any of them may come twice, late, or never."""

from celery import shared_task

from agents.runtime.hints import ADVANCE_TASK
from agents.runtime.worker import advance_due_runs


@shared_task(name=ADVANCE_TASK, ignore_result=True)
def advance_runs() -> None:
    """Advance due runs until none is left."""
    advance_due_runs()
