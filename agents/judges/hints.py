"""Telling the workers that something is to be judged. A hint may be lost: rows decide."""

import logging

from celery import current_app
from django.db import connection, transaction
from kombu.exceptions import KombuError, OperationalError
from psycopg import Error as PsycopgError

from agents.judges.claim import DUE
from agents.runtime.claim import num_live_workers

_A_WHILE = 0.5
JUDGE_TASK = "agents.tasks.judge_due"
_logger = logging.getLogger(__name__)


def hint_judges_on_commit() -> None:
    """Send one hint when the running transaction commits, however often this is called in it."""
    entries = transaction.get_connection().run_on_commit
    if not any(entry[1] is send_judge_hint for entry in entries):
        transaction.on_commit(send_judge_hint)


def send_judge_hint() -> None:
    """Send a hint now; a broker that is away costs latency only (the sweeper hints again)."""
    try:
        current_app.send_task(JUDGE_TASK, retry=False, ignore_result=True)
    except (OperationalError, KombuError, PsycopgError, OSError) as error:
        _logger.warning("No hint could be sent to the judges (%s); the sweeper will.", error)


def hint_at_due_judgements() -> None:
    """Hint where a judgement has been due for a while, or its worker was lost."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT EXISTS (SELECT {DUE}"
            " AND due.next_at <= clock_timestamp() - make_interval(secs => %s))",
            [_A_WHILE],
        )
        is_due: bool = cursor.fetchone()[0]
    if is_due and num_live_workers():
        send_judge_hint()
