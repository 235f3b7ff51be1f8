"""Forms of webhooks and mail choices: they read and check, and save nothing."""

from typing import Any

from django import forms

from agents.errors import OutboxError
from agents.models import Message, Webhook
from agents.outbox.events import EVENTS
from agents.outbox.webhooks import Receiver
from reviewdesk.people.mailing import events_for
from reviewdesk.people.models import Membership

_TEXT = {"class": "form-control"}
_OFF = {**_TEXT, "autocomplete": "off"}
_MOST_HOSTS = 20


class WebhookForm(forms.Form):
    """A webhook."""

    name = forms.CharField(
        label="Name",
        max_length=120,
        help_text="What receives it.",
        widget=forms.TextInput(attrs=_OFF),
    )
    url = forms.CharField(
        label="Address",
        max_length=500,
        help_text="https; redirects are not followed.",
        widget=forms.TextInput(attrs={**_OFF, "inputmode": "url"}),
    )
    secret_name = forms.CharField(
        label="Secret that signs",
        required=False,
        max_length=64,
        help_text="The name of a secret of this project, such as PAGER, or of one that the desk "
        "shares; once it is saved, this page says where the value belongs. Left empty: requests "
        "are not signed.",
        widget=forms.TextInput(attrs={**_OFF, "class": "form-control desk-mono"}),
    )
    private_hosts = forms.CharField(
        label="Addresses of your own network",
        required=False,
        max_length=2000,
        help_text="One per line, such as 10.1.2.3 or 10.1.0.0/16; public addresses need none.",
        widget=forms.Textarea(attrs={**_OFF, "rows": 2, "class": "form-control desk-mono"}),
    )
    event_names = forms.MultipleChoiceField(
        label="Told of",
        required=False,
        choices=[(event.name, event.title) for event in EVENTS.values()],
        widget=forms.CheckboxSelectMultiple,
    )

    def clean_private_hosts(self) -> tuple[str, ...]:
        """Return the lines that are not empty."""
        text: str = self.cleaned_data["private_hosts"]
        lines = tuple(line.strip() for line in text.splitlines() if line.strip())
        if len(lines) > _MOST_HOSTS:
            raise forms.ValidationError(f"{len(lines)} addresses; {_MOST_HOSTS} at most.")
        return lines

    def clean(self) -> dict[str, Any]:
        """Return the fields, with the receiver that they make."""
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        try:
            cleaned["receiver"] = Receiver(
                name=cleaned["name"],
                url=cleaned["url"],
                event_names=tuple(cleaned["event_names"]),
                secret_name=cleaned["secret_name"],
                private_hosts=cleaned["private_hosts"],
            )
        except OutboxError as error:
            words = str(error)
            is_list = "is no host" in words
            field = "secret_name" if "secret" in words else "private_hosts" if is_list else "url"
            self.add_error(field, words)
        return cleaned


class MailForm(forms.Form):
    """Which events a member is mailed about."""

    event_names = forms.MultipleChoiceField(
        label="Mail me when", required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, membership: Membership, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = events_for(membership)
        choices = [(name, EVENTS[name].title) for name in names]
        self.fields["event_names"].choices = choices  # type: ignore[attr-defined]


def values_of(webhook: Webhook) -> dict[str, Any]:
    """Return what the form of a webhook begins with."""
    return {
        "name": webhook.name,
        "url": webhook.url,
        "secret_name": webhook.secret_name,
        "private_hosts": "\n".join(webhook.private_hosts),
        "event_names": webhook.event_names,
    }


STATES = {"waiting": "waiting", "sent": "sent", "given_up": "given up"}


def state_of(message: Message) -> tuple[str, str, str]:
    """Return kind, icon and word of a message's state."""
    if message.lease_until is not None:
        return "info", "send", "being sent"
    if message.next_at is not None:
        return ("warn", "refresh", "tried again") if message.error else ("info", "clock", "waiting")
    if message.gave_up_at is not None:
        return "bad", "circle-x", "given up"
    return "good", "circle-check", "sent"
