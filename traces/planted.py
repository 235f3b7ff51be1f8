"""Planted requests: a session that is ordinary to everybody until its call is decided.

It is kept out of what is measured as golden tests' runs are (`is_golden`), and marked in its
metadata. As long as it waits, nothing that people or programs can read may tell it from others, its
absence neither.
"""

from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, F, Func

from traces.models import Project, Session

PLANTED = "planted"


def is_secret(session: Session) -> bool:
    """Say whether it is a planted request that waits: then nothing may tell."""
    return session.status == Session.Status.WAITING and PLANTED in session.metadata


def metadata_told(session: Session) -> dict[str, Any]:
    """Return a session's metadata without what must not be told yet."""
    return {} if is_secret(session) else session.metadata


def waits_secretly(project: Project) -> Func:
    """Return the condition that a session of the project is a planted request that waits.

    An array that is gathered once, by the index `session_unusual`: the list stays within its own
    index, and the planner's estimate of its length where it was.
    """
    waiting = Session.objects.filter(
        project=project,
        status=Session.Status.WAITING,
        is_golden=True,
        metadata__has_key=PLANTED,
    )
    return Func(
        F("pk"),
        ArraySubquery(waiting.values("pk")),
        template="(%(expressions)s))",
        arg_joiner=" = ANY (",
        output_field=BooleanField(),
    )
