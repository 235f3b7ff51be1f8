"""The weeks that KPIs are counted over: whole days in UTC, the newest week last."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

NUM_WEEKS = 12
NUM_WEEKS_BEFORE = 4
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Period:
    """Seven days, and the weeks before them.

    Attributes:
        last_day: The newest day, included.
    """

    last_day: date

    @property
    def first_day(self) -> date:
        """Return the first of the seven days."""
        return self.last_day - timedelta(days=6)

    @property
    def end(self) -> datetime:
        """Return the instant after the last day."""
        return datetime.combine(self.last_day, time(), UTC) + timedelta(days=1)

    @property
    def earliest(self) -> datetime:
        """Return the first instant of the oldest week that is charted."""
        return self.end - NUM_WEEKS * WEEK

    @property
    def weeks(self) -> list[tuple[date, date]]:
        """Return first and last day of each week, oldest first."""
        return [
            (self.first_day - age * WEEK, self.last_day - age * WEEK)
            for age in reversed(range(NUM_WEEKS))
        ]
