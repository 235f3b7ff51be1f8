"""When a schedule is due: cron expressions and intervals in a time zone. No clock, no database.

Cron is read as Debian's cron reads it (by `cronsim`), changes of the clock too: a daily time that
does not exist on a day is taken at the first minute after the gap; a time that comes twice is taken
the first time alone. Expressions whose minute or hour begins with `*` go by the hours that pass.
"""

import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from agents.errors import ScheduleError
from agents.models import Schedule

SHORTEST_SECONDS = 60
LONGEST_SECONDS = 366 * 24 * 3600
_NUM_FIELDS = 5
# No clock is put back by more.
_FOLD = timedelta(hours=3)


@dataclass(frozen=True)
class Times:
    """The times of a schedule.

    Attributes:
        kind: By a cron expression, or every so many seconds.
        cron: Five fields; empty for an interval.
        every_seconds: None for a cron expression.
        time_zone: IANA name; an interval does not need it.
    """

    kind: Schedule.Kind
    cron: str = ""
    every_seconds: int | None = None
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        if self.kind is Schedule.Kind.CRON:
            _check_cron(self.cron, self.time_zone)
        elif not SHORTEST_SECONDS <= (self.every_seconds or 0) <= LONGEST_SECONDS:
            raise ScheduleError(
                f"An interval is from {SHORTEST_SECONDS} seconds to 366 days; this is "
                f"{self.every_seconds or 0:,} seconds."
            )

    @property
    def words(self) -> str:
        """Return when it is due, for people."""
        if self.kind is Schedule.Kind.CRON:
            return f"{CronSim(self.cron, datetime.now(UTC)).explain()} ({self.time_zone})"
        return f"Every {_duration(self.every_seconds or 0)}"


def times_of(schedule: Schedule) -> Times:
    """Return a schedule's times.

    Raises:
        ScheduleError: Its zone or expression is not known here any more.
    """
    return Times(
        kind=Schedule.Kind(schedule.kind),
        cron=schedule.cron,
        every_seconds=schedule.every_seconds,
        time_zone=schedule.time_zone,
    )


def next_time(times: Times, *, after: datetime, due: datetime | None = None) -> datetime:
    """Return the first time later than `after`, in UTC.

    Args:
        times: When it is due.
        after: Any aware time.
        due: A time it was due at, which an interval keeps step with; None: it begins at `after`.
    """
    return next(upcoming(times, after=after, due=due))


def upcoming(times: Times, *, after: datetime, due: datetime | None = None) -> Iterator[datetime]:
    """Yield the times later than `after`, in UTC; see `next_time`."""
    if times.kind is Schedule.Kind.CRON:
        return _cron_times(times, after)
    return _interval_times(timedelta(seconds=times.every_seconds or 0), after, due or after)


def latest_due(times: Times, *, due: datetime, now: datetime) -> datetime:
    """Return the last time that is due at `now`, in UTC: `due`, or a later one.

    Of the times that went by while no scheduler ran, this is the one that is made up for.
    """
    if times.kind is Schedule.Kind.INTERVAL:
        step = timedelta(seconds=times.every_seconds or 0)
        return due.astimezone(UTC) + (now - due) // step * step
    zone = ZoneInfo(times.time_zone)
    # In an hour that comes twice, what was due in its first passing lies "later" on the clock.
    for found in CronSim(times.cron, (now + _FOLD).astimezone(zone), reverse=True):
        if (at := found.astimezone(UTC)) <= now:
            return max(at, due.astimezone(UTC))
    return due.astimezone(UTC)


def time_zones() -> list[str]:
    """Return the names of all time zones, UTC first."""
    names = zoneinfo.available_timezones() - {"UTC", "localtime", "posixrules", "Factory"}
    return ["UTC", *sorted(names)]


def _cron_times(times: Times, after: datetime) -> Iterator[datetime]:
    for found in CronSim(times.cron, after.astimezone(ZoneInfo(times.time_zone))):
        # In an hour that comes twice cronsim may give what its first passing had already.
        if (at := found.astimezone(UTC)) > after:
            yield at


def _interval_times(step: timedelta, after: datetime, due: datetime) -> Iterator[datetime]:
    at = due.astimezone(UTC) + (max(after - due, timedelta(0)) // step + 1) * step
    while True:
        yield at
        at += step


def _check_cron(cron: str, time_zone: str) -> None:
    try:
        zone = ZoneInfo(time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ScheduleError(
            f"There is no time zone {time_zone!r}; it has a name like Europe/Berlin."
        ) from None
    if len(cron.split()) != _NUM_FIELDS:
        raise ScheduleError(
            f"A cron expression has five fields (minute, hour, day, month, weekday); {cron!r} has "
            f"{len(cron.split())}. 0 7 * * 1-5 is 07:00 from Monday to Friday."
        )
    try:
        next(CronSim(cron, datetime.now(UTC).astimezone(zone)))
    except CronSimError as error:
        raise ScheduleError(f"{cron!r} is no cron expression: {error}.") from None
    except StopIteration:
        raise ScheduleError(f"{cron!r} is never due: no day of 50 years fits it.") from None


def _duration(seconds: int) -> str:
    for size, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds % size == 0:
            num = seconds // size
            return name if num == 1 else f"{num} {name}s"
    return f"{seconds} seconds"
