"""What of the waiting calls one member may decide, for counts on every page."""

from django.db.models import Q, QuerySet
from django.utils import timezone

from agents.models import ToolApproval
from reviewdesk.people.models import Membership
from reviewdesk.people.roles import Permission, is_allowed


def waiting_for_member(membership: Membership) -> QuerySet[ToolApproval]:
    """Return the calls and proposals that wait for this member; none without the permission.

    Left out are calls that were escalated to leads, and of those that need two people the member's
    own and those the member agreed to.
    """
    if not is_allowed(membership.role, Permission.DECIDE_CALLS):
        return ToolApproval.objects.none()
    found = ToolApproval.objects.filter(
        run__project=membership.project_id, status=ToolApproval.Status.WAITING
    ).filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))
    if not is_allowed(membership.role, Permission.RAISE_AUTONOMY):
        found = found.filter(escalated_at=None)
    agreed = ToolApproval.objects.filter(votes__by=membership.user_id).values("pk")
    mine = Q(run__started_by=membership.user_id) & Q(run__started_by__isnull=False)
    return found.exclude(Q(num_needed__gt=1) & (mine | Q(pk__in=agreed)))
