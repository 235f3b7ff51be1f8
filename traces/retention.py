"""Deleting what a project does not want to keep any longer, by age.

Sessions are deleted in batches, each a transaction: interrupted, it goes on with the rest. A week's
partition of the span table is dropped once nothing is in it, and at once, rather than row by row,
where every session that has a span in it is to be deleted.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from traces.errors import RetentionError
from traces.models import Label, Project, Session, TracePolicy
from traces.partitions import bounds_ns
from traces.records import from_ns
from traces.redaction import ensure_policy
from traces.unclaimed import delete_sent

BATCH_SESSIONS = 500
LEAST_DAYS = 1
MOST_DAYS = 36_500
_LOCK_TIMEOUT = "200ms"
_WEEK_TABLE = re.compile(r"traces_span_(\d{4})w(\d{2})")
_logger = logging.getLogger(__name__)

# Why sessions are kept beyond their time, by a sentence: sessions that meet the condition.
Kept = Mapping[str, Q]
LABELLED = "labelled by somebody"
OPEN = "still running or waiting"


@dataclass(frozen=True)
class Plan:
    """What retention would do now.

    Attributes:
        before: Sessions that ended before this are over their time; None is "all are kept".
        num_due: How many would be deleted.
        kept: How many are over their time and kept nevertheless, by reason; one session may be
            kept for several.
    """

    before: datetime | None
    num_due: int = 0
    kept: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Deleted:
    """What was deleted."""

    sessions: int = 0
    partitions: int = 0


def set_retention(
    *,
    project: Project,
    keep_days: int | None,
    keeps_labelled: bool,
    by: AbstractBaseUser | None,
    reason: str,
) -> TracePolicy:
    """Set for how many days sessions are kept; None is for ever.

    Raises:
        RetentionError: The number of days is out of range.
    """
    if keep_days is not None and not LEAST_DAYS <= keep_days <= MOST_DAYS:
        raise RetentionError(f"{keep_days} days cannot be kept: {LEAST_DAYS} to {MOST_DAYS:,}.")
    context = {"user": by.pk if by else None, "reason": reason, "action": "set_retention"}
    ensure_policy(project.pk)
    with transaction.atomic(), pghistory.context(**context):
        policy = TracePolicy.objects.select_for_update().get(project=project)
        policy.keep_days, policy.keeps_labelled = keep_days, keeps_labelled
        policy.save(update_fields=["keep_days", "keeps_labelled"])
    return policy


def plan_retention(
    *,
    project: Project,
    keep_days: int | None,
    keeps_labelled: bool,
    kept: Kept,
    now: datetime | None = None,
) -> Plan:
    """Return what these rules would delete and keep; two queries and one per reason."""
    if keep_days is None:
        return Plan(None)
    before = (now or timezone.now()) - timedelta(days=keep_days)
    over = _over(project, before)
    reasons = _reasons(keeps_labelled, kept)
    counts = {why: over.filter(condition).count() for why, condition in reasons.items()}
    num_due = _due(over, reasons).count()
    return Plan(before, num_due, {why: num for why, num in counts.items() if num})


def apply_retention(
    *, policy: TracePolicy, kept: Kept, now: datetime | None = None, most: int | None = None
) -> int:
    """Delete the project's sessions that are over their time; return how many were.

    Args:
        policy: The project's rules.
        kept: Why sessions are kept beside labels.
        now: The time; None is now.
        most: Stop after about so many; the rest is deleted the next time.
    """
    if policy.keep_days is None:
        return 0
    before = (now or timezone.now()) - timedelta(days=policy.keep_days)
    reasons = _reasons(policy.keeps_labelled, kept)
    num_deleted = 0
    while most is None or num_deleted < most:
        with transaction.atomic():
            due = _due(_over(policy.project, before), reasons).order_by("started_at")
            ids = list(
                due.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True)[
                    :BATCH_SESSIONS
                ]
            )
            if ids:
                delete_sessions(ids)
        num_deleted += len(ids)
        if len(ids) < BATCH_SESSIONS:
            break
    return num_deleted


def delete_sessions(ids: list[Any]) -> None:
    """Delete sessions with all that hangs on them; called in a transaction.

    Spans first and by the database alone: Django would read them all before it deletes them.
    """
    delete_sent(ids)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM traces_span WHERE session_id = ANY(%s)", [ids])
        cursor.execute("DELETE FROM traces_totalsdue WHERE session_id = ANY(%s)", [ids])
    Session.objects.filter(pk__in=ids).delete()


def drop_empty_weeks(*, today: date | None = None) -> int:
    """Drop the partitions of past weeks that hold nothing; return how many were dropped.

    Each by itself, giving up at once where somebody uses the table: nobody waits for it, and the
    next housekeeping tries again.
    """
    this_monday = _monday(today or datetime.now(tz=UTC).date())
    num_dropped = 0
    for name in _week_tables():
        if _monday_of(name) < this_monday - timedelta(weeks=1):
            num_dropped += _drop_if_empty(name)
    return num_dropped


def drop_whole_weeks(*, kept: Kept, now: datetime | None = None) -> Deleted:
    """Delete the sessions of weeks of which nothing is kept by dropping the weeks' partitions.

    Row by row costs a write for every span and leaves their space to be cleaned up; a drop gives
    it back at once, and the table is locked for milliseconds. What it does not save is deleting the
    sessions' own rows, which takes most of the time where sessions are small (measured by
    benchmarks/retention.py). A week goes where every session that has a span in it is over its
    project's time and has none in another week.
    """
    now = now or timezone.now()
    deleted = Deleted()
    policies = list(TracePolicy.objects.select_related("project").exclude(keep_days=None))
    for name in _week_tables():
        low, high = bounds_ns(_monday_of(name))
        if from_ns(high) > now:
            continue
        num = _drop_week(name, low, high, policies, kept, now)
        if num:
            deleted = Deleted(deleted.sessions + num, deleted.partitions + 1)
    return deleted


def _drop_week(
    name: str, low: int, high: int, policies: list[TracePolicy], kept: Kept, now: datetime
) -> int:
    due: list[Any] = []
    for policy in policies:
        before = now - timedelta(days=policy.keep_days or 0)
        reasons = _reasons(policy.keeps_labelled, kept)
        whole = _over(policy.project, before).filter(
            started_at__gte=from_ns(low), started_at__lt=from_ns(high), last_ns__lt=high
        )
        due += _due(whole, reasons).values_list("pk", flat=True)
    if not due or Session.objects.filter(first_ns__lt=high, last_ns__gte=low).count() > len(due):
        return 0
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            _lock(cursor, name)
            # A span may have come for another session since.
            cursor.execute(
                f"SELECT EXISTS (SELECT FROM {name} WHERE session_id <> ALL(%s))",  # noqa: S608
                [due],
            )
            if cursor.fetchone() == (True,):
                return 0
            cursor.execute(f"DROP TABLE {name}")
    except OperationalError as error:
        _logger.info("Partition %s is in use and stays for now: %s", name, error)
        return 0
    # Afterwards, so that the table is locked for the drop alone. Interrupted, the sessions that
    # have lost their spans are deleted like others the next time.
    for at in range(0, len(due), BATCH_SESSIONS):
        with transaction.atomic():
            delete_sessions(due[at : at + BATCH_SESSIONS])
    return len(due)


def _drop_if_empty(name: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SELECT EXISTS (SELECT FROM {name})")  # noqa: S608
            if cursor.fetchone() == (True,):
                return False
            _lock(cursor, name)
            cursor.execute(f"SELECT EXISTS (SELECT FROM {name})")  # noqa: S608
            if cursor.fetchone() == (True,):
                return False
            cursor.execute(f"DROP TABLE {name}")
    except OperationalError as error:
        _logger.info("Partition %s is in use and stays for now: %s", name, error)
        return False
    return True


def _lock(cursor: CursorWrapper, name: str) -> None:
    """Take what dropping a partition needs, in the order in which queries take it, or give up."""
    cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
    cursor.execute("LOCK TABLE ONLY traces_span IN ACCESS EXCLUSIVE MODE")
    cursor.execute(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")


def _over(project: Project, before: datetime) -> QuerySet[Session]:
    """Return the sessions that ended before; of one that never said so, whose last span did."""
    last_ns = int(before.timestamp()) * 1_000_000_000
    return Session.objects.filter(project=project, last_ns__lt=last_ns, started_at__lt=before)


def _due(over: QuerySet[Session], reasons: Kept) -> QuerySet[Session]:
    for condition in reasons.values():
        over = over.exclude(condition)
    return over


def _reasons(keeps_labelled: bool, kept: Kept) -> dict[str, Q]:
    labelled = Q(Exists(Label.objects.filter(session=OuterRef("pk")).exclude(completed_at=None)))
    return {**({LABELLED: labelled} if keeps_labelled else {}), **kept}


def _week_tables() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT child.relname FROM pg_inherits "
            "JOIN pg_class AS child ON child.oid = inhrelid "
            "JOIN pg_class AS parent ON parent.oid = inhparent "
            "WHERE parent.relname = 'traces_span' ORDER BY 1"
        )
        return [name for (name,) in cursor.fetchall() if _WEEK_TABLE.fullmatch(name)]


def _monday_of(table: str) -> date:
    year, week = table.removeprefix("traces_span_").split("w")
    return date.fromisocalendar(int(year), int(week), 1)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
