"""Queues: sessions put in, taken out, and done once somebody has completed a label."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Count, Q, QuerySet

from traces.clean import clean_text
from traces.errors import TracesError
from traces.models import Project, Queue, QueueItem, Session

MAX_NAME = Queue._meta.get_field("name").max_length or 60
_CHUNK = 1000


class BadNameError(TracesError):
    """A queue or view cannot have this name; the message says why."""


def check_name(name: str, what: str) -> str:
    """Return the name as it is kept.

    Raises:
        BadNameError: It is empty, too long, or holds a quote, which the filter could not write.
    """
    kept = " ".join(clean_text(name).split())
    if not kept:
        raise BadNameError(f"Give the {what} a name.")
    if len(kept) > MAX_NAME:
        raise BadNameError(
            f"The name has {len(kept)} characters; a {what} may have {MAX_NAME} at most."
        )
    if '"' in kept:
        raise BadNameError(f"The name of a {what} cannot hold a quote: {kept}")
    return kept


def queues_of(project: Project) -> QuerySet[Queue]:
    """Return the project's queues by name, each with `num_open`."""
    waiting = Count("items", filter=Q(items__done_at=None))
    return project.queues.annotate(num_open=waiting).order_by("name")


def add_to_queue(
    *, project: Project, name: str, session_ids: Iterable[Any], by: AbstractBaseUser | None
) -> tuple[Queue, int]:
    """Put sessions of the project into the queue of this name, which is made where there is none.

    Those that were done are open again; those that wait already stay as they are. `by` is None
    where the desk itself asks for the review.

    Returns:
        The queue, and how many sessions wait in it now that did not before.

    Raises:
        BadNameError: The queue cannot have this name.
    """
    name, num = check_name(name, "queue"), 0
    who = by.pk if by else None
    with transaction.atomic():
        queue = project.queues.filter(name__iexact=name).first()
        if queue is None:
            queue, _ = Queue.objects.get_or_create(
                project=project, name=name, defaults={"created_by_id": who}
            )
        for chunk in _chunks(session_ids):
            known = Session.objects.filter(project=project, pk__in=chunk)
            waiting = QueueItem.objects.filter(queue=queue, session__in=chunk, done_at=None)
            ids = set(known.values_list("pk", flat=True)) - set(
                waiting.values_list("session_id", flat=True)
            )
            QueueItem.objects.bulk_create(
                [QueueItem(queue=queue, session_id=pk, added_by_id=who) for pk in ids],
                update_conflicts=True,
                unique_fields=["queue", "session"],
                update_fields=["done_at"],
            )
            num += len(ids)
    return queue, num


def remove_from_queue(*, queue: Queue, session_ids: Iterable[Any]) -> int:
    """Take sessions out of the queue; return how many were in it."""
    with transaction.atomic():
        return sum(
            QueueItem.objects.filter(queue=queue, session__in=chunk).delete()[0]
            for chunk in _chunks(session_ids)
        )


def rename_queue(*, queue: Queue, name: str) -> Queue:
    """Give the queue another name.

    Raises:
        BadNameError: It cannot have this name, or another queue has it.
    """
    kept = check_name(name, "queue")
    with transaction.atomic():
        others = Queue.objects.filter(project=queue.project_id, name__iexact=kept)
        if others.exclude(pk=queue.pk).exists():
            raise BadNameError(f"There is a queue {kept} already.")
        queue.name = kept
        queue.save(update_fields=["name"])
    return queue


def delete_queue(*, queue: Queue) -> None:
    """Delete the queue; its sessions and their labels stay."""
    with transaction.atomic():
        queue.delete()


def finish_items(*, session_ids: Iterable[Any], at: datetime) -> None:
    """Mark these sessions as done in every queue they wait in."""
    QueueItem.objects.filter(session__in=list(session_ids), done_at=None).update(done_at=at)


def _chunks(ids: Iterable[Any]) -> Iterable[list[Any]]:
    known = list(dict.fromkeys(ids))
    return (known[at : at + _CHUNK] for at in range(0, len(known), _CHUNK))
