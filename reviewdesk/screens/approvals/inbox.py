"""The list of calls that wait, and those that were decided."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from agents.demo.describe import CallSummary
from agents.demo.describe_many import describe_calls
from agents.models import Tier, ToolApproval
from agents.tools.registry import contracts_named
from reviewdesk.screens.shell import DUE_WITHIN
from traces.models import Project

SHOWN = 100
PAGE = 50

_DEFERRED = (
    "run__input",
    "run__fixtures",
    "run__session__said",
    "run__session__said_vector",
    "run__session__metadata",
)


@dataclass(frozen=True)
class Line:
    """A call in a list.

    Attributes:
        tier: None where the tool is gone from the code.
        is_due: Whether it expires within minutes.
    """

    approval: ToolApproval
    summary: CallSummary
    tier: Tier | None
    is_due: bool

    @property
    def is_money(self) -> bool:
        """Say whether the call moves money."""
        return self.tier is Tier.MONEY

    @property
    def changed(self) -> list[tuple[str, str, str]]:
        """Return (name, proposed, decided) of the arguments that a person changed."""
        return changed_arguments(self.approval)

    @property
    def waited(self) -> timedelta:
        """Return how long it waited for its decision, or waits already."""
        ended = self.approval.decided_at or timezone.now()
        return ended - self.approval.created_at


@dataclass(frozen=True)
class Inbox:
    """What waits for a person: calls that hold their run, and proposals to judge.

    Attributes:
        calls: Oldest first.
        suggestions: Oldest first.
        num_more: How many more wait than are shown.
    """

    calls: tuple[Line, ...]
    suggestions: tuple[Line, ...]
    num_more: int

    @property
    def lines(self) -> tuple[Line, ...]:
        """Return all of them in the order of the list."""
        return self.calls + self.suggestions

    @property
    def num_waiting(self) -> int:
        """Return how many wait."""
        return len(self.lines) + self.num_more

    @property
    def oldest(self) -> datetime | None:
        """Return since when the oldest waits."""
        return min((line.approval.created_at for line in self.lines), default=None)

    def place_of(self, pk: int) -> int | None:
        """Return the number of an approval in the list, from 0."""
        numbers = (n for n, line in enumerate(self.lines) if line.approval.pk == pk)
        return next(numbers, None)

    def neighbours(self, pk: int) -> tuple[Line | None, Line | None]:
        """Return the lines before and after an approval."""
        place = self.place_of(pk)
        if place is None:
            return None, None
        before = self.lines[place - 1] if place else None
        after = self.lines[place + 1] if place + 1 < len(self.lines) else None
        return before, after


@dataclass(frozen=True)
class Today:
    """What was decided since midnight (UTC).

    Attributes:
        median_wait: How long the middle one waited; None where none was decided.
    """

    num_decided: int
    num_edited: int
    num_rejected: int
    median_wait: timedelta | None


def read_inbox(project: Project) -> Inbox:
    """Return what waits, the calls first. Seven queries, whatever waits."""
    waiting = approvals_of(project).filter(status=ToolApproval.Status.WAITING)
    # The clock has decided already where the sweeper has not come by yet.
    waiting = waiting.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))
    # "approval" comes before "suggestion": what holds a run comes first.
    found = list(waiting.order_by("kind", "created_at", "pk")[:SHOWN])
    num_more = waiting.count() - len(found) if len(found) == SHOWN else 0
    lines = lines_of(found)
    is_call = [line.approval.kind == ToolApproval.Kind.APPROVAL for line in lines]
    return Inbox(
        calls=tuple(line for line, call in zip(lines, is_call, strict=True) if call),
        suggestions=tuple(line for line, call in zip(lines, is_call, strict=True) if not call),
        num_more=num_more,
    )


def approvals_of(project: Project) -> QuerySet[ToolApproval]:
    """Return the project's approvals with all that a line shows."""
    return (
        ToolApproval.objects.filter(run__project=project)
        .select_related("run__agent", "run__version", "run__session", "step", "decided_by")
        .defer(*_DEFERRED)
    )


def lines_of(approvals: Sequence[ToolApproval]) -> list[Line]:
    """Return lines for a list of one project. Five queries."""
    if not approvals:
        return []
    soon = timezone.now() + DUE_WITHIN
    summaries = describe_calls(approvals)
    tools = contracts_named({each.tool for each in approvals}, approvals[0].run.project_id)
    return [
        Line(
            approval,
            summaries[approval.pk],
            tools[approval.tool].tier if approval.tool in tools else None,
            approval.expires_at is not None and approval.expires_at < soon,
        )
        for approval in approvals
    ]


def changed_arguments(approval: ToolApproval) -> list[tuple[str, str, str]]:
    """Return (name, proposed, decided) of the arguments that a person changed."""
    if approval.status != ToolApproval.Status.EDITED:
        return []
    return differences(approval.arguments, approval.decided_arguments or {})


def differences(
    proposed: Mapping[str, Any], decided: Mapping[str, Any]
) -> list[tuple[str, str, str]]:
    """Return (name, proposed, decided) of the arguments that differ."""
    names = [*proposed, *(name for name in decided if name not in proposed)]
    return [
        (name, _short(proposed.get(name)), _short(decided.get(name)))
        for name in names
        if proposed.get(name) != decided.get(name)
    ]


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def read_today(project: Project) -> Today:
    """Return what people decided today. One query."""
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    decided = ToolApproval.objects.filter(
        run__project=project, decided_by__isnull=False, decided_at__gte=midnight
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


def decided_page(project: Project, before: str) -> tuple[list[Line], str]:
    """Return one page of what was decided, newest first, and where the next one begins.

    Args:
        project: Whose.
        before: The pk of the last line of the page before, or empty.
    """
    found = (
        approvals_of(project)
        .exclude(status=ToolApproval.Status.WAITING)
        .annotate(settled_at=Coalesce("decided_at", "created_at"))
    )
    if last := found.filter(pk=before).first() if before.isdecimal() else None:
        settled = last.settled_at
        found = found.filter(Q(settled_at__lt=settled) | Q(settled_at=settled, pk__lt=last.pk))
    rows = list(found.order_by("-settled_at", "-pk")[: PAGE + 1])
    lines = lines_of(rows[:PAGE])
    return lines, str(rows[PAGE - 1].pk) if len(rows) > PAGE else ""
