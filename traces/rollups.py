"""Sums of whole days: computed again for the days that changed, and which of them hold now.

What a page counts over months it reads from `SessionDay` and its like; a day that is not counted
yet, or has changed since, it counts itself. Sessions belong to the day (UTC) on which they began.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import connection, transaction

from traces.models import CountedDay, DayDue

DAYS_AT_ONCE = 40
_LOCK = 7_310_020
_DAY = timedelta(days=1)

ENDED = "status NOT IN ('running', 'waiting')"
# What `SessionDay` keeps, of rows of `traces_session`.
SUMS = f"""count(*), count(*) FILTER (WHERE {ENDED}),
    count(*) FILTER (WHERE {ENDED} AND num_errors > 0),
    count(cost_usd) FILTER (WHERE {ENDED}),
    avg(cost_usd::float8) FILTER (WHERE {ENDED}),
    stddev_samp(cost_usd::float8) FILTER (WHERE {ENDED})"""
_SESSIONS = f"""
INSERT INTO traces_sessionday (project_id, day, agent_name, num_sessions, num_ended,
    num_with_errors, num_costs, mean_cost, deviation_cost)
SELECT project_id, %(day)s, agent_name, {SUMS}
FROM traces_session
WHERE project_id = %(project)s AND NOT is_golden
    AND started_at >= %(first)s AND started_at < %(end)s
GROUP BY project_id, agent_name
"""
# A session's spans lie between its times: bounds for all of them spare the other partitions, of
# which the planner would have every session look into each.
_TOOLS = """
INSERT INTO traces_toolday (project_id, day, agent_name, tool, num_calls, num_failed)
SELECT session.project_id, %(day)s, session.agent_name, span.name,
    count(*), count(*) FILTER (WHERE span.status = 'error')
FROM traces_session AS session JOIN traces_span AS span ON span.session_id = session.id
WHERE session.project_id = %(project)s AND NOT session.is_golden
    AND session.started_at >= %(first)s AND session.started_at < %(end)s
    AND span.start_ns BETWEEN %(first_ns)s AND %(last_ns)s AND span.kind = 'tool'
GROUP BY session.project_id, session.agent_name, span.name
"""
_MASKED = """
INSERT INTO traces_maskedday (project_id, day, kind, num_values)
SELECT project_id, %(day)s, left(key, 60), sum(value::bigint)
FROM traces_session, jsonb_each_text(masked)
WHERE project_id = %(project)s AND masked <> '{}'
    AND started_at >= %(first)s AND started_at < %(end)s
GROUP BY project_id, left(key, 60)
"""
_UNPRICED = """
INSERT INTO traces_unpricedday (project_id, day, model, num_calls)
SELECT session.project_id, %(day)s, span.model, count(*)
FROM traces_session AS session JOIN traces_span AS span ON span.session_id = session.id
WHERE session.project_id = %(project)s
    AND session.started_at >= %(first)s AND session.started_at < %(end)s
    AND span.start_ns BETWEEN %(first_ns)s AND %(last_ns)s
    AND span.kind = 'model' AND span.model <> '' AND span.cost_usd IS NULL
    AND span.input_tokens IS NOT NULL AND span.output_tokens IS NOT NULL
GROUP BY session.project_id, span.model
"""
_BOUNDS = """
SELECT coalesce(min(first_ns), 0), coalesce(max(last_ns), 0) FROM traces_session
WHERE project_id = %(project)s AND started_at >= %(first)s AND started_at < %(end)s
"""
_TABLES = {
    "traces_sessionday": _SESSIONS,
    "traces_toolday": _TOOLS,
    "traces_maskedday": _MASKED,
    "traces_unpricedday": _UNPRICED,
}


@dataclass(frozen=True)
class Stretch:
    """Days without a gap: from `first` to before `end`, midnights in UTC."""

    first: datetime
    end: datetime

    @property
    def days(self) -> list[date]:
        """Return the days."""
        return [self.first.date() + at * _DAY for at in range((self.end - self.first).days)]


def count_days(*, limit: int = DAYS_AT_ONCE) -> int:
    """Compute the sums of the newest days that changed, a transaction each; return how many.

    Safe to run anywhere, twice at a time. A change that commits meanwhile leaves the day due.
    """
    rows = DayDue.objects.values_list("project_id", "day").distinct().order_by("-day", "project_id")
    due = list(rows[:limit])
    for project_id, day in due:
        _count_day(project_id, day)
    return len(due)


def uncounted(project_id: int, first: date, end: date, *, may_lag: bool = False) -> list[Stretch]:
    """Return the days from `first` to before `end` whose sums do not hold. One query.

    Args:
        project_id: Whose days.
        first: First day (UTC).
        end: The day after the last.
        may_lag: Whether sums hold too that a change of the last minute is not in yet.
    """
    days = CountedDay.objects.filter(project_id=project_id, day__gte=first, day__lt=end)
    if not may_lag:
        changed = DayDue.objects.filter(project_id=project_id).values("day")
        days = days.exclude(day__in=changed)
    counted = set(days.values_list("day", flat=True))
    all_days = (first + at * _DAY for at in range((end - first).days))
    return stretches_of(day for day in all_days if day not in counted)


def stretches_of(days: Iterable[date]) -> list[Stretch]:
    """Return ascending days as stretches."""
    found: list[Stretch] = []
    for day in days:
        begin = _midnight(day)
        if found and found[-1].end == begin:
            found[-1] = Stretch(found[-1].first, begin + _DAY)
        else:
            found.append(Stretch(begin, begin + _DAY))
    return found


def began_in(stretches: Sequence[Stretch]) -> tuple[str, dict[str, datetime]]:
    """Return a condition on `session.started_at` and its values; of no stretch it holds nowhere.

    Plain ranges, because the planner thinks a join with a list of them finds half the sessions.
    """
    values: dict[str, datetime] = {}
    parts = ["false"] if not stretches else []
    for at, stretch in enumerate(stretches):
        values |= {f"first_{at}": stretch.first, f"past_{at}": stretch.end}
        parts.append(f"session.started_at >= %(first_{at})s AND session.started_at < %(past_{at})s")
    return f"({' OR '.join(parts)})", values


def _count_day(project_id: int, day: date) -> None:
    first = _midnight(day)
    values: dict[str, Any] = {
        "project": project_id,
        "day": day,
        "first": first,
        "end": first + _DAY,
    }
    key = "WHERE project_id = %(project)s AND day = %(day)s"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        # Before anything is read: what commits from here on has a row of its own again.
        cursor.execute(f"DELETE FROM traces_daydue {key}", values)
        for table in _TABLES:
            cursor.execute(f"DELETE FROM {table} {key}", values)
        cursor.execute("SELECT 1 FROM traces_project WHERE id = %(project)s", values)
        if cursor.fetchone() is None:
            return
        cursor.execute(_BOUNDS, values)
        values["first_ns"], values["last_ns"] = cursor.fetchone()
        for statement in _TABLES.values():
            cursor.execute(statement, values)
        cursor.execute(
            "INSERT INTO traces_countedday (project_id, day) VALUES (%(project)s, %(day)s) "
            "ON CONFLICT DO NOTHING",
            values,
        )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
