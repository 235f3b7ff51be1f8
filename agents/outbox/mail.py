"""One attempt at a mail: plain text with a link, handed to the server that `MAIL_URL` names."""

import smtplib
import ssl
from email.errors import MessageError

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend

from agents.models import Message
from agents.outbox.entries import recipients
from agents.outbox.errors import GivenUpError, NotSentError
from agents.outbox.events import event_titled

NO_SERVER = "No mail server is set: MAIL_URL."


def send_mail(message: Message) -> None:
    """Hand one mail to the server.

    Raises:
        NotSentError: The server is away or refused it for now.
        GivenUpError: There is no server, the server refused it for good, or the person is not to
            be mailed about this any more.
    """
    if not settings.EMAIL_HOST:
        raise GivenUpError(NO_SERVER)
    wanted = recipients(project_id=message.project_id, event=message.event)
    if message.address not in {person.address for person in wanted}:
        raise GivenUpError("This person has left the project, or wants no such mail any more.")
    try:
        # Not the configured backend: what is sent here is sent by SMTP or not at all.
        EmailMessage(
            subject=f"[{message.project.name}] {event_titled(message.event)}",
            body=text_of(message),
            to=[message.address],
            headers={"Auto-Submitted": "auto-generated", "X-Reviewdesk-Key": message.key},
            connection=EmailBackend(),
        ).send()
    except smtplib.SMTPRecipientsRefused as error:
        _judge(*next(iter(error.recipients.values())), error)
    except smtplib.SMTPResponseException as error:
        _judge(error.smtp_code, error.smtp_error, error)
    except (smtplib.SMTPException, ssl.SSLError, OSError) as error:
        raise NotSentError(f"The mail server failed: {str(error)[:200]}.") from error
    except (MessageError, UnicodeError, ValueError) as error:
        raise GivenUpError(f"It cannot be written as a mail: {str(error)[:200]}.") from error


def text_of(message: Message) -> str:
    """Return the mail's text."""
    return (
        f"{message.payload['title']}\n\n"
        f"{settings.DESK_URL}{message.payload['url']}\n\n"
        "-- \n"
        f"You are mailed when {event_titled(message.event)} in {message.project.name}. Change it "
        f"at {settings.DESK_URL}/p/{message.project.slug}/settings/notifications/\n"
    )


def _judge(code: int, words: bytes | str, error: Exception) -> None:
    """A 4xx is for now, a 5xx for good (RFC 5321, 4.2.1); a failed sign-in may be mended."""
    told = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    text = f"The mail server answered {code}: {' '.join(told.split())[:200]}"
    if code >= 500 and not isinstance(error, smtplib.SMTPAuthenticationError):
        raise GivenUpError(text) from error
    raise NotSentError(text) from error
