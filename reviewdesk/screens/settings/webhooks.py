"""Settings > Notifications > a webhook: made, changed, tried out, with its last deliveries."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from agents.errors import OutboxError
from agents.models import Message, Webhook
from agents.outbox import webhooks as domain
from agents.tools.secrets import SecretState
from agents.tools.secrets import state_of as secret_state_of
from reviewdesk.people.access import DeskRequest, project_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.pages import go_to, render_page
from reviewdesk.screens.settings.notifications import MessageRow
from reviewdesk.screens.settings.outbox_forms import WebhookForm, values_of
from reviewdesk.screens.settings.views import settings_context
from traces.models import Project

WEBHOOK = "settings/webhook.html"
_NUM_DELIVERIES = 30


@require_safe
def new_webhook(request: DeskRequest, slug: str) -> HttpResponse:
    """Show the form of a new webhook."""
    project = project_for(request, slug, Permission.ADMINISTER)
    return _page(request, project, WebhookForm())


@require_safe
def webhook(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Show a webhook with its last deliveries."""
    project = project_for(request, slug, Permission.ADMINISTER)
    found = _webhook(project, pk)
    return _page(request, project, WebhookForm(initial=values_of(found)), found)


@require_POST
def make_webhook(request: DeskRequest, slug: str) -> HttpResponse:
    """Make a webhook."""
    project = project_for(request, slug, Permission.ADMINISTER)
    form = WebhookForm(request.POST)
    if form.is_valid():
        receiver = form.cleaned_data["receiver"]
        try:
            made = domain.make_webhook(project=project, receiver=receiver, by=request.user)
        except OutboxError as error:
            form.add_error("name", str(error))
        else:
            messages.success(request, f"{made.name} is told of what happens from now on.")
            return go_to(request, reverse("settings:webhook", args=[slug, made.pk]))
    return _page(request, project, form, status=422)


@require_POST
def change_webhook(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Change a webhook."""
    project = project_for(request, slug, Permission.ADMINISTER)
    found = _webhook(project, pk)
    form = WebhookForm(request.POST)
    if form.is_valid():
        receiver = form.cleaned_data["receiver"]
        try:
            domain.change_webhook(webhook=found, receiver=receiver, by=request.user)
        except OutboxError as error:
            form.add_error("name", str(error))
        else:
            messages.success(request, "Saved.")
            return go_to(request, reverse("settings:webhook", args=[slug, pk]))
    return _page(request, project, form, found, status=422)


@require_POST
def turn_webhook(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Turn a webhook on or off."""
    project = project_for(request, slug, Permission.ADMINISTER)
    found = _webhook(project, pk)
    is_on = request.POST.get("is_on") == "1"
    try:
        domain.turn_webhook(webhook=found, is_on=is_on, by=request.user)
    except OutboxError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{found.name} is {'on' if is_on else 'off'}.")
    return go_to(request, reverse("settings:webhook", args=[slug, pk]))


@require_POST
def send_test(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Send a test message to a webhook."""
    project = project_for(request, slug, Permission.ADMINISTER)
    found = _webhook(project, pk)
    try:
        domain.send_test(webhook=found, by=request.user)
    except OutboxError as error:
        messages.error(request, str(error))
    else:
        messages.success(
            request, "A test message is on its way; it stands first among the deliveries."
        )
    return go_to(request, reverse("settings:webhook", args=[slug, pk]))


def _page(
    request: HttpRequest,
    project: Project,
    form: WebhookForm,
    found: Webhook | None = None,
    status: int = 200,
) -> HttpResponse:
    rows = Message.objects.filter(webhook=found) if found else Message.objects.none()
    shown = [MessageRow(each) for each in rows.order_by("-created_at", "-pk")[:_NUM_DELIVERIES]]
    context: dict[str, Any] = {
        "form": form,
        "webhook": found,
        "secret": _secret(found) if found and found.secret_name else None,
        "rows": shown,
        "is_sending": any(row.message.next_at and not row.message.error for row in shown),
        **settings_context(request, project, "notifications"),
    }
    partial = "deliveries" if request.GET.get("part") == "deliveries" else "settings"
    return render_page(request, WEBHOOK, context, partial=partial, status=status)


def _secret(webhook: Webhook) -> SecretState:
    return secret_state_of(webhook.secret_name, project=webhook.project.slug)


def _webhook(project: Project, pk: int) -> Webhook:
    found = Webhook.objects.select_related("project").filter(project=project, pk=min(pk, 2**63 - 1))
    row = found.first()
    if row is None:
        raise Http404(f"This project has no webhook {pk}.")
    return row
