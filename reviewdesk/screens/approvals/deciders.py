"""Who may decide a call, and how many people it takes, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from agents.demo.describe import money
from agents.models import ToolApproval
from agents.runtime.approval_rules import rules_of
from reviewdesk.people.models import Membership
from reviewdesk.people.roles import ALLOWED, Permission, roles_with

_NAMED = 3


@dataclass(frozen=True)
class Deciders:
    """Who may decide a call.

    Attributes:
        roles: As a sentence begins, such as "Support, reviewer, lead or admin".
        names: Other people who may, a few.
        num_more: How many more may.
        excluded: Who of them may not, and why; a sentence or empty.
    """

    roles: str
    names: tuple[str, ...]
    num_more: int
    excluded: str

    @property
    def names_text(self) -> str:
        """Return the names as they stand behind "Also asked:"."""
        more = f" and {self.num_more} more" if self.num_more else ""
        return ", ".join(self.names) + more


def deciders_of(viewer: Membership, approval: ToolApproval) -> Deciders:
    """Return who may decide: after an escalation leads alone. One query."""
    is_escalated = approval.escalated_at is not None
    permission = Permission.RAISE_AUTONOMY if is_escalated else Permission.DECIDE_CALLS
    starter = approval.run.started_by_id if approval.num_needed > 1 else None
    members = (
        Membership.objects.filter(
            project=viewer.project_id, role__in=ALLOWED[permission], user__is_active=True
        )
        .exclude(user=viewer.user_id)
        .select_related("user")
        .order_by("user__name", "pk")
    )
    names = [str(each.user) for each in members if each.user_id != starter]
    return Deciders(
        roles=sentence_of(roles_with(permission)).capitalize(),
        names=tuple(names[:_NAMED]),
        num_more=max(len(names) - _NAMED, 0),
        excluded=f"Not {approval.run.started_by}, who started the run." if starter else "",
    )


def needs_text(approval: ToolApproval, amount: Decimal | None, *, is_money: bool) -> str:
    """Return how many people it takes, and why. One query where money moves."""
    if not is_money or approval.kind != ToolApproval.Kind.APPROVAL:
        return "One person." if approval.num_needed == 1 else "Two people."
    limit = money(rules_of(approval.run.project_id).two_people_from_usd).removesuffix(".00")
    if approval.num_needed == 1:
        return f"One person, because it is under {limit}."
    if amount is None:
        return "Two people, because nobody can tell how much it moves."
    return f"Two people, because it was asked for {limit} or more."


def sentence_of(roles: Sequence[str]) -> str:
    """Return roles as a sentence has them: "support, reviewer, lead or admin"."""
    return f"{', '.join(roles[:-1])} or {roles[-1]}" if len(roles) > 1 else roles[0]
