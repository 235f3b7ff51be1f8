"""Settings > Notifications: what each person is mailed, the webhooks, and the outbox's log."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.db.models import Max, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from agents.errors import OutboxError
from agents.models import MailSubscription, Message, Webhook
from agents.outbox import webhooks as domain
from agents.outbox.events import event_titled
from reviewdesk.people.access import DeskRequest, membership_of, project_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.pages import go_to, render_page
from reviewdesk.screens.settings.outbox_forms import STATES, MailForm, state_of
from reviewdesk.screens.settings.views import settings_context
from traces.models import Project

NOTIFICATIONS = "settings/notifications.html"
PAGE_SIZE = 30
_FILTERS = {
    "waiting": Q(next_at__isnull=False),
    "sent": Q(next_at=None, sent_at__isnull=False),
    "given_up": Q(next_at=None, gave_up_at__isnull=False),
}


@dataclass(frozen=True)
class MessageRow:
    """A message as lists show it."""

    message: Message

    @property
    def state(self) -> tuple[str, str, str]:
        """Return kind, icon and word of its state."""
        return state_of(self.message)

    @property
    def title(self) -> str:
        """Return its event's title."""
        return event_titled(self.message.event)


@dataclass(frozen=True)
class WebhookRow:
    """A webhook as the list shows it; of its address only the host, for the rest may be secret."""

    webhook: Webhook
    host: str
    events: str
    last_sent_at: Any


@require_safe
def notifications(request: DeskRequest, slug: str) -> HttpResponse:
    """Show one's own mail, the webhooks, and what left the desk."""
    project = project_for(request, slug)
    context = page_context(request, project)
    return render_page(request, NOTIFICATIONS, context, partial="settings")


@require_POST
def choose_mail(request: DeskRequest, slug: str) -> HttpResponse:
    """Set which events this person is mailed about."""
    project = project_for(request, slug)
    form = MailForm(request.POST, membership=request.membership)
    if not form.is_valid():
        context = page_context(request, project) | {"mail_form": form}
        return render_page(request, NOTIFICATIONS, context, partial="settings", status=422)
    names = form.cleaned_data["event_names"]
    domain.choose_mail(project=project, user=request.user, event_names=names)
    messages.success(request, "Saved: it holds for what happens from now on.")
    return go_to(request, reverse("settings:notifications", args=[slug]))


@require_POST
def send_again(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Send a message again that was sent or given up."""
    project = project_for(request, slug, Permission.ADMINISTER)
    message = Message.objects.filter(project=project, pk=min(pk, 2**63 - 1)).first()
    if message is None:
        raise Http404(f"This project has no message {pk}.")
    try:
        domain.send_again(message=message)
    except OutboxError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "It is sent again, under the same key.")
    if message.webhook_id:
        return go_to(request, reverse("settings:webhook", args=[slug, message.webhook_id]))
    return go_to(request, reverse("settings:notifications", args=[slug]))


def page_context(request: HttpRequest, project: Project) -> dict[str, Any]:
    """Return what the page shows. Five queries."""
    membership = membership_of(request)
    chosen = request.GET.get("state", "")
    page = request.GET.get("page", "")
    number = min(int(page), 10_000) if page.isascii() and page.isdecimal() and int(page) else 1
    rows = message_rows(project, chosen, number)
    choice = MailSubscription.objects.filter(project=project, user=request.user.pk).first()
    return {
        "mail_form": MailForm(
            membership=membership,
            initial={"event_names": choice.event_names if choice else []},
        )
        if membership
        else None,
        "has_mail_server": bool(settings.EMAIL_HOST),
        "webhooks": webhook_rows(project),
        "rows": rows[:PAGE_SIZE],
        "states": STATES,
        "chosen": chosen if chosen in STATES else "",
        "chosen_title": STATES.get(chosen, ""),
        "older": number + 1 if len(rows) > PAGE_SIZE else None,
        "newer": number - 1 if number > 1 else None,
        **settings_context(request, project, "notifications"),
    }


def message_rows(project: Project, state: str, number: int) -> list[MessageRow]:
    """Return a page of the project's messages, latest first, and one more if there is."""
    start = (number - 1) * PAGE_SIZE
    found = Message.objects.filter(_FILTERS.get(state, Q()), project=project)
    found = found.select_related("webhook").order_by("-created_at", "-pk")
    return [MessageRow(each) for each in found[start : start + PAGE_SIZE + 1]]


def webhook_rows(project: Project) -> list[WebhookRow]:
    """Return the project's webhooks, those that are on first."""
    found = Webhook.objects.filter(project=project).annotate(
        last_sent_at=Max("messages__sent_at", filter=Q(messages__sent_at__isnull=False))
    )
    return [
        WebhookRow(
            webhook=each,
            host=urlsplit(each.url).hostname or "",
            events=_events(each),
            last_sent_at=each.last_sent_at,
        )
        for each in found.order_by("-is_on", "name")[:200]
    ]


def _events(webhook: Webhook) -> str:
    num = len(webhook.event_names)
    if num == 0:
        return "everything"
    return event_titled(webhook.event_names[0]) if num == 1 else f"{num} kinds of event"
