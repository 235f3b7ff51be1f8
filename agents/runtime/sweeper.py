"""What keeps runs going when messages, workers or people are lost. Safe to run anywhere, often."""

from datetime import UTC, datetime, timedelta

from django.db import connection

from agents.gate.run import settle_gates
from agents.golden.intents import regroup_due
from agents.golden.runner import settle_finished
from agents.judges.hints import hint_at_due_judgements
from agents.label_incidents import open_for_labels
from agents.models import Run, WorkerHeartbeat
from agents.outbox.send import drop_old_messages
from agents.retention import keep_only_wanted
from agents.runtime.approvals import expire_approvals
from agents.runtime.budget_warnings import warn_of_budgets
from agents.runtime.canaries import plan_canaries, plant_due
from agents.runtime.claim import (
    num_live_workers,
    take_back_from_dead_neighbours,
    take_back_lost_runs,
)
from agents.runtime.hints import send_hint
from agents.runtime.open_calls import wake_decided
from agents.runtime.reminders import remind_of_waiting
from agents.schedules import start_due_schedules
from agents.tools.autonomy import database_now
from agents.tools.demotion import demote_by_rule
from agents.tools.guards import lapse_slots
from agents.tools.stops import wake_unstopped
from agents.tools.undo import settle_undo_windows
from traces.partitions import make_weeks
from traces.repricing import advance_repricings
from traces.unclaimed import drop_unclaimed

WEEKS_AHEAD = 4


def sweep() -> None:
    """Take back lost runs, expire approvals, settle eval runs, and hint at what is due."""
    take_back_from_dead_neighbours()
    take_back_lost_runs()
    expire_approvals()
    wake_decided()
    remind_of_waiting()
    plant_due()
    start_due_schedules()
    warn_of_budgets()
    settle_finished()
    settle_gates()
    wake_unstopped()
    lapse_slots()
    settle_undo_windows()
    demote_by_rule()
    open_for_labels()
    advance_repricings()
    hint_at_due_judgements()
    # Without a worker hints would only pile up; one that comes is hinted at within a second.
    if _num_due() and num_live_workers():
        send_hint()


def keep_house() -> None:
    """Make the coming weeks' partitions; forget what is lost; apply retention; group intents."""
    today = datetime.now(tz=UTC).date()
    monday = today - timedelta(days=today.weekday())
    make_weeks(monday + timedelta(weeks=week) for week in range(WEEKS_AHEAD + 1))
    WorkerHeartbeat.objects.filter(seen_at__lt=database_now() - timedelta(hours=1)).delete()
    drop_unclaimed()
    plan_canaries()
    drop_old_messages()
    keep_only_wanted()
    regroup_due()


def _num_due() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM agents_run "
            "WHERE status = %s AND next_at <= clock_timestamp() - interval '500 milliseconds'",
            [Run.Status.QUEUED],
        )
        count: int = cursor.fetchone()[0]
    return count
