"""Sending what is due, outside of any transaction: at least once each, by any number of senders.

A message is claimed by a lease (one UPDATE … SKIP LOCKED that counts the attempt), sent, and then
settled; the settling must hit the attempt that was claimed. A sender that dies leaves the lease to
end. Whether its request arrived is unknown then, so it is sent again under the same key.
"""

import random
from datetime import timedelta

from django.db import connection
from django.db.models.functions import Now

from agents.models import Message
from agents.outbox.errors import GivenUpError, NotSentError, SendError
from agents.outbox.mail import send_mail
from agents.outbox.webhook import send_webhook

LEASE_SECONDS = 90
# After each attempt; after the last one it is given up. Together about a day.
WAITS = tuple(timedelta(seconds=seconds) for seconds in (30, 120, 600, 1800, 7200, 21_600, 50_400))
MAX_ATTEMPTS = len(WAITS) + 1
JITTER = 0.2
KEPT = timedelta(days=30)
_MAX_ERROR = 500
_SENDERS = {Message.Kind.MAIL: send_mail, Message.Kind.WEBHOOK: send_webhook}


def send_next() -> bool:
    """Send the message that is due, fresh ones first; return whether there was one."""
    message = claim_message()
    if message is None:
        return False
    try:
        _SENDERS[Message.Kind(message.kind)](message)
    except GivenUpError as error:
        _give_up(message, error)
    except NotSentError as error:
        _try_again(message, error)
    except Exception as error:
        _try_again(message, NotSentError(f"A defect of the desk: {type(error).__name__}."))
        raise
    else:
        _settle(message, sent_at=Now(), next_at=None, error="")
    return True


def claim_message(lease_seconds: float = LEASE_SECONDS) -> Message | None:
    """Take the lease of a message that is due, and count the attempt; None if none is.

    A webhook is sent one message at a time, so that a slow receiver keeps one sender busy at most
    (two that claim in the same instant aside).
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE agents_message SET num_attempts = num_attempts + 1,
                lease_until = clock_timestamp() + make_interval(secs => %s)
            WHERE id = (
                SELECT due.id FROM agents_message due
                WHERE due.next_at <= clock_timestamp()
                    AND (due.lease_until IS NULL OR due.lease_until < clock_timestamp())
                    AND NOT EXISTS (
                        SELECT FROM agents_message sending
                        WHERE sending.webhook_id = due.webhook_id
                            AND sending.next_at IS NOT NULL
                            AND sending.lease_until > clock_timestamp()
                    )
                ORDER BY due.num_attempts, due.next_at, due.id
                LIMIT 1 FOR UPDATE OF due SKIP LOCKED
            )
            RETURNING id
            """,
            [lease_seconds],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    return Message.objects.select_related("project", "webhook").get(pk=row[0])


def wait_after(num_attempts: int, retry_after: float | None = None) -> timedelta | None:
    """Return how long to wait after a failed attempt; None: no more.

    Args:
        num_attempts: Those made, 1 and more.
        retry_after: What the receiver asked for, in seconds; never less is waited.
    """
    if num_attempts >= MAX_ATTEMPTS:
        return None
    # Not for secrecy: so that what failed together is not tried together.
    wait = WAITS[num_attempts - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
    return max(wait, timedelta(seconds=retry_after or 0))


def drop_old_messages() -> int:
    """Forget what was sent or given up a month ago, for the housekeeping; return how many."""
    old = Message.objects.filter(next_at=None, created_at__lt=Now() - KEPT)
    return old.delete()[0]


def _try_again(message: Message, error: NotSentError) -> None:
    wait = wait_after(message.num_attempts, error.retry_after)
    if wait is None:
        _give_up(message, error)
    else:
        _settle(message, next_at=Now() + wait, error=str(error)[:_MAX_ERROR])


def _give_up(message: Message, error: SendError) -> None:
    _settle(message, next_at=None, gave_up_at=Now(), error=str(error)[:_MAX_ERROR])


def _settle(message: Message, **values: object) -> None:
    """Store how the claimed attempt ended; one that was claimed anew meanwhile is left alone."""
    claimed = Message.objects.filter(
        pk=message.pk, num_attempts=message.num_attempts, lease_until__isnull=False
    )
    claimed.update(lease_until=None, **values)
