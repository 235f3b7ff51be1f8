"""The orders of the session list, and the pages in each: by keyset, never by counting rows off."""

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.postgres.search import SearchRank
from django.db.models import BigIntegerField, F, Q, QuerySet, Value
from django.db.models.functions import Cast, Coalesce

from traces.models import Session
from traces.search import Word, search_query
from traces.search.conditions import TOKENS

# An order by value sorts this many of the newest that match: more would need an index each, which
# every span that comes in would have to pay for. 5,000 rows are sorted in about 40 ms.
POOL = 5_000
# Ranking reads the whole text of what it ranks.
RANKED = 1_000
_CURSOR = re.compile(r"(-?\d{1,18})-([0-9a-f]{32})")


@dataclass(frozen=True)
class Sort:
    """An order of the list.

    Attributes:
        title: In the menu.
        limit: Of how many of the newest matches it is; 0 is of all.
        needs_words: Whether there has to be something searched.
    """

    key: str
    title: str
    limit: int = 0
    needs_words: bool = False


SORTS = {
    sort.key: sort
    for sort in (
        Sort("newest", "Newest first"),
        Sort("oldest", "Oldest first"),
        Sort("match", "Best match", RANKED, needs_words=True),
        Sort("cost", "Highest cost", POOL),
        Sort("took", "Longest", POOL),
        Sort("tokens", "Most tokens", POOL),
        Sort("errors", "Most failed steps", POOL),
    )
}
Place = tuple[int, uuid.UUID]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Unknown is not zero: it comes after all that is known.
_UNKNOWN = -1


def in_order(
    sessions: QuerySet[Session],
    sort: Sort,
    *,
    words: tuple[Word, ...] = (),
    place: Place | None = None,
    goes_back: bool = False,
) -> QuerySet[Session]:
    """Return the sessions after a place (before it, nearest first, with `goes_back`)."""
    falls = (sort.key != "oldest") != goes_back
    if sort.limit:
        newest = sessions.order_by("-started_at", "-pk").values("pk")[: sort.limit]
        rows = Session.objects.filter(pk__in=newest).annotate(place_key=_key(sort, words))
        return _beyond(rows, "place_key", place, falls)
    if place is None:
        return _beyond(sessions, "started_at", None, falls)
    try:
        instant = _EPOCH + timedelta(microseconds=place[0])
    except OverflowError:
        return _beyond(sessions, "started_at", None, falls)
    return _beyond(sessions, "started_at", (instant, place[1]), falls)


def read_place(cursor: str) -> Place | None:
    """Return the place that a cursor names; None where it cannot be read."""
    match = _CURSOR.fullmatch(cursor)
    return (int(match[1]), uuid.UUID(match[2])) if match else None


def cursor_of(session: Session, sort: Sort) -> str:
    """Return the place of a row of `in_order`, for an address."""
    key = getattr(session, "place_key") if sort.limit else _micros(session)  # noqa: B009
    return f"{key}-{session.pk.hex}"


def place_of(session: Session, sort: Sort, words: tuple[Word, ...]) -> Place | None:
    """Return a session's place in an order. One query where it is sorted by a value."""
    if not sort.limit:
        return _micros(session), session.pk
    rows = Session.objects.filter(pk=session.pk).annotate(place_key=_key(sort, words))
    key = rows.values_list("place_key", flat=True).first()
    return None if key is None else (key, session.pk)


def _beyond(
    rows: QuerySet[Session], column: str, place: tuple[Any, uuid.UUID] | None, falls: bool
) -> QuerySet[Session]:
    if place:
        value, pk = place
        step, back = ("lte", "gte") if falls else ("gte", "lte")
        rows = rows.filter(**{f"{column}__{step}": value})
        rows = rows.filter(~Q(**{column: value, f"pk__{back}": pk}))
    return rows.order_by(f"-{column}", "-pk") if falls else rows.order_by(column, "pk")


def _key(sort: Sort, words: tuple[Word, ...]) -> Coalesce:
    searched = search_query(words)
    values: dict[str, Any] = {
        "cost": F("cost_usd") * 100_000_000,
        "took": F("last_ns") - F("first_ns"),
        "tokens": TOKENS,
        "errors": F("num_errors"),
        "match": SearchRank("said_vector", searched, cover_density=True) * 1_000_000_000.0
        if searched
        else Value(0),
    }
    return Coalesce(Cast(values[sort.key], BigIntegerField()), _UNKNOWN)


def _micros(session: Session) -> int:
    return (session.started_at - _EPOCH) // timedelta(microseconds=1)
