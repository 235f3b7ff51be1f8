"""Settings > Retention: for how long sessions are kept, and deleting one person's data."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from agents.erasure import erase_person, words_left_of
from agents.retention import kept_sessions
from reviewdesk.people.access import DeskRequest, may, project_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.pages import go_to, render_page
from reviewdesk.screens.settings.keeping_forms import CustomerForm, EraseForm, RetentionForm
from reviewdesk.screens.settings.views import settings_context
from traces import retention as rules
from traces.erasure import sessions_of_customer
from traces.errors import ErasureError
from traces.models import Erasure, Project, TracePolicy
from traces.retention import Plan, plan_retention

RETENTION = "settings/retention.html"


@require_safe
def retention(request: DeskRequest, slug: str) -> HttpResponse:
    """Show the rule, what it keeps and deletes, and whose data was deleted."""
    project = project_for(request, slug)
    context = _context(request, project)
    if customer := request.GET.get("customer", "")[:200]:
        context |= _found(project, customer)
    return render_page(request, RETENTION, context, partial="settings")


@require_POST
def preview_retention(request: DeskRequest, slug: str) -> HttpResponse:
    """Say what another rule would delete and keep, before it is set."""
    project = project_for(request, slug, Permission.KEEP_DATA)
    form = RetentionForm(request.POST)
    context = _context(request, project) | {"form": form}
    if not form.is_valid():
        return render_page(request, RETENTION, context, partial="settings", status=422)
    data = form.cleaned_data
    context |= {"preview": _plan(project, data["keep_days"], data["keeps_labelled"])}
    return render_page(request, RETENTION, context, partial="settings")


@require_POST
def set_retention(request: DeskRequest, slug: str) -> HttpResponse:
    """Set the rule; the scheduler deletes by it from now on."""
    project = project_for(request, slug, Permission.KEEP_DATA)
    form = RetentionForm(request.POST)
    if not form.is_valid():
        context = _context(request, project) | {"form": form}
        return render_page(request, RETENTION, context, partial="settings", status=422)
    rules.set_retention(project=project, by=request.user, **form.cleaned_data)
    days = form.cleaned_data["keep_days"]
    kept = f"Sessions are kept for {days:,} days now." if days else "Everything is kept now."
    messages.success(request, kept)
    return go_to(request, reverse("settings:retention", args=[slug]))


@never_cache
@require_POST
def find_customer(request: DeskRequest, slug: str) -> HttpResponse:
    """Say what there is of a customer, before it is deleted."""
    project = project_for(request, slug, Permission.KEEP_DATA)
    form = CustomerForm(request.POST)
    context = _context(request, project) | {"customer_form": form}
    if not form.is_valid():
        return render_page(request, RETENTION, context, partial="settings", status=422)
    context |= _found(project, form.cleaned_data["customer"])
    return render_page(request, RETENTION, context, partial="settings")


@never_cache
@require_POST
def erase_customer(request: DeskRequest, slug: str) -> HttpResponse:
    """Delete a customer's data."""
    project = project_for(request, slug, Permission.KEEP_DATA)
    form = EraseForm(request.POST)
    if form.is_valid():
        data = form.cleaned_data
        try:
            erasure = erase_person(
                project=project,
                customer=data["customer"],
                by=request.user,
                reason=data["reason"],
                with_tests=data["tests"] == "delete",
                with_old_versions=data["tests"] == "clear",
            )
        except ErasureError as error:
            form.add_error(None, str(error))
        else:
            deleted = f"Deleted: {erasure.num_sessions:,} sessions, {erasure.num_spans:,} steps."
            messages.success(request, deleted)
            return go_to(request, reverse("settings:retention", args=[slug]))
    context = _context(request, project) | _found(project, str(form["customer"].value() or ""))
    context |= {"erase_form": form}
    return render_page(request, RETENTION, context, partial="settings", status=422)


def _context(request: HttpRequest, project: Project) -> dict[str, Any]:
    policy = TracePolicy.objects.filter(project=project).first()
    keep_days = policy.keep_days if policy else None
    keeps_labelled = policy.keeps_labelled if policy else True
    erasures = Erasure.objects.filter(project=project).select_related("by")
    return {
        "keep_days": keep_days,
        "keeps_labelled": keeps_labelled,
        "plan": _plan(project, keep_days, keeps_labelled),
        "form": RetentionForm(initial={"keep_days": keep_days, "keeps_labelled": keeps_labelled}),
        "customer_form": CustomerForm(),
        "erasures": erasures.order_by("-created_at", "-pk")[:50],
        "may_keep": may(request, Permission.KEEP_DATA),
        **settings_context(request, project, "retention"),
    }


def _plan(project: Project, keep_days: int | None, keeps_labelled: bool) -> Plan:
    return plan_retention(
        project=project,
        keep_days=keep_days,
        keeps_labelled=keeps_labelled,
        kept=kept_sessions(),
    )


def _found(project: Project, customer: str) -> dict[str, Any]:
    """Return what there is of a customer."""
    return {
        "customer": customer,
        "num_found": len(sessions_of_customer(project=project, customer=customer)),
        "tests": words_left_of(project=project, customer=customer),
        "customer_form": CustomerForm(initial={"customer": customer}),
        "erase_form": EraseForm(initial={"customer": customer}),
    }
