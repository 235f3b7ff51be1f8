"""Scores: what evaluators, which are programs, say of sessions; never a person's label."""

import uuid
from collections.abc import Collection, Iterable
from decimal import Decimal

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from traces.clean import clean_json, clean_text
from traces.ingest.evaluations import ScoreRecord
from traces.models import Project, Score, Session
from traces.records import from_ns
from traces.redaction import masker_for

_AT_ONCE = 2_000
_ATTACH = """
UPDATE traces_score AS score SET session_id = trace.session_id FROM traces_trace AS trace
WHERE trace.session_id = ANY(%s) AND score.project_id = trace.project_id
    AND score.trace_id = trace.trace_id AND score.session_id IS DISTINCT FROM trace.session_id
"""


def store_scores(*, project: Project, records: Iterable[ScoreRecord]) -> None:
    """Store scores, masked; those that are there already are left. A query per `_AT_ONCE`."""
    masker = masker_for(project)
    rows = [
        Score(
            project=project,
            trace_id=uuid.UUID(record.trace_id),
            span_id=record.span_id,
            name=clean_text(masker.text(record.name))[:200],
            value=record.value,
            label=clean_text(masker.text(record.label))[:200],
            explanation=clean_text(masker.text(record.explanation)),
            evaluator=clean_text(masker.text(record.evaluator))[:200],
            at=from_ns(record.time_ns) if record.time_ns else timezone.now(),
            attributes=clean_json(masker.json(record.attributes)[0]),
            digest=record.digest,
        )
        for record in records
    ]
    if rows:
        Score.objects.bulk_create(rows, ignore_conflicts=True, batch_size=_AT_ONCE)


def attach_scores(session_ids: Collection[uuid.UUID]) -> None:
    """Give scores the sessions that their traces belong to by now. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_ATTACH, [list(session_ids)])


def scores_of(session: Session, limit: int = 100) -> list[Score]:
    """Return a session's newest scores, latest first. One query."""
    return list(Score.objects.filter(session=session).order_by("-at", "-pk")[:limit])


def scored_as(
    sessions: QuerySet[Session],
    name: str,
    *,
    label: str = "",
    at_least: Decimal | None = None,
    at_most: Decimal | None = None,
) -> QuerySet[Session]:
    """Return the sessions with a score of that name, and that label or value where it is given.

    By the index `score_name`: those of a name are few beside all sessions.
    """
    scores = Score.objects.filter(project=OuterRef("project"), session=OuterRef("pk"), name=name)
    if label:
        scores = scores.filter(label=label)
    if at_least is not None:
        scores = scores.filter(value__gte=at_least)
    if at_most is not None:
        scores = scores.filter(value__lte=at_most)
    return sessions.filter(Exists(scores))
