"""What was decided: today in numbers, and the list with its filters."""

from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from agents.models import ApprovalVote, ToolApproval
from reviewdesk.people.models import User
from reviewdesk.screens.approvals.inbox import Line, approvals_of, lines_of
from traces.models import Project

PAGE = 50
OUTCOMES = (
    ("", "Any outcome"),
    ("approved", "approved"),
    ("edited", "approved with edits"),
    ("rejected", "rejected"),
    ("responded", "answered instead"),
    ("expired", "expired"),
    ("void", "void"),
    ("planted", "planted to test"),
)


@dataclass(frozen=True)
class Today:
    """What was decided since midnight (UTC), planted calls left out.

    Attributes:
        median_wait: How long the middle one waited; None where none was decided.
    """

    num_decided: int
    num_edited: int
    num_rejected: int
    median_wait: timedelta | None


class DecidedForm(forms.Form):
    """Which decisions are listed."""

    by = forms.ModelChoiceField(
        User.objects.none(), required=False, empty_label="Anybody", label="By"
    )
    tool = forms.ChoiceField(required=False, label="Tool")
    outcome = forms.ChoiceField(choices=OUTCOMES, required=False, label="Outcome")

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.filter(memberships__project=project).order_by("name", "pk")
        self.fields["by"].queryset = people  # type: ignore[attr-defined]
        names = ToolApproval.objects.filter(run__project=project).values_list("tool", flat=True)
        choices = [("", "Any tool"), *((name, name) for name in names.order_by("tool").distinct())]
        self.fields["tool"].choices = choices  # type: ignore[attr-defined]
        for field in self.fields.values():
            field.widget.attrs |= {"class": "form-select", "data-submit-on-change": ""}


def read_today(project: Project) -> Today:
    """Return what people decided today. One query."""
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    decided = ToolApproval.objects.filter(
        run__project=project, decided_by__isnull=False, decided_at__gte=midnight, is_canary=False
    ).values_list("status", "created_at", "decided_at")
    rows: list[Any] = list(decided)
    statuses = [status for status, _, _ in rows]
    waits = [(end - start).total_seconds() for _, start, end in rows]
    return Today(
        num_decided=len(rows),
        num_edited=statuses.count(ToolApproval.Status.EDITED),
        num_rejected=statuses.count(ToolApproval.Status.REJECTED),
        median_wait=timedelta(seconds=median(waits)) if waits else None,
    )


def decided_page(
    project: Project, before: str, wanted: dict[str, Any] | None = None
) -> tuple[list[Line], str]:
    """Return one page of what was decided, newest first, and where the next one begins.

    Args:
        project: Whose.
        before: The pk of the last line of the page before, or empty.
        wanted: What `DecidedForm` read; empty: all.
    """
    found = _wanted(
        approvals_of(project).exclude(status=ToolApproval.Status.WAITING), wanted or {}
    ).annotate(settled_at=Coalesce("decided_at", "created_at"))
    if last := found.filter(pk=before).first() if before.isdecimal() else None:
        settled = last.settled_at
        found = found.filter(Q(settled_at__lt=settled) | Q(settled_at=settled, pk__lt=last.pk))
    rows = list(found.order_by("-settled_at", "-pk")[: PAGE + 1])
    lines = lines_of(rows[:PAGE])
    return lines, str(rows[PAGE - 1].pk) if len(rows) > PAGE else ""


def votes_of(person: User) -> QuerySet[ApprovalVote, int]:
    """Return the calls that a person agreed to, maybe with others."""
    return ApprovalVote.objects.filter(by=person).values_list("approval", flat=True)


def _wanted(found: QuerySet[ToolApproval], wanted: dict[str, Any]) -> QuerySet[ToolApproval]:
    if person := wanted.get("by"):
        found = found.filter(Q(decided_by=person) | Q(pk__in=votes_of(person)))
    if tool := wanted.get("tool"):
        found = found.filter(tool=tool)
    outcome = wanted.get("outcome")
    if outcome == "planted":
        return found.filter(is_canary=True)
    return found.filter(status=outcome) if outcome else found
