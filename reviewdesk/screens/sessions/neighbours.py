"""What comes before and after a session in the list it was opened from."""

import uuid

from django.db.models import Exists, OuterRef, QuerySet

from reviewdesk.people.models import User
from reviewdesk.screens.sessions.counts import TooSlowError, time_limit
from reviewdesk.screens.sessions.filters import ENDED, SessionFilter
from reviewdesk.screens.sessions.sorting import in_order, place_of
from traces.models import Label, Session

# A session is read without its neighbours rather than late.
_LIMIT_MS = 2_000


def previous_and_next(session: Session, chosen: SessionFilter) -> tuple[uuid.UUID | None, ...]:
    """Return the sessions above and below this one in the list.

    Two queries, three in an order by value; None for both where the filter takes too long.
    """
    project, words = session.project, chosen.asked.words
    found = chosen.apply(project.sessions.all(), project)
    try:
        with time_limit(_LIMIT_MS):
            place = place_of(session, chosen.sort, words)
            above = in_order(found, chosen.sort, words=words, place=place, goes_back=True)
            below = in_order(found, chosen.sort, words=words, place=place)
            return _first(above), _first(below)
    except TooSlowError:
        return None, None


def next_to_label(session: Session, chosen: SessionFilter, by: User) -> uuid.UUID | None:
    """Return the next session of the list whose label this person has not completed.

    It goes on below this session and then begins at the top. A filter by label is followed as it
    was when the list was opened only as far as the session still meets it. At most three queries.
    """
    project, words = session.project, chosen.asked.words
    own = Label.objects.filter(session=OuterRef("pk"), author=by).exclude(completed_at=None)
    open_ones = chosen.apply(project.sessions.filter(status__in=ENDED), project)
    open_ones = open_ones.filter(~Exists(own)).exclude(pk=session.pk)
    try:
        with time_limit(_LIMIT_MS):
            place = place_of(session, chosen.sort, words)
            below = _first(in_order(open_ones, chosen.sort, words=words, place=place))
            return below or _first(in_order(open_ones, chosen.sort, words=words))
    except TooSlowError:
        return None


def _first(sessions: QuerySet[Session]) -> uuid.UUID | None:
    return sessions.values_list("pk", flat=True).first()
