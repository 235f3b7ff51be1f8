"""How many sessions match: counted up to a bound, estimated by the planner above it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from time import monotonic
from typing import Any

from django.core.cache import cache
from django.core.exceptions import EmptyResultSet
from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet

from reviewdesk.screens.sessions.sorting import expected_rows
from reviewdesk.templatetags.desk import short_count
from traces.models import Session

MAX_COUNT = 10_000
# A count is not worth more waiting than this; then it is estimated too.
COUNT_MS = 50
# A number of this size, or one that took this long, may be half a minute old.
CACHED_FROM = 1_000
CACHED_FROM_MS = 20
_CACHED_S = 30


@dataclass(frozen=True)
class Count:
    """A number of sessions; exact up to `MAX_COUNT`, else the planner's estimate."""

    value: int
    is_estimate: bool = False

    @property
    def short(self) -> str:
        """Return it for a narrow place: 312, 48k; "?" for what took too long to count."""
        return "?" if self.is_estimate and self.value < MAX_COUNT else short_count(self.value)

    def __str__(self) -> str:
        return f"about {_rounded(self.value):,}" if self.is_estimate else f"{self.value:,}"


class TooSlowError(Exception):
    """A query took longer than it was given."""


@contextmanager
def time_limit(milliseconds: int) -> Iterator[None]:
    """Let no statement inside take longer.

    Raises:
        TooSlowError: One did.
    """
    setting = (
        "SELECT current_setting('statement_timeout'), set_config('statement_timeout', %s, true)"
    )
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(setting, [str(milliseconds)])
            (before, _) = cursor.fetchone()
            yield
            cursor.execute(setting, [before])
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") == _CANCELLED:
            raise TooSlowError from error
        raise


_CANCELLED = "57014"


def count_of(sessions: QuerySet[Session]) -> Count:
    """Return how many there are."""
    return counts_of({"": sessions}, project_id=0, is_cached=False)[""]


def counts_of(
    wanted: Mapping[str, QuerySet[Session]], *, project_id: int, is_cached: bool = True
) -> dict[str, Count]:
    """Return how many there are of each, by the filter's text. One query for all that are few.

    Counting stops above `MAX_COUNT` or after `COUNT_MS`; from there on it is what PostgreSQL's
    planner expects, from the statistics that ANALYZE gathers: a query that does not run the
    filter. Large and slow numbers are remembered for half a minute.
    """
    keys = {text: _key(project_id, text) for text in wanted}
    kept: dict[str, Count] = cache.get_many(keys.values()) if is_cached else {}
    found = {text: kept[key] for text, key in keys.items() if key in kept}
    rest = {text: each for text, each in wanted.items() if text not in found}
    began = monotonic()
    counted = _counted(rest)
    is_slow = monotonic() - began > CACHED_FROM_MS / 1000
    for text, sessions in rest.items():
        num = counted.get(text)
        if num is not None and num <= MAX_COUNT:
            found[text] = Count(num)
        else:
            found[text] = Count(max(expected_rows(sessions), num or 0), is_estimate=True)
        if is_cached and (is_slow or found[text].value >= CACHED_FROM):
            cache.set(keys[text], found[text], _CACHED_S)
    return found


def _counted(wanted: Mapping[str, QuerySet[Session]]) -> dict[str, int]:
    """Return the numbers up to one above `MAX_COUNT`; where all take too long, those that don't."""
    try:
        with time_limit(COUNT_MS):
            return _count_together(wanted)
    except TooSlowError:
        if len(wanted) < 2:
            return {}
    counted: dict[str, int] = {}
    for text, sessions in wanted.items():
        counted |= _counted({text: sessions})
    return counted


def _count_together(wanted: Mapping[str, QuerySet[Session]]) -> dict[str, int]:
    names: list[str] = []
    parts: list[str] = []
    values: list[Any] = []
    for text, sessions in wanted.items():
        few = sessions.order_by().values("pk")[: MAX_COUNT + 1]
        try:
            sql, params = few.query.sql_with_params()
        except EmptyResultSet:
            continue
        names.append(text)
        parts.append(f"(SELECT count(*) FROM ({sql}) AS few)")  # noqa: S608 - Django's own SQL
        values += params
    if not names:
        return dict.fromkeys(wanted, 0)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}", values)
        row = cursor.fetchone()
    return {**dict.fromkeys(wanted, 0), **dict(zip(names, row, strict=True))}


def _key(project_id: int, text: str) -> str:
    return f"session-count:{project_id}:{sha256(text.encode()).hexdigest()}"


def _rounded(value: int) -> int:
    """Return an estimate with the three digits that it may claim."""
    return int(float(f"{value:.3g}"))
