"""Weekly partitions of the span table, made when they are needed.

Bounds are Mondays 00:00 UTC, as nanoseconds since 1970. Weeks far from today (before 2015 or
more than a year ahead) go to the default partition, so that a wrong clock cannot make thousands
of tables.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from django.db import connection, transaction

_EARLIEST = date(2015, 1, 5)
_LOCK = 7_310_001
_WEEK_NS = 7 * 86_400 * 1_000_000_000
_TO_MONDAY_NS = 3 * 86_400 * 1_000_000_000  # 1970 began on a Thursday
_MOST_KNOWN = 1_000
_known: set[date] = set()
_unsure: set[date] = set()  # made in a transaction that may still be taken back
# The default partition may hold spans of the week, from when it was too far ahead to be made.
# The locks are those that attaching takes, in the order of those who write spans.
_MAKE = """
LOCK TABLE traces_session IN SHARE ROW EXCLUSIVE MODE;
LOCK TABLE traces_span_default IN ACCESS EXCLUSIVE MODE;
CREATE TABLE {name} (LIKE traces_span INCLUDING ALL);
WITH moved AS (
    DELETE FROM traces_span_default WHERE start_ns >= {low} AND start_ns < {high} RETURNING *
) INSERT INTO {name} SELECT * FROM moved;
ALTER TABLE traces_span ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({high});
"""


def week_of(start_ns: int) -> date | None:
    """Return the Monday (UTC) of the week of `start_ns`, or None where no week is kept."""
    try:
        day = datetime.fromtimestamp(start_ns // 1_000_000_000, tz=UTC).date()
    except (OverflowError, ValueError, OSError):
        return None
    monday = day - timedelta(days=day.weekday())
    latest = datetime.now(tz=UTC).date() + timedelta(days=366)
    return monday if _EARLIEST <= monday <= latest else None


def ensure_partitions(starts_ns: Iterable[int]) -> int:
    """Make the partitions that hold `starts_ns`; return how many were made.

    No query for weeks that this process has seen; one that has been dropped since is not missed,
    the default partition takes its spans. One query when none is missing. Takes an advisory lock
    and, briefly, a lock on the table when one is.
    """
    one_of_each = {(ns + _TO_MONDAY_NS) // _WEEK_NS: ns for ns in starts_ns}
    weeks = {monday for ns in one_of_each.values() if (monday := week_of(ns))} - _known
    num_made = make_weeks(weeks)
    # What an outer transaction may still take back must not be remembered.
    if not connection.in_atomic_block:
        _unsure.difference_update(weeks)
    elif num_made:
        _unsure.update(weeks)
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    _known.update(weeks - _unsure)
    return num_made


def make_weeks(weeks: Iterable[date]) -> int:
    """Make the partitions of these Mondays; return how many were made."""
    wanted = {partition_name(monday): monday for monday in weeks}
    missing = _missing(wanted)
    if not missing:
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        for name in sorted(_missing(wanted)):
            low, high = bounds_ns(wanted[name])
            cursor.execute(_MAKE.format(name=name, low=low, high=high))
    return len(missing)


def partition_name(monday: date) -> str:
    """Return the table's name, e.g. `traces_span_2026w47`."""
    year, week, _ = monday.isocalendar()
    return f"traces_span_{year}w{week:02d}"


def bounds_ns(monday: date) -> tuple[int, int]:
    """Return the first nanosecond of the week and of the next."""
    start = datetime(monday.year, monday.month, monday.day, tzinfo=UTC)
    low = int(start.timestamp()) * 1_000_000_000
    return low, low + _WEEK_NS


def _missing(wanted: dict[str, date]) -> set[str]:
    if not wanted:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname = ANY(%s)",
            [list(wanted)],
        )
        return set(wanted) - {row[0] for row in cursor.fetchall()}
