"""Moving a trace to another session, when a span that comes late names it."""

import uuid
from collections.abc import Mapping

from django.db import IntegrityError, connection, transaction
from django.db.models import DO_NOTHING, ForeignObjectRel

from traces.ingest.routing import Route
from traces.models import Label, MovedSession, Project, Session, Span, Trace

_LOCK = "SELECT id FROM traces_session WHERE id = ANY(%s) ORDER BY id FOR UPDATE"
# What both sessions hold stays where it goes to.
_DROP_TWICE = """
DELETE FROM traces_span AS span USING traces_session AS old, traces_span AS other
WHERE old.id = %(old)s AND span.session_id = old.id AND span.start_ns >= old.first_ns
    AND span.trace_id = %(trace)s AND other.session_id = %(new)s
    AND other.span_id = span.span_id AND other.start_ns = span.start_ns
"""
_MOVE = """
UPDATE traces_span AS span SET session_id = %(new)s FROM traces_session AS old
WHERE old.id = %(old)s AND span.session_id = old.id AND span.start_ns >= old.first_ns
    AND span.trace_id = %(trace)s
"""
# `first_ns` may be raised here and nowhere else: the lock keeps out whoever adds an earlier span.
_BOUNDS = """
UPDATE traces_session AS session SET first_ns = least(session.first_ns, other.first_ns)
FROM traces_session AS other WHERE session.id = %s AND other.id = %s
"""
_RAISE = """
UPDATE traces_session SET first_ns = coalesce((
    SELECT min(start_ns) FROM traces_span
    WHERE session_id = traces_session.id AND start_ns >= traces_session.first_ns
), first_ns) WHERE id = ANY(%s)
"""


def move_traces(*, project: Project, routes: Mapping[str, Route]) -> set[uuid.UUID]:
    """Move what is stored of the traces with a `left_id`; return the sessions that were left.

    The sessions they go to are there. A session that nothing is left of is deleted; before, its
    labels, queue items and what else refers to it go along where the other has none of the same.
    Its id leads to the other from then on.
    """
    moving = {trace_id: route for trace_id, route in routes.items() if route.left_id}
    ids = {route.session_id for route in routes.values()}
    left_ids = {route.left_id for route in moving.values() if route.left_id}
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [sorted(ids | left_ids)])
        for trace_id, route in sorted(moving.items()):
            names = {"old": route.left_id, "new": route.session_id, "trace": trace_id}
            cursor.execute(_DROP_TWICE, names)
            cursor.execute(_MOVE, names)
            cursor.execute(_BOUNDS, [route.session_id, route.left_id])
            Trace.objects.filter(project=project, trace_id=trace_id).update(
                session=route.session_id
            )
        for left_id, new_id in {
            route.left_id: route.session_id for route in moving.values()
        }.items():
            if left_id and not _has_any(left_id):
                _hand_on(left_id, new_id)
                Session.objects.filter(pk=left_id).delete()
                MovedSession.objects.update_or_create(pk=left_id, defaults={"session_id": new_id})
        cursor.execute(_RAISE, [sorted(left_ids)])
    return left_ids


def moved_to(session_id: uuid.UUID, project: Project) -> uuid.UUID | None:
    """Return where the spans of a session are that the project no longer has. One query."""
    found = MovedSession.objects.filter(pk=session_id, session__project=project)
    return found.values_list("session_id", flat=True).first()


def _has_any(session_id: uuid.UUID) -> bool:
    return (
        Trace.objects.filter(session=session_id).exists()
        or Span.objects.filter(session=session_id).exists()
    )


def _hand_on(old_id: uuid.UUID, new_id: uuid.UUID) -> None:
    """Let all that refers to the old session refer to the new one, where it has not got the same.

    Of one person's two labels the completed one stays, of two completed ones the new session's.
    """
    done = Label.objects.exclude(completed_at=None).filter(session=old_id)
    Label.objects.filter(
        session=new_id, completed_at=None, author__in=done.values("author")
    ).delete()
    for relation in Session._meta.get_fields(include_hidden=True):
        if not isinstance(relation, ForeignObjectRel) or relation.on_delete == DO_NOTHING:
            continue
        if relation.related_model not in (Span, Trace):
            _repoint(relation, old_id, new_id)


def _repoint(relation: ForeignObjectRel, old_id: uuid.UUID, new_id: uuid.UUID) -> None:
    name = relation.field.name
    rows = relation.related_model._base_manager.filter(**{name: old_id})
    for row_id in rows.values_list("pk", flat=True):
        try:
            with transaction.atomic():
                rows.filter(pk=row_id).update(**{name: new_id})
        except IntegrityError:
            # The database says that the new session has the same already.
            continue
