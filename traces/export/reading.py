"""Sessions with all that belongs to them, read in pieces so that their number does not matter."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import F, Func, QuerySet, UUIDField, Value

from traces.models import Emitter, Label, Score, Session, Span

# Sessions whose labels and spans are asked for together.
CHUNK = 100
# Rows of the cursor held at once: one span may have megabytes.
_SPANS = 50
_HEAVY = ("said", "said_vector")


@dataclass(frozen=True)
class Found:
    """A session with its spans, to be read once and before the next session.

    Attributes:
        spans: In the order of their starts.
        labels: The completed ones, oldest first, with author and label set.
        scores: In the order they were made.
    """

    session: Session
    spans: Iterator[Any]
    labels: list[Label] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)


def chunks_of(sessions: QuerySet[Session]) -> Iterator[list[Session]]:
    """Yield the sessions in their order, some at a time, without what was said in them."""
    ids = sessions.values_list("pk", flat=True).iterator(chunk_size=2000)
    while chunk := list(islice(ids, CHUNK)):
        found = Session.objects.defer(*_HEAVY).in_bulk(chunk)
        yield [found[pk] for pk in chunk if pk in found]


def read_whole(
    sessions: QuerySet[Session], spans: QuerySet[Span], *, has_labels: bool = True
) -> Iterator[Found]:
    """Yield each session with its rows of `spans`, whose first column has to be `session_id`.

    Three queries for `CHUNK` sessions (two without labels), and a cursor over their spans.
    """
    for chunk in chunks_of(sessions):
        labels = _by_session(_labels(chunk)) if has_labels else {}
        scores = _by_session(_scores(chunk))
        rows = iter(groupby(_span_rows(chunk, spans), key=lambda row: row[0]))
        following = next(rows, None)
        for session in chunk:
            own: Iterator[Any] = iter(())
            if following and following[0] == session.pk:
                own = following[1]
            yield Found(session, own, labels.get(session.pk, []), scores.get(session.pk, []))
            if following and following[0] == session.pk:
                following = next(rows, None)


def _span_rows(chunk: list[Session], spans: QuerySet[Span]) -> Iterator[Any]:
    """Yield the spans of the sessions in the sessions' order, through a cursor of the server.

    `first_ns` is never later than a session's first span, so older partitions are left out.
    """
    ids = [session.pk for session in chunk]
    place = Func(
        Value(ids, output_field=ArrayField(UUIDField())),
        F("session_id"),
        function="array_position",
    )
    first_ns = min((session.first_ns for session in chunk), default=0)
    rows = spans.filter(session__in=ids, start_ns__gte=first_ns)
    yield from rows.order_by(place, "start_ns", "span_id").iterator(chunk_size=_SPANS)


def _labels(chunk: list[Session]) -> Iterable[Label]:
    done = Label.objects.filter(session__in=chunk).exclude(completed_at=None)
    return done.select_related("author", "label_set").order_by("completed_at", "pk")


def _scores(chunk: list[Session]) -> Iterable[Score]:
    return Score.objects.filter(session__in=chunk).order_by("at", "pk")


def _by_session(rows: Iterable[Any]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for row in rows:
        found.setdefault(row.session_id, []).append(row)
    return found


class Emitters:
    """Emitters by number, each read once."""

    def __init__(self) -> None:
        self._known: dict[int, Emitter | None] = {}

    def get(self, number: int | None) -> Emitter | None:
        """Return the emitter, None where there is none (any more)."""
        if number is None:
            return None
        if number not in self._known:
            self._known[number] = Emitter.objects.filter(pk=number).first()
        return self._known[number]
