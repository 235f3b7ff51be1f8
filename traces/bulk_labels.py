"""One answer for many sessions: labels made together, and taken back together."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from traces.label_sets import questions_of
from traces.labels import check_answers, current_label_set
from traces.models import Label, Project, QueueItem, Session
from traces.queues import finish_items

_CHUNK = 1000


@dataclass(frozen=True)
class BulkLabels:
    """What came of labelling many sessions.

    Attributes:
        num_labelled: Sessions with a new label.
        num_skipped: Sessions that this person had begun or completed a label of.
        at: When they were completed; identifies them for `undo_labels`.
    """

    num_labelled: int
    num_skipped: int
    at: datetime


def label_sessions(
    *,
    project: Project,
    session_ids: Sequence[uuid.UUID],
    author: AbstractBaseUser,
    answers: Mapping[str, Any],
) -> BulkLabels:
    """Complete the same label for all of these sessions; what the author labelled stays as it is.

    Raises:
        InvalidAnswersError: An answer is unknown or missing; nothing is labelled then.
    """
    label_set = current_label_set(project)
    kept = check_answers(questions_of(label_set), answers, is_complete=True)
    done: list[uuid.UUID] = []
    num_known = 0
    with transaction.atomic():
        for chunk in _chunks(session_ids):
            known = set(
                Session.objects.filter(project=project, pk__in=chunk).values_list("pk", flat=True)
            )
            own = Label.objects.filter(author_id=author.pk, session__in=chunk)
            open_ones = known - set(own.values_list("session_id", flat=True))
            Label.objects.bulk_create(
                Label(session_id=pk, author_id=author.pk, label_set=label_set, answers=kept)
                for pk in open_ones
            )
            done += open_ones
            num_known += len(known)
        at = timezone.now()
        for chunk in _chunks(done):
            mine = Label.objects.filter(author_id=author.pk, session__in=chunk)
            mine.update(completed_at=at, updated_at=at)
            finish_items(session_ids=chunk, at=at)
    return BulkLabels(len(done), num_known - len(done), at)


def undo_labels(*, project: Project, author: AbstractBaseUser, at: datetime) -> int:
    """Take back what `label_sessions` did at that moment; return how many labels it were.

    Labels that were changed since then stay.
    """
    with transaction.atomic():
        made = Label.objects.filter(
            author_id=author.pk, completed_at=at, session__project=project
        ).select_for_update()
        sessions = list(made.values_list("session_id", flat=True))
        QueueItem.objects.filter(session__in=sessions, done_at=at).update(done_at=None)
        Label.objects.filter(author_id=author.pk, session__in=sessions).delete()
    return len(sessions)


def _chunks(ids: Sequence[uuid.UUID]) -> Iterator[Sequence[uuid.UUID]]:
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))
