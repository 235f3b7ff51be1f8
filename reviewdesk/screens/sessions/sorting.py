"""The orders of the session list, and the pages in each: by keyset, never by counting rows off."""

import json
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.postgres.search import SearchRank
from django.core.exceptions import EmptyResultSet
from django.db.models import (
    BigIntegerField,
    DateTimeField,
    ExpressionWrapper,
    F,
    Q,
    QuerySet,
    Value,
)
from django.db.models.functions import Cast, Coalesce

from traces.models import Session
from traces.search import Word, search_query
from traces.search.conditions import TOKENS, TOOK_US

# An order by value sorts this many of the newest that match: more would need an index each, which
# every span that comes in would have to pay for. 5,000 rows are sorted in about 40 ms.
POOL = 5_000
# Ranking reads the whole text of what it ranks.
RANKED = 400
# Measured at a million sessions: gathering 10,000 matches takes as long as meeting 51 of them on a
# walk, some 30 ms.
GATHERED = 10_000
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
    """Return the sessions after a place (before it, nearest first, with `goes_back`).

    With words one query more, for what the planner expects: few matches are gathered by the text
    index and sorted, many are met soon on a walk from the newest on. Left alone the planner walks
    too long, because it takes a text of 300 words for as cheap to compare as a number.
    """
    falls = (sort.key != "oldest") != goes_back
    gathers = bool(words) and expected_rows(sessions) <= GATHERED
    if sort.limit:
        newest = _beyond(sessions, "started_at", None, True, gathers).values("pk")[: sort.limit]
        rows = Session.objects.filter(pk__in=newest).annotate(place_key=_key(sort, words))
        return _beyond(rows, "place_key", place, falls)
    if place is None:
        return _beyond(sessions, "started_at", None, falls, gathers)
    try:
        instant = _EPOCH + timedelta(microseconds=place[0])
    except OverflowError:
        return _beyond(sessions, "started_at", None, falls, gathers)
    return _beyond(sessions, "started_at", (instant, place[1]), falls, gathers)


def expected_rows(sessions: QuerySet[Session]) -> int:
    """Return how many rows PostgreSQL's planner expects; the query is not run."""
    try:
        plan = sessions.order_by().values("pk").explain(format="json")
    except EmptyResultSet:
        return 0
    # Django asks nothing, and explains nothing, where it knows that there are no rows.
    return int(json.loads(plan)[0]["Plan"]["Plan Rows"]) if plan else 0


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
    rows: QuerySet[Session],
    column: str,
    place: tuple[Any, uuid.UUID] | None,
    falls: bool,
    gathers: bool = False,
) -> QuerySet[Session]:
    if place:
        value, pk = place
        step, back = ("lte", "gte") if falls else ("gte", "lte")
        rows = rows.filter(**{f"{column}__{step}": value})
        rows = rows.filter(~Q(**{column: value, f"pk__{back}": pk}))
    if not gathers:
        return rows.order_by(f"-{column}", "-pk") if falls else rows.order_by(column, "pk")
    # An order that no index has: the matches have to be gathered first.
    instant = ExpressionWrapper(F(column) + timedelta(0), DateTimeField())
    return rows.order_by(instant.desc(), "-pk") if falls else rows.order_by(instant.asc(), "pk")


def _key(sort: Sort, words: tuple[Word, ...]) -> Coalesce:
    searched = search_query(words)
    values: dict[str, Any] = {
        "cost": F("cost_usd") * 100_000_000,
        "took": TOOK_US,
        "tokens": TOKENS,
        "errors": F("num_errors"),
        "match": SearchRank(F("said_vector"), searched, cover_density=True) * 1_000_000_000.0
        if searched
        else Value(0),
    }
    return Coalesce(Cast(values[sort.key], BigIntegerField()), _UNKNOWN)


def _micros(session: Session) -> int:
    return (session.started_at - _EPOCH) // timedelta(microseconds=1)
