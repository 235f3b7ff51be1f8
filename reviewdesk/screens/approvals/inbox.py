"""The list of calls that wait: for whom, since when, and why not for this person."""

import copy
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from agents.demo.describe import CallSummary
from agents.demo.describe_many import describe_calls
from agents.models import EffectReview, Step, Tier, ToolApproval
from agents.runtime.votes import agreed, proposed_now
from agents.tools.registry import contracts_named
from reviewdesk.people.models import Membership
from reviewdesk.people.roles import Permission, is_allowed, roles_with
from reviewdesk.screens.shell import DUE_WITHIN
from traces.models import Project

SHOWN = 100

_DEFERRED = (
    "run__input",
    "run__fixtures",
    "run__session__said",
    "run__session__said_vector",
)
_CALL = ToolApproval.Kind.APPROVAL


@dataclass(frozen=True)
class Viewer:
    """Who looks: what their role lets them decide."""

    user_id: int
    may_decide: bool
    is_lead: bool

    def why_not(self, approval: ToolApproval) -> str:
        """Return why this person may not decide the call, in a few words; empty: they may."""
        if not self.may_decide:
            return f"{' or '.join(roles_with(Permission.DECIDE_CALLS)[-2:])} only"
        if approval.kind != _CALL:
            return ""
        if approval.escalated_at is not None and not self.is_lead:
            return "leads only"
        if approval.num_needed > 1:
            if approval.run.started_by_id == self.user_id:
                return "you started it"
            if any(vote.by_id == self.user_id for vote in agreed(approval)):
                return "you agreed"
        return ""


@dataclass(frozen=True)
class Line:
    """A call in a list.

    Attributes:
        summary: Of what is proposed now, a person's edit included.
        is_due: Whether it expires within minutes.
        why_not: Why the viewer may not decide it; empty: they may.
        turn: `2 of 3` among the calls of one turn; empty where it is the only one.
        num_agreed: How many people agreed already.
    """

    approval: ToolApproval
    summary: CallSummary
    tier: Tier | None
    is_due: bool
    why_not: str = ""
    turn: str = ""
    num_agreed: int = 0

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
    """What waits for a person: calls that hold their run, proposals, calls of unknown outcome.

    Attributes:
        calls: For the viewer, oldest first.
        others: For other people, oldest first.
        suggestions: Oldest first.
        reviews: Calls that nobody knows whether they happened, oldest first.
        held: What the viewer decided and may take back still.
        num_more: How many more wait than are shown.
    """

    calls: tuple[Line, ...]
    others: tuple[Line, ...]
    suggestions: tuple[Line, ...]
    reviews: tuple[EffectReview, ...]
    held: tuple[ToolApproval, ...]
    num_more: int

    @property
    def lines(self) -> tuple[Line, ...]:
        """Return the calls and proposals in the order of the list."""
        return self.calls + self.suggestions + self.others

    @property
    def num_waiting(self) -> int:
        """Return how many wait for the viewer."""
        return len(self.calls) + len(self.suggestions) + self.num_more

    @property
    def is_empty(self) -> bool:
        """Say whether nothing waits for anybody."""
        return not self.lines and not self.reviews

    @property
    def oldest(self) -> datetime | None:
        """Return since when the oldest waits for the viewer, else for anybody."""
        mine = self.calls + self.suggestions or self.lines
        return min((line.approval.created_at for line in mine), default=None)

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

    def following(self, pk: int) -> Line | None:
        """Return the call that the viewer decides after this one, or None."""
        mine = self.calls + self.suggestions
        place = next((n for n, line in enumerate(mine) if line.approval.pk == pk), None)
        if place is None:
            return mine[0] if mine else None
        rest = (*mine[place + 1 :], *reversed(mine[:place]))
        return rest[0] if rest else None


def viewer_of(membership: Membership) -> Viewer:
    """Return what a member may decide."""
    return Viewer(
        user_id=membership.user_id,
        may_decide=is_allowed(membership.role, Permission.DECIDE_CALLS),
        is_lead=is_allowed(membership.role, Permission.RAISE_AUTONOMY),
    )


def read_inbox(project: Project, viewer: Viewer) -> Inbox:
    """Return what waits. A fixed number of queries, whatever waits."""
    waiting = waiting_in(project)
    # "approval" comes before "suggestion": what holds a run comes first.
    found = list(waiting.order_by("kind", "created_at", "pk")[:SHOWN])
    num_more = waiting.count() - len(found) if len(found) == SHOWN else 0
    lines = lines_of(found, viewer)
    calls = [line for line in lines if line.approval.kind == _CALL]
    return Inbox(
        calls=tuple(line for line in calls if not line.why_not),
        others=tuple(line for line in calls if line.why_not),
        suggestions=tuple(line for line in lines if line.approval.kind != _CALL),
        reviews=tuple(reviews_in(project)[:SHOWN]),
        held=tuple(held_by(project, viewer)),
        num_more=num_more,
    )


def waiting_in(project: Project) -> QuerySet[ToolApproval]:
    """Return what waits; the clock has decided already where the sweeper was not there yet."""
    waiting = approvals_of(project).filter(status=ToolApproval.Status.WAITING)
    return waiting.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))


def reviews_in(project: Project) -> QuerySet[EffectReview]:
    """Return the calls that nobody knows whether they happened, oldest first."""
    waiting = EffectReview.objects.filter(run__project=project, verdict="")
    return waiting.select_related("step", "run__agent", "run__session").order_by("created_at", "pk")


def held_by(project: Project, viewer: Viewer) -> QuerySet[ToolApproval]:
    """Return what a person decided a moment ago and may take back."""
    return ToolApproval.objects.filter(
        run__project=project, decided_by=viewer.user_id, leaves_at__gt=timezone.now()
    ).order_by("-decided_at")[:5]


def approvals_of(project: Project) -> QuerySet[ToolApproval]:
    """Return the project's approvals with all that a line shows."""
    return (
        ToolApproval.objects.filter(run__project=project)
        .select_related(
            "run__agent__project",
            "run__version",
            "run__session",
            "run__started_by",
            "step",
            "decided_by",
            "escalated_by",
        )
        .prefetch_related("votes__by")
        .defer(*_DEFERRED)
    )


def lines_of(approvals: Sequence[ToolApproval], viewer: Viewer | None = None) -> list[Line]:
    """Return lines for a list of one project. A fixed number of queries."""
    if not approvals:
        return []
    soon = timezone.now() + DUE_WITHIN
    shown = [as_proposed(approval) for approval in approvals]
    summaries = describe_calls(shown)
    project_id = approvals[0].run.project_id
    tools = contracts_named({approval.tool for approval in approvals}, project_id)
    turns = _turns(approvals) if viewer else {}
    return [
        Line(
            approval=approval,
            summary=summaries[approval.pk],
            tier=tools[approval.tool].tier if approval.tool in tools else None,
            is_due=approval.expires_at is not None and approval.expires_at < soon,
            why_not=viewer.why_not(approval) if viewer else "",
            turn=turns.get(approval.pk, ""),
            num_agreed=len(agreed(approval)) if approval.num_needed > 1 else 0,
        )
        for approval in approvals
    ]


def as_proposed(approval: ToolApproval) -> ToolApproval:
    """Return the approval with what people agree to as its arguments: to be shown, never saved."""
    changed = copy.copy(approval)
    changed.arguments = proposed_now(approval)
    return changed


def changed_arguments(approval: ToolApproval) -> list[tuple[str, str, str]]:
    """Return (name, proposed, decided) of the arguments that a person changed."""
    if approval.status == ToolApproval.Status.EDITED:
        return differences(approval.arguments, approval.decided_arguments or {})
    return differences(approval.arguments, proposed_now(approval))


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


def _turns(approvals: Sequence[ToolApproval]) -> dict[int, str]:
    """Return the place of each call among those that its turn asks about. Two queries."""
    runs = {approval.run_id for approval in approvals}
    models: dict[object, list[int]] = defaultdict(list)
    steps = Step.objects.filter(run__in=runs, kind=Step.Kind.MODEL)
    for run_id, index in steps.values_list("run", "index"):
        models[run_id].append(index)
    asked = ToolApproval.objects.filter(run__in=runs, kind=_CALL).order_by("step__index")
    turns: dict[object, list[int]] = defaultdict(list)
    for pk, run_id, index in asked.values_list("pk", "run", "step__index"):
        turns[run_id, sum(each < index for each in models[run_id])].append(pk)
    return {
        pk: f"{number} of {len(turn)}"
        for turn in turns.values()
        if len(turn) > 1
        for number, pk in enumerate(turn, 1)
    }


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
