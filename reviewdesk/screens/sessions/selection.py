"""Which sessions an action in the list is for: those that were ticked, or all that match."""

import uuid
from dataclasses import dataclass

from django.db.models import QuerySet
from django.http import QueryDict

from reviewdesk.screens.sessions.columns import columns_in
from reviewdesk.screens.sessions.filters import SessionFilter, filter_of
from reviewdesk.screens.sessions.sorting import SORTS, in_order
from traces.models import Project, Session

# An action takes about a second for this many, so that it needs no job of its own.
MAX_SELECTED = 10_000


@dataclass(frozen=True)
class Selection:
    """The sessions of an action.

    Attributes:
        ids: In the list's order, at most `MAX_SELECTED`.
        is_all: Whether all that match were meant.
        is_cut: Whether there were more than `MAX_SELECTED`.
        chosen: The filter of the list that they were selected in.
    """

    ids: list[uuid.UUID]
    is_all: bool
    is_cut: bool
    chosen: SessionFilter

    @property
    def sessions(self) -> QuerySet[Session]:
        """Return the sessions, in no order."""
        return Session.objects.filter(pk__in=self.ids)


def read_selection(data: QueryDict, project: Project) -> Selection:
    """Return what a form selects: `ids`, or with `all` what its filter finds. One query."""
    # Not `read_filter`: a label's outcome in the same form is no filter.
    columns = columns_in(data.get("columns", ""))
    chosen = filter_of(data.get("q", ""), data.get("sort", ""), columns)
    if data.get("all"):
        found = chosen.apply(project.sessions.all(), project)
        newest = in_order(found, SORTS["newest"]).values_list("pk", flat=True)
        ids = list(newest[: MAX_SELECTED + 1])
        return Selection(ids[:MAX_SELECTED], True, len(ids) > MAX_SELECTED, chosen)
    asked = [pk for text in data.getlist("ids")[:MAX_SELECTED] if (pk := _uuid(text))]
    known = set(project.sessions.filter(pk__in=asked).values_list("pk", flat=True))
    ids = [pk for pk in dict.fromkeys(asked) if pk in known]
    return Selection(ids, False, False, chosen)


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
