"""Who is mailed about what: people who asked for it, are members still, and may act on it."""

from agents.models import MailSubscription
from agents.outbox.entries import Recipient
from agents.outbox.events import EVENTS
from reviewdesk.people.models import Membership
from reviewdesk.people.roles import ALLOWED, Permission


def recipients(*, project_id: int, event: str) -> list[Recipient]:
    """Return who wants to be mailed about an event and may be. One query."""
    rows = MailSubscription.objects.filter(
        project_id=project_id,
        event_names__contains=[event],
        user__is_active=True,
        user__memberships__project_id=project_id,
        user__memberships__role__in=roles_for(event),
    )
    found = rows.exclude(user__email="").values_list("user_id", "user__email").order_by("user_id")
    return [Recipient(user_id, address) for user_id, address in found]


def roles_for(event: str) -> list[str]:
    """Return the roles that may be mailed about an event."""
    needed = Permission.DECIDE_CALLS if EVENTS[event].is_for_deciders else Permission.VIEW
    return [role.value for role in ALLOWED[needed]]


def events_for(membership: Membership) -> list[str]:
    """Return the names of the events that a member may be mailed about."""
    return [name for name in EVENTS if membership.role in roles_for(name)]
