"""Runs that start by the clock: schedules are made, changed, turned off, and fired when due.

Any number of schedulers may fire them: a due row is taken FOR UPDATE SKIP LOCKED, its next time is
set in the same transaction as its run is started, and the run's idempotency key names the due time.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import DataError, IntegrityError, transaction

from agents.errors import AgentsError, ScheduleError
from agents.models import Agent, Run, Schedule, Version
from agents.runtime.start import check_input, start_run
from agents.schedule_times import Times, latest_due, next_time, times_of
from agents.tools.autonomy import database_now
from traces.partitions import ensure_partitions

MAX_PER_SWEEP = 100


@dataclass(frozen=True)
class Plan:
    """What a person decides of a schedule.

    Attributes:
        name: Unique in the project.
        agent: Whose run it starts.
        version: Which version; None: the live one at that time.
        times: When.
        run_input: `{"messages": [...], "turns": [...]}`; see `Run`.
        customer: Whom the sessions are with.
        overlap: What happens while the run before is not finished.
    """

    name: str
    agent: Agent
    times: Times
    run_input: dict[str, Any]
    version: Version | None = None
    customer: str = ""
    overlap: Schedule.Overlap = Schedule.Overlap.SKIP


def make_schedule(*, plan: Plan, by: AbstractBaseUser, is_on: bool = True) -> Schedule:
    """Make a schedule; it is due for the first time at its next time from now.

    Raises:
        ScheduleError: The name is taken, or the version is another agent's.
        RunError: The input has not the form of a run's.
    """
    schedule = Schedule(
        project_id=plan.agent.project_id, created_by_id=by.pk, is_on=is_on, **_columns(plan)
    )
    with _recorded(by, "make schedule", plan.name):
        schedule.next_at = next_time(plan.times, after=database_now()) if is_on else None
        schedule.save()
    return schedule


def change_schedule(*, schedule: Schedule, plan: Plan, by: AbstractBaseUser) -> Schedule:
    """Change what a schedule does; its next time is computed anew from now.

    Raises:
        ScheduleError: The name is taken, the version is another agent's, or it is archived.
        RunError: The input has not the form of a run's.
    """
    columns = _columns(plan)
    with _recorded(by, "change schedule", plan.name):
        row = _kept(schedule)
        for name, value in columns.items():
            setattr(row, name, value)
        row.next_at = next_time(plan.times, after=database_now()) if row.is_on else None
        row.last_error = ""
        row.save(update_fields=[*columns, "next_at", "last_error"])
    return row


def turn_schedule(*, schedule: Schedule, is_on: bool, by: AbstractBaseUser) -> Schedule:
    """Turn it on or off. What went by while it was off is not made up for.

    Raises:
        ScheduleError: It is so already, or archived.
    """
    action = "turn schedule on" if is_on else "turn schedule off"
    with _recorded(by, action, schedule.name):
        row = _kept(schedule)
        if row.is_on == is_on:
            raise ScheduleError(f"{row.name} is {'on' if is_on else 'off'} already.")
        row.is_on = is_on
        row.next_at = next_time(times_of(row), after=database_now()) if is_on else None
        row.save(update_fields=["is_on", "next_at"])
    return row


def archive_schedule(*, schedule: Schedule, by: AbstractBaseUser) -> Schedule:
    """End a schedule for good: it starts nothing any more, and its name is free again.

    Its runs stay, those in progress too.

    Raises:
        ScheduleError: It is archived already.
    """
    with _recorded(by, "archive schedule", schedule.name):
        row = _kept(schedule)
        row.archived_at, row.is_on, row.next_at = database_now(), False, None
        row.save(update_fields=["archived_at", "is_on", "next_at"])
    return row


def run_schedule_now(*, schedule: Schedule, by: AbstractBaseUser) -> Run:
    """Start its run once now; its times stay as they are.

    Raises:
        RunError: The agent has no live version.
        ScheduleError: It is archived.
    """
    with transaction.atomic():
        _kept(schedule)
        return _start(schedule, by=by)


def start_due_schedules() -> int:
    """Start the runs that are due, for the sweep; return how many schedules were seen to.

    Each has a transaction of its own. Of the times that one missed only the latest is made up for.
    """
    # Inside of a transaction that holds rows it would wait for others' locks on the table.
    ensure_partitions([time.time_ns()])
    for number in range(MAX_PER_SWEEP):
        with transaction.atomic():
            now = database_now()
            row = (
                Schedule.objects.select_for_update(of=("self",), skip_locked=True)
                .select_related("agent", "agent__project", "agent__live_version", "version")
                .filter(is_on=True, next_at__lte=now)
                .order_by("next_at")
                .first()
            )
            if row is None:
                return number
            _fire(row, now)
    return MAX_PER_SWEEP


def _kept(schedule: Schedule) -> Schedule:
    """Return the schedule's row, locked.

    Raises:
        ScheduleError: It is archived.
    """
    row = Schedule.objects.select_for_update(of=("self",)).get(pk=schedule.pk)
    if row.archived_at is not None:
        raise ScheduleError(
            f"{row.name} was archived on {row.archived_at:%d %b %Y, %H:%M} UTC; make a new one."
        )
    return row


def _fire(row: Schedule, now: datetime) -> None:
    """Start the run of a due schedule whose row is locked, and set when it is due next."""
    due = row.next_at or now
    try:
        times = times_of(row)
        row.last_due_at = latest_due(times, due=due, now=now)
        row.next_at = next_time(times, after=now, due=row.last_due_at)
        row.last_error = _start_unless_running(row, row.last_due_at)
    except ScheduleError as error:
        row.next_at, row.last_error = None, str(error)[:500]
    row.save(update_fields=["last_due_at", "next_at", "last_error"])


def _start_unless_running(row: Schedule, due: datetime) -> str:
    """Start the run of a due time; return why there is none, or an empty string."""
    is_alone = row.overlap == Schedule.Overlap.SKIP
    if is_alone and Run.objects.filter(schedule=row, status__in=Run.OPEN).exists():
        return f"Left out at {due:%d %b %Y, %H:%M} UTC: the run before it is not finished."
    try:
        with transaction.atomic():
            _start(row, due=due)
    except (AgentsError, DataError, IntegrityError) as error:
        # One schedule that cannot be started must not keep the sweep from the others.
        return str(error)[:500]
    return ""


def _start(
    schedule: Schedule, *, due: datetime | None = None, by: AbstractBaseUser | None = None
) -> Run:
    run = start_run(
        agent=schedule.agent,
        version=schedule.version,
        run_input=schedule.input,
        customer=schedule.customer,
        started_by=by,
        idempotency_key=f"schedule:{schedule.pk}:{due.isoformat()}" if due else "",
        metadata={"schedule": schedule.name},
    )
    Run.objects.filter(pk=run.pk).update(schedule=schedule)
    return run


def _columns(plan: Plan) -> dict[str, Any]:
    if plan.version is not None and plan.version.agent_id != plan.agent.pk:
        raise ScheduleError(f"{plan.version} is no version of {plan.agent}.")
    return {
        "name": plan.name.strip(),
        "agent": plan.agent,
        "version": plan.version,
        "kind": plan.times.kind,
        "cron": plan.times.cron,
        "every_seconds": plan.times.every_seconds,
        "time_zone": plan.times.time_zone,
        "input": check_input(plan.run_input),
        "customer": plan.customer.strip(),
        "overlap": plan.overlap,
    }


@contextmanager
def _recorded(by: AbstractBaseUser, action: str, name: str) -> Iterator[None]:
    try:
        with transaction.atomic(), pghistory.context(user=by.pk, action=action):
            yield
    except IntegrityError as error:
        if "schedule_name_once" not in str(error):
            raise
        raise ScheduleError(f"A schedule called {name} is there already; choose a name.") from None
