"""What comes before and after a session in the list it was opened from."""

import uuid

from django.db.models import Exists, OuterRef

from reviewdesk.people.models import User
from reviewdesk.screens.sessions.filters import ENDED, SessionFilter
from reviewdesk.screens.sessions.listing import newer_than, older_than
from traces.models import Label, Session


def previous_and_next(session: Session, chosen: SessionFilter) -> tuple[uuid.UUID | None, ...]:
    """Return the sessions above and below this one in the list (newest first). Two queries."""
    found = chosen.apply(session.project.sessions.all())
    place = (session.started_at, session.pk)
    above = newer_than(found, place).values_list("pk", flat=True).first()
    below = older_than(found, place).values_list("pk", flat=True).first()
    return above, below


def next_to_label(session: Session, chosen: SessionFilter, by: User) -> uuid.UUID | None:
    """Return the next session of the list whose label this person has not completed.

    It goes on below this session and then begins at the top. A filter by label is followed as it
    was when the list was opened only as far as the session still meets it. At most two queries.
    """
    own = Label.objects.filter(session=OuterRef("pk"), author=by).exclude(completed_at=None)
    open_ones = chosen.apply(session.project.sessions.filter(status__in=ENDED))
    open_ones = open_ones.filter(~Exists(own)).exclude(pk=session.pk)
    place = (session.started_at, session.pk)
    below = older_than(open_ones, place).values_list("pk", flat=True).first()
    return below or older_than(open_ones, None).values_list("pk", flat=True).first()
