"""Writing to the outbox: rows of mail and webhook requests, in the transaction of what they tell.

Nothing is sent here. What is told exists exactly if what it tells of was committed; the sender
(`agents.outbox.send`) then sends it at least once.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from django.conf import settings
from django.db.models.functions import Now
from django.utils.module_loading import import_string

from agents.models import Message, Webhook
from agents.outbox.events import EVENTS
from traces.models import Project

_MAX_KEY = 200


@dataclass(frozen=True)
class Recipient:
    """A person to be mailed."""

    user_id: int
    address: str


class FindsRecipients(Protocol):
    """Who is mailed about an event; the desk's people know (`MAIL_RECIPIENTS` in its settings)."""

    def __call__(self, *, project_id: int, event: str) -> list[Recipient]:
        """Return who wants to be mailed about an event and may be."""


def tell(*, project: Project, event: str, payload: Mapping[str, Any], key: str) -> None:
    """Write one message per webhook and per person who wants the event.

    Call it in the transaction of what it tells; it makes at most three queries and never reaches
    the network. The same `key` again writes nothing, so that a repeated attempt tells nothing
    twice.

    Args:
        project: Whose event it is.
        event: A name in `agents.outbox.events.EVENTS`.
        payload: `{"title": one line for people, "url": path of the page, …ids}`; ids only, no
            personal data: it leaves the desk.
        key: Names what happened, e.g. `approval:17:waiting`.

    Raises:
        ValueError: The event is unknown, or the payload has no title or url.
    """
    if event not in EVENTS:
        raise ValueError(f"There is no event {event!r}; there are {', '.join(EVENTS)}.")
    if not payload.get("title") or not str(payload.get("url", "")).startswith("/"):
        raise ValueError(f"The payload of {event} needs a title and a url that is a path.")
    rows = [
        Message(kind=Message.Kind.WEBHOOK, webhook=webhook, key=f"{key}:webhook:{webhook.pk}")
        for webhook in Webhook.objects.filter(project=project, is_on=True)
        if not webhook.event_names or event in webhook.event_names
    ]
    rows += [
        Message(
            kind=Message.Kind.MAIL,
            address=person.address,
            key=f"{key}:mail:{project.pk}:{person.user_id}",
        )
        for person in recipients(project_id=project.pk, event=event)
    ]
    for row in rows:
        row.project, row.event, row.payload = project, event, dict(payload)
        row.key, row.next_at = _short(row.key), Now()
    Message.objects.bulk_create(rows, ignore_conflicts=True)


def recipients(*, project_id: int, event: str) -> list[Recipient]:
    """Return who is mailed about an event of a project, as the desk's people say."""
    find = cast(FindsRecipients, import_string(settings.MAIL_RECIPIENTS))
    return find(project_id=project_id, event=event)


def _short(key: str) -> str:
    """Return the key, or its digest where it is too long for the column."""
    return key if len(key) <= _MAX_KEY else hashlib.sha256(key.encode()).hexdigest()
