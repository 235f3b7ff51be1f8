"""The page of the session list: its rows, in a few queries whatever they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.postgres.search import SearchHeadline
from django.db.models import QuerySet
from django.db.models.functions import Left

from reviewdesk.screens.sessions.filters import SessionFilter
from reviewdesk.screens.sessions.sorting import cursor_of, in_order, read_place
from reviewdesk.screens.sessions.standing import Pill, pills_of
from traces.labels import Verdict, completed_labels, verdict_of
from traces.models import Label, Project, QueueItem, Session
from traces.search import Word, search_query

PAGE = 50
# What is cut out of the text around a match: only so much of it is looked through for a row.
SNIPPET_OF = 8_000
SNIPPET_START, SNIPPET_STOP = "\x02", "\x03"
# Not read for a row: long texts that only the session's own page or the search needs.
_HEAVY = ("said", "said_vector", "metadata", "masked")


@dataclass(frozen=True)
class Row:
    """A session of the list with what people said of it.

    Attributes:
        snippet: Where the searched words stand, marked by control characters; else "".
        queues: Names of the queues it waits in.
        pill: What its run's standing says beyond its status, or None.
    """

    session: Session
    verdict: Verdict
    labels: Sequence[Label]
    cause_title: str = ""
    snippet: str = ""
    queues: list[str] = field(default_factory=list)
    pill: Pill | None = None


@dataclass(frozen=True)
class Page:
    """Rows, and the cursors of the pages beside it (empty: there is none)."""

    rows: list[Row]
    newer: str
    older: str

    @property
    def num_all(self) -> int | None:
        """Return how many sessions there are where all are on this page; else None."""
        return None if self.newer or self.older else len(self.rows)


def page_of(
    project: Project,
    chosen: SessionFilter,
    *,
    before: str = "",
    after: str = "",
    cause_titles: Mapping[str, str] | None = None,
    with_queues: bool = False,
) -> Page:
    """Return the page that follows a cursor (`before`), or ends at one (`after`).

    Two queries, one more with queues, and one where runs here wait or failed. A cursor that cannot
    be read gives the first page.
    """
    place, goes_back = read_place(before), False
    if place is None and (place := read_place(after)):
        goes_back = True
    words = chosen.asked.words
    found = chosen.apply(project.sessions.all(), project)
    ordered = in_order(found, chosen.sort, words=words, place=place, goes_back=goes_back)
    sessions = list(_shown(ordered, chosen, words))
    has_more = len(sessions) > PAGE
    sessions = sessions[:PAGE]
    if goes_back:
        sessions.reverse()
    rows = _rows(sessions, cause_titles or {}, with_queues)
    has_newer = has_more if goes_back else place is not None
    has_older = True if goes_back else has_more
    return Page(
        rows=rows,
        newer=cursor_of(sessions[0], chosen.sort) if sessions and has_newer else "",
        older=cursor_of(sessions[-1], chosen.sort) if sessions and has_older else "",
    )


def _shown(
    ordered: QuerySet[Session], chosen: SessionFilter, words: tuple[Word, ...]
) -> QuerySet[Session]:
    """Return one row more than a page has, with all that a row shows.

    The planner chooses between walking the newest sessions and gathering the matches: the filter
    decides on ids alone, which the index `session_list` covers, and only the rows that are shown
    are read from the table.
    """
    searched = search_query([word for word in words if not word.is_negated])
    rows = ordered[: PAGE + 1]
    if not chosen.sort.limit:
        order = ordered.query.order_by
        rows = Session.objects.filter(pk__in=ordered.values("pk")[: PAGE + 1]).order_by(*order)
    if searched is None:
        return rows.defer(*_HEAVY)
    marks: dict[str, Any] = {
        "start_sel": SNIPPET_START,
        "stop_sel": SNIPPET_STOP,
        "min_words": 8,
        "max_words": 24,
        "max_fragments": 0,
    }
    text = Left("said", SNIPPET_OF)
    return rows.defer(*_HEAVY).annotate(
        snippet=SearchHeadline(text, searched, config="simple", **marks)
    )


def _rows(sessions: list[Session], cause_titles: Mapping[str, str], with_queues: bool) -> list[Row]:
    labels = completed_labels(sessions)
    queues = _queues(sessions) if with_queues else {}
    pills = pills_of(sessions)
    rows = []
    for session in sessions:
        given = labels.get(session.pk, [])
        verdict = verdict_of(given)
        rows.append(
            Row(
                session,
                verdict,
                given,
                cause_titles.get(verdict.cause or "", ""),
                _snippet(session),
                queues.get(session.pk, []),
                pills.get(session.pk),
            )
        )
    return rows


def _snippet(session: Session) -> str:
    """Return the place of a match, unless the row's first words show it already."""
    snippet: str = getattr(session, "snippet", "")
    begin = snippet.replace(SNIPPET_START, "").replace(SNIPPET_STOP, "").strip()
    if SNIPPET_START not in snippet or session.title.startswith(begin[:60]):
        return ""
    return snippet


def _queues(sessions: list[Session]) -> dict[Any, list[str]]:
    found: dict[Any, list[str]] = {}
    waiting = QueueItem.objects.filter(session__in=sessions, done_at=None).order_by("queue__name")
    for session_id, name in waiting.values_list("session_id", "queue__name"):
        found.setdefault(session_id, []).append(name)
    return found
