"""The rules of decision: when two people must agree, how often reading is tested, how it went."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from agents.errors import ApprovalError
from agents.models import ToolApproval
from agents.runtime.approval_rules import MAX_PLANTED, rules_of, set_rules
from agents.runtime.canaries import is_caught
from reviewdesk.kpis.estimates import Estimate, rate
from reviewdesk.people.access import DeskRequest, may, project_for
from reviewdesk.people.roles import Permission, roles_with
from reviewdesk.screens.approvals.call import planted_outcome
from reviewdesk.screens.approvals.settled import read_today
from reviewdesk.screens.pages import go_to, render_page
from traces.models import Project

DAYS = 90
_MIN_PLANTED = 5
_SHOWN = 20
TEMPLATE = "approvals/rules.html"


@dataclass(frozen=True)
class Reading:
    """How many planted calls were caught.

    Attributes:
        who: A person, or empty for all.
        share: Of those that somebody decided.
    """

    who: str
    num_caught: int
    share: Estimate


class RulesForm(forms.Form):
    """The rules, with the reason for changing them."""

    two_people_from_usd = forms.DecimalField(
        label="Two people from, US dollars", min_value=Decimal(0), max_digits=10, decimal_places=2
    )
    canaries_per_week = forms.IntegerField(
        label="Planted calls a week", min_value=0, max_value=MAX_PLANTED
    )
    reason = forms.CharField(label="Why", min_length=3, max_length=500)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["class"] = "form-control"


@require_safe
def rules(request: DeskRequest, slug: str) -> HttpResponse:
    """Show the rules, and to leads how many planted calls were caught."""
    project = project_for(request, slug)
    return _page(request, project, RulesForm(initial=_initial(project)))


@require_POST
def set_project_rules(request: DeskRequest, slug: str) -> HttpResponse:
    """Set the rules; calls that wait keep theirs."""
    project = project_for(request, slug, Permission.RAISE_AUTONOMY)
    form = RulesForm(request.POST)
    if not form.is_valid():
        return _page(request, project, form, status=422)
    try:
        set_rules(project=project, by=request.user, **form.cleaned_data)
    except ApprovalError as error:
        form.add_error(None, str(error))
        return _page(request, project, form, status=422)
    messages.success(request, "The rules are set; they hold for calls that are asked from now on.")
    return go_to(request, reverse("approvals:rules", args=[slug]))


def read_planted(project: Project) -> list[ToolApproval]:
    """Return the planted calls of the last 90 days that are over, newest first. Three queries."""
    since = timezone.now() - timedelta(days=DAYS)
    found = ToolApproval.objects.filter(
        run__project=project, is_canary=True, created_at__gte=since
    ).exclude(status=ToolApproval.Status.WAITING)
    return list(
        found.select_related("run__session", "decided_by")
        .defer("run__session__said", "run__session__said_vector", "run__input")
        .prefetch_related("votes__by")
        .order_by("-created_at", "-pk")
    )


def readings_of(planted: Iterable[ToolApproval]) -> tuple[Reading, list[Reading]]:
    """Return how many were caught by all, and by each person who decided or agreed."""
    verdicts: dict[str, list[bool]] = defaultdict(list)
    everybody: list[bool] = []
    for approval in planted:
        caught = is_caught(approval)
        if caught is None:
            continue
        everybody.append(caught)
        people = {str(vote.by) for vote in approval.votes.all() if not caught}
        people.add(str(approval.decided_by))
        for person in people:
            verdicts[person].append(caught)
    each = [_reading(person, verdicts[person]) for person in sorted(verdicts)]
    return _reading("", everybody), each


def _reading(who: str, verdicts: list[bool]) -> Reading:
    share = rate(sum(verdicts), len(verdicts), min_n=_MIN_PLANTED)
    return Reading(who, sum(verdicts), share)


def _page(
    request: DeskRequest, project: Project, form: RulesForm, status: int = 200
) -> HttpResponse:
    is_lead = may(request, Permission.RAISE_AUTONOMY)
    planted = read_planted(project) if is_lead else []
    total, people = readings_of(planted)
    context = {
        "form": form,
        "rules": rules_of(project.pk),
        "is_lead": is_lead,
        "leads": " or ".join(roles_with(Permission.RAISE_AUTONOMY)),
        "total": total,
        "people": people,
        "num_planted": len(planted),
        "planted": [(each, planted_outcome(each)) for each in planted[:_SHOWN]],
        "days": DAYS,
        "today": read_today(project),
    }
    return render_page(request, TEMPLATE, context, partial="rules", status=status)


def _initial(project: Project) -> dict[str, object]:
    found = rules_of(project.pk)
    return {
        "two_people_from_usd": found.two_people_from_usd,
        "canaries_per_week": found.canaries_per_week,
    }
