"""Which sessions are worth comparing with one: the same task first, of another version first."""

import uuid
from dataclasses import dataclass

from django.db.models import Q

from traces.models import Session

# The newest sessions of the project that are looked at: by their index, 40 ms for all of them.
MAX_LOOKED_AT = 20_000
MAX_SHOWN = 30
_TASK_KEYS = ("task_id", "golden_test", "sample_id")


@dataclass(frozen=True)
class Candidate:
    """A session to compare with, and what both have in common."""

    session: Session
    why: str
    rank: tuple[int, int]


def candidates_for(session: Session) -> list[Candidate]:
    """Return sessions of the same task, words or customer, the most alike first. One query."""
    alike = Q()
    for key, value in _tasks(session).items():
        alike |= Q(**{f"metadata__{key}": value})
    for name in ("title", "customer"):
        if text := getattr(session, name):
            alike |= Q(**{name: text})
    if not alike:
        return []
    newest = Session.objects.filter(project=session.project_id)
    newest = newest.order_by("-started_at", "-id")[:MAX_LOOKED_AT]
    found = (
        Session.objects.filter(alike, pk__in=newest.values("pk"))
        .exclude(pk=session.pk)
        .defer("said", "said_vector")
        .order_by("-started_at")[: MAX_SHOWN * 4]
    )
    ranked = sorted((_candidate(session, each) for each in found), key=lambda each: each.rank)
    return [candidate for candidate in ranked if candidate.why][:MAX_SHOWN]


def session_id_in(text: str) -> uuid.UUID | None:
    """Return the session's id from an address or an id that somebody pasted, or None."""
    for piece in reversed(text.strip().replace("?", "/").replace("#", "/").split("/")):
        try:
            return uuid.UUID(piece)
        except ValueError:
            continue
    return None


def _candidate(session: Session, other: Session) -> Candidate:
    mine, theirs = _tasks(session), _tasks(other)
    tasks = [str(value) for key, value in mine.items() if theirs.get(key) == value]
    # The same number means the same task only where both come from the same place.
    is_same_task = bool(tasks) and session.source == other.source
    has_same_words = bool(session.title) and session.title == other.title
    has_same_customer = bool(session.customer) and session.customer == other.customer
    why = [f"same task {tasks[0]}"] if is_same_task else []
    why += ["same first words"] if has_same_words else []
    why += ["same customer"] if has_same_customer else []
    weight = 4 * is_same_task + 2 * has_same_words + has_same_customer
    is_other = (other.agent_name, other.version_name) != (session.agent_name, session.version_name)
    return Candidate(other, ", ".join(why), (-weight, -is_other))


def _tasks(session: Session) -> dict[str, str | int]:
    metadata = session.metadata if isinstance(session.metadata, dict) else {}
    return {
        key: metadata[key]
        for key in _TASK_KEYS
        if isinstance(metadata.get(key), str | int) and metadata[key] != ""
    }
