"""What an exported session has beside its spans: columns of its own, labels and scores."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model

from traces.clean import clean_text
from traces.errors import BadRecordError
from traces.export.jsonl import digest_of_email, digest_of_set
from traces.ingest.importers.fields import time_of
from traces.ingest.importers.reviewdesk import ExportedSession
from traces.label_sets import ensure_label_set
from traces.models import Label, LabelSet, Project, Score, Session
from traces.redaction import masker_for

UNMATCHED = "labels"


@dataclass(frozen=True)
class Matches:
    """Who and what labels can be attributed to in a project.

    Attributes:
        authors: Ids of its members by the digest of their e-mail address.
        label_sets: Its label sets by the digest of their questions.
    """

    authors: dict[str, int]
    label_sets: dict[str, LabelSet]


def matches_of(project: Project) -> Matches:
    """Return the project's members and label sets (it gets the default set if it has none)."""
    ensure_label_set(project)
    members = get_user_model().objects.filter(memberships__project=project)
    return Matches(
        authors={digest_of_email(user.email): user.pk for user in members},
        label_sets={digest_of_set(each): each for each in project.label_sets.all()},
    )


def keep_unmatched(record: ExportedSession, matches: Matches) -> ExportedSession:
    """Return the record with those labels in its metadata that nobody here can have made."""
    unmatched = [label for label in record.labels if not _is_matched(label, matches)]
    if not unmatched:
        return record
    kept = [{k: v for k, v in label.items() if k != "author_digest"} for label in unmatched]
    return replace(
        record,
        labels=tuple(label for label in record.labels if _is_matched(label, matches)),
        metadata={**record.metadata, UNMATCHED: kept},
    )


def restore(*, session: Session, record: ExportedSession, matches: Matches) -> None:
    """Give a session that has just been stored the columns, labels and scores it was exported with.

    Raises:
        BadRecordError: A time is none.
    """
    said = _masked(session, {"title": record.columns.get("title")}) | {
        name: value for name, value in record.columns.items() if name != "title"
    }
    session.title = clean_text(str(said["title"] or ""))[:300]
    session.is_golden = said.get("is_golden") is True
    session.ended_at = _time(said, "ended_at")
    session.received_at = _time(said, "received_at")
    session.save(update_fields=["title", "is_golden", "ended_at", "received_at"])
    for label in record.labels:
        _restore_label(session, label, matches)
    scores = [_score(session, _masked(session, score)) for score in record.scores]
    Score.objects.bulk_create(scores, ignore_conflicts=True)


def _masked(session: Session, said: dict[str, Any]) -> dict[str, Any]:
    """Return what a file says beside the spans, masked as they were."""
    if session.source == Session.Source.DEMO:
        return said
    masked: dict[str, Any] = masker_for(session.project_id).json(said)[0]
    return masked


def _restore_label(session: Session, said: dict[str, Any], matches: Matches) -> None:
    label = Label.objects.create(
        session=session,
        label_set=matches.label_sets[said["label_set"]["digest"]],
        author_id=matches.authors[said["author_digest"]],
        answers=said.get("answers") or {},
        first_wrong_span_id=str(said.get("first_wrong_span_id") or "")[:16],
        comment=clean_text(str(said.get("comment") or "")),
    )
    times = {name: _time(said, name) for name in ("created_at", "updated_at", "completed_at")}
    Label.objects.filter(pk=label.pk).update(**times)


def _score(session: Session, said: dict[str, Any]) -> Score:
    value = said.get("value")
    return Score(
        project_id=session.project_id,
        session=session,
        trace_id=_trace_id(said.get("trace_id")),
        span_id=str(said.get("span_id") or "")[:16],
        name=clean_text(str(said.get("name") or ""))[:200],
        value=value if isinstance(value, int | float) else None,
        label=clean_text(str(said.get("label") or ""))[:200],
        explanation=clean_text(str(said.get("explanation") or "")),
        evaluator=clean_text(str(said.get("evaluator") or ""))[:200],
        at=_time(said, "at") or session.started_at,
        attributes=said.get("attributes") or {},
        digest=str(said.get("digest") or "")[:64],
    )


def _trace_id(value: Any) -> uuid.UUID | None:
    try:
        return uuid.UUID(str(value)) if value else None
    except ValueError:
        raise BadRecordError(f"the trace id {value!r:.60} of a score is none") from None


def _is_matched(label: dict[str, Any], matches: Matches) -> bool:
    label_set = label.get("label_set")
    digest = label_set.get("digest") if isinstance(label_set, dict) else None
    is_whole = bool(label.get("completed_at") and label.get("created_at"))
    return (
        is_whole and label.get("author_digest") in matches.authors and digest in matches.label_sets
    )


def _time(said: dict[str, Any], name: str) -> datetime | None:
    time = time_of(said.get(name), name)
    if time is not None and time.tzinfo is None:
        raise BadRecordError(f"{name} {said[name]!r:.40} has no time zone")
    return time
