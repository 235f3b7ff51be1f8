"""The page of the session list: rows by keyset, counts, and what may be chosen in the filter."""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import QuerySet

from reviewdesk.screens.sessions.filters import SessionFilter
from traces.labels import Verdict, completed_labels, verdict_of
from traces.models import Label, Project, Session

PAGE = 50
MAX_COUNT = 10_000
RECENT = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = re.compile(r"(\d{1,18})-([0-9a-f]{32})")
# Not read for a row: long texts that only the session's own page or the search needs.
_HEAVY = ("said", "said_vector", "metadata", "tools")


@dataclass(frozen=True)
class Count:
    """A number of sessions, counted up to `MAX_COUNT`."""

    value: int

    @property
    def is_more(self) -> bool:
        """Say whether there are more than were counted."""
        return self.value > MAX_COUNT

    def __str__(self) -> str:
        return f"{MAX_COUNT:,}+" if self.is_more else f"{self.value:,}"


@dataclass(frozen=True)
class Row:
    """A session of the list with what people said of it."""

    session: Session
    verdict: Verdict
    labels: Sequence[Label]
    cause_title: str = ""


@dataclass(frozen=True)
class Page:
    """Rows, newest first, and the cursors of the pages beside it (empty: there is none)."""

    rows: list[Row]
    newer: str
    older: str


@dataclass(frozen=True)
class Tab:
    """A saved filter: its name, its query, how many sessions it finds."""

    title: str
    query: str
    count: Count
    is_current: bool


@dataclass(frozen=True)
class Options:
    """What the newest sessions of the project offer to filter by."""

    agents: list[str]
    versions: list[str]
    tools: list[str]


_TABS: tuple[tuple[str, dict[str, str]], ...] = (
    ("All", {}),
    ("Not labelled", {"outcome": "none"}),
    ("Failed", {"outcome": "failed"}),
    ("Disagreements", {"outcome": "disagree"}),
    ("Waiting", {"status": "waiting"}),
)


def page_of(
    sessions: QuerySet[Session],
    *,
    before: str = "",
    after: str = "",
    cause_titles: Mapping[str, str] | None = None,
) -> Page:
    """Return the page that begins after (older) or ends before (newer) a cursor. Two queries.

    A cursor that cannot be read gives the first page.
    """
    cursor = _read(before) or _read(after)
    goes_up = bool(not _read(before) and _read(after))
    ordered = older_than(sessions, cursor) if not goes_up else newer_than(sessions, cursor)
    found = list(ordered.defer(*_HEAVY)[: PAGE + 1])
    has_more = len(found) > PAGE
    found = found[:PAGE]
    if goes_up:
        found.reverse()
    labels = completed_labels(found)
    rows = [_row(each, labels.get(each.pk, []), cause_titles or {}) for each in found]
    has_newer = has_more if goes_up else cursor is not None
    has_older = True if goes_up else has_more
    return Page(
        rows=rows,
        newer=cursor_of(found[0]) if found and has_newer else "",
        older=cursor_of(found[-1]) if found and has_older else "",
    )


def cursor_of(session: Session) -> str:
    """Return the session's place in the list: microseconds since 1970, and its id."""
    return f"{(session.started_at - _EPOCH) // timedelta(microseconds=1)}-{session.pk.hex}"


def older_than(
    sessions: QuerySet[Session], cursor: tuple[datetime, uuid.UUID] | None
) -> QuerySet[Session]:
    """Return the sessions after this place, newest first; all of them without a place."""
    if cursor:
        started_at, pk = cursor
        sessions = sessions.filter(started_at__lte=started_at)
        sessions = sessions.exclude(started_at=started_at, pk__gte=pk)
    return sessions.order_by("-started_at", "-pk")


def newer_than(
    sessions: QuerySet[Session], cursor: tuple[datetime, uuid.UUID] | None
) -> QuerySet[Session]:
    """Return the sessions before this place, oldest first; all of them without a place."""
    if cursor:
        started_at, pk = cursor
        sessions = sessions.filter(started_at__gte=started_at)
        sessions = sessions.exclude(started_at=started_at, pk__lte=pk)
    return sessions.order_by("started_at", "pk")


def count_of(sessions: QuerySet[Session]) -> Count:
    """Return how many there are; counting stops just above `MAX_COUNT`."""
    return Count(sessions.order_by().values("pk")[: MAX_COUNT + 1].count())


def tabs_of(project: Project, current: SessionFilter) -> list[Tab]:
    """Return the saved filters with their counts. One query each."""
    tabs = []
    for title, values in _TABS:
        saved = SessionFilter(dict(values))
        count = count_of(saved.apply(project.sessions.all()))
        tabs.append(Tab(title, saved.query, count, current.values == saved.values))
    return tabs


def options_of(project: Project) -> Options:
    """Return agents, versions and tools of the newest `RECENT` sessions. One query."""
    recent = project.sessions.order_by("-started_at", "-pk")
    found = list(recent.values_list("agent_name", "version_name", "tools")[:RECENT])
    return Options(
        agents=sorted({agent for agent, _, _ in found if agent}),
        versions=sorted({version for _, version, _ in found if version}),
        tools=sorted({tool for _, _, tools in found for tool in tools}),
    )


def _row(session: Session, labels: Sequence[Label], cause_titles: Mapping[str, str]) -> Row:
    verdict = verdict_of(labels)
    return Row(session, verdict, labels, cause_titles.get(verdict.cause or "", ""))


def _read(cursor: str) -> tuple[datetime, uuid.UUID] | None:
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        return None
    try:
        return _EPOCH + timedelta(microseconds=int(match[1])), uuid.UUID(match[2])
    except OverflowError:
        return None
