"""The audit trail: who changed what authority, when, why, and from what to what.

Read from pghistory's event tables, which triggers fill in the transaction of the change and which
nobody can edit (`PGHISTORY_APPEND_ONLY`). One page asks each kind once, and for the names.
"""

import heapq
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils.dateparse import parse_datetime

from reviewdesk.audit_events import Kind
from reviewdesk.audit_kinds import KINDS
from reviewdesk.audit_lines import Line
from reviewdesk.people.models import User
from traces.models import Project

PAGE_SIZE = 50


@dataclass(frozen=True)
class Cursor:
    """A place in the trail: what follows it is older.

    Attributes:
        at: When the transaction of the change began.
        kind: Place of the kind in `KINDS`.
        pk: The event's key.
    """

    at: datetime
    kind: int
    pk: int

    def __str__(self) -> str:
        return f"{self.at.isoformat()},{self.kind},{self.pk}"


@dataclass(frozen=True)
class Entry:
    """One line of the trail.

    Attributes:
        who: The person; None where a program or the desk itself did it.
        line: What was done, in words, with before and after.
    """

    at: datetime
    kind: Kind
    who: User | None
    why: str
    line: Line
    cursor: Cursor


@dataclass(frozen=True)
class Page:
    """Entries, newest first, and where the older ones begin (None: nowhere)."""

    entries: tuple[Entry, ...]
    older: Cursor | None


def read_cursor(text: str) -> Cursor | None:
    """Return the place that an address names, or None where it names none."""
    parts = text.split(",")
    try:
        at = parse_datetime(parts[0])
        kind, pk = int(parts[1]), int(parts[2])
    except (ValueError, IndexError):
        return None
    is_known = at is not None and at.tzinfo is not None and 0 <= kind < len(KINDS)
    return Cursor(at, kind, pk) if is_known and at and 0 <= pk < 2**31 else None


def read_trail(
    *,
    project: Project,
    kinds: Collection[str] = (),
    person: User | None = None,
    after: Cursor | None = None,
    size: int = PAGE_SIZE,
) -> Page:
    """Return a page of the project's trail.

    Args:
        project: Whose trail; nothing of another project is read.
        kinds: Keys of the kinds wanted; none are those that are shown by default.
        person: Only what they did.
        after: Where the page begins.
        size: Entries on a page.
    """
    wanted = [kind for kind in KINDS if (kind.key in kinds if kinds else kind.is_default)]
    streams = [_entries(kind, project, person, after, size + 1) for kind in wanted]
    merged = heapq.merge(*streams, key=lambda entry: _order(entry.cursor), reverse=True)
    found = _named([entry for entry, _ in zip(merged, range(size + 1), strict=False)])
    entries = found[:size]
    return Page(tuple(entries), entries[-1].cursor if len(found) > size else None)


@dataclass(frozen=True)
class _Raw:
    cursor: Cursor
    kind: Kind
    who_id: int | None
    why: str
    line: Line


def _entries(
    kind: Kind, project: Project, person: User | None, after: Cursor | None, size: int
) -> Iterable[_Raw]:
    place = KINDS.index(kind)
    rows = kind.rows(project)
    if person is not None:
        did = Q(who_id=person.pk)
        rows = rows.filter(did)
    if after is not None:
        same = Q(at=after.at)
        if place == after.kind:
            rows = rows.filter(Q(at__lt=after.at) | (same & Q(event_id__lt=after.pk)))
        else:
            is_older = place < after.kind
            rows = rows.filter(Q(at__lt=after.at) | same if is_older else Q(at__lt=after.at))
    for row in rows.order_by("-at", "-event_id")[:size]:
        yield _Raw(
            cursor=Cursor(row["at"], place, row["event_id"]),
            kind=kind,
            who_id=row["who_id"],
            why=kind.why(row),
            line=kind.line(row, project),
        )


def _order(cursor: Cursor) -> tuple[datetime, int, int]:
    return cursor.at, cursor.kind, cursor.pk


def _named(rows: list[_Raw]) -> list[Entry]:
    people = User.objects.in_bulk({row.who_id for row in rows if row.who_id is not None})
    return [
        Entry(
            at=row.cursor.at,
            kind=row.kind,
            who=people.get(row.who_id) if row.who_id is not None else None,
            why=row.why,
            line=row.line,
            cursor=row.cursor,
        )
        for row in rows
    ]
