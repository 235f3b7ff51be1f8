"""Webhooks and mail choices: made, changed, turned off, tried out; messages sent again."""

import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from agents.errors import HostRefusedError, OutboxError
from agents.models import MailSubscription, Message, Webhook
from agents.outbox.events import EVENTS, TEST
from agents.outbox.webhook import rules_for
from agents.tools.secrets import is_name
from traces.models import Project


@dataclass(frozen=True)
class Receiver:
    """What a person decides of a webhook.

    Attributes:
        name: Unique in the project.
        url: Where requests go.
        event_names: What it is told; none: everything.
        secret_name: Names the secret that signs; empty: requests are not signed.
        private_hosts: Addresses of the own network that it may reach.
    """

    name: str
    url: str
    event_names: tuple[str, ...] = ()
    secret_name: str = ""
    private_hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        try:
            rules_for(httpx2.URL(self.url), list(self.private_hosts))
        except httpx2.InvalidURL as error:
            raise OutboxError(f"{self.url!r} is no address: {error}.") from None
        except HostRefusedError as error:
            raise OutboxError(str(error)) from None
        if unknown := set(self.event_names) - EVENTS.keys():
            raise OutboxError(f"There is no event {sorted(unknown)[0]!r}.")
        if self.secret_name and not is_name(self.secret_name):
            raise OutboxError(
                f"{self.secret_name!r} cannot be a secret's name: use letters, digits and single _."
            )

    @property
    def columns(self) -> dict[str, Any]:
        """Return the row's columns."""
        return {
            "name": self.name.strip(),
            "url": self.url,
            "event_names": list(self.event_names),
            "secret_name": self.secret_name,
            "private_hosts": list(self.private_hosts),
        }


def make_webhook(*, project: Project, receiver: Receiver, by: AbstractBaseUser) -> Webhook:
    """Make a webhook; it is told of what happens from now on.

    Raises:
        OutboxError: The name is taken.
    """
    with _recorded(by, "make webhook", receiver.name):
        return Webhook.objects.create(project=project, created_by_id=by.pk, **receiver.columns)


def change_webhook(*, webhook: Webhook, receiver: Receiver, by: AbstractBaseUser) -> Webhook:
    """Change a webhook; what waits for it goes to the new address.

    Raises:
        OutboxError: The name is taken.
    """
    with _recorded(by, "change webhook", receiver.name):
        row = Webhook.objects.select_for_update(of=("self",)).get(pk=webhook.pk)
        for name, value in receiver.columns.items():
            setattr(row, name, value)
        row.save(update_fields=list(receiver.columns))
    return row


def turn_webhook(*, webhook: Webhook, is_on: bool, by: AbstractBaseUser) -> Webhook:
    """Turn it on or off; what waits for one that is off is given up.

    Raises:
        OutboxError: It is so already.
    """
    with _recorded(by, "turn webhook on" if is_on else "turn webhook off", webhook.name):
        row = Webhook.objects.select_for_update(of=("self",)).get(pk=webhook.pk)
        if row.is_on == is_on:
            raise OutboxError(f"{row.name} is {'on' if is_on else 'off'} already.")
        row.is_on = is_on
        row.save(update_fields=["is_on"])
    return row


def send_test(*, webhook: Webhook, by: AbstractBaseUser) -> Message:
    """Write a test message; it is sent like any other.

    Raises:
        OutboxError: The webhook is off.
    """
    if not webhook.is_on:
        raise OutboxError(f"{webhook.name} is off; turn it on to try it out.")
    return Message.objects.create(
        project_id=webhook.project_id,
        kind=Message.Kind.WEBHOOK,
        webhook=webhook,
        event=TEST.name,
        payload={
            "title": "A test message: nothing has happened.",
            "url": f"/p/{webhook.project.slug}/settings/notifications/",
        },
        key=f"test:{webhook.pk}:{uuid.uuid4()}",
        next_at=Now(),
    )


def send_again(*, message: Message) -> Message:
    """Send a message again that was sent or given up, under its key; its attempts start over.

    A receiver that heeds the key leaves out what it has received already.

    Raises:
        OutboxError: It waits to be sent already.
    """
    with transaction.atomic():
        row = Message.objects.select_for_update(of=("self",)).get(pk=message.pk)
        if row.next_at is not None:
            raise OutboxError("This message waits to be sent already.")
        row.next_at, row.num_attempts = Now(), 0
        row.sent_at = row.gave_up_at = row.lease_until = None
        row.error = ""
        row.save(
            update_fields=[
                "next_at",
                "num_attempts",
                "sent_at",
                "gave_up_at",
                "lease_until",
                "error",
            ]
        )
    return row


def choose_mail(
    *, project: Project, user: AbstractBaseUser, event_names: Collection[str]
) -> MailSubscription:
    """Set which events of a project a person is mailed about; whoever calls has checked rights."""
    names = [name for name in EVENTS if name in event_names]
    subscription, _ = MailSubscription.objects.update_or_create(
        user_id=user.pk, project=project, defaults={"event_names": names}
    )
    return subscription


@contextmanager
def _recorded(by: AbstractBaseUser, action: str, name: str) -> Iterator[None]:
    try:
        with transaction.atomic(), pghistory.context(user=by.pk, action=action):
            yield
    except IntegrityError as error:
        if "webhook_name_once" not in str(error):
            raise
        raise OutboxError(f"A webhook called {name} is there already; choose a name.") from None
