"""What waits for one person, most urgent first. Counts only what they may act on."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from agents.models import Incident, Release
from reviewdesk.people.models import Membership
from reviewdesk.people.roles import Permission, is_allowed
from reviewdesk.screens.approvals.mine import waiting_for_member
from reviewdesk.screens.shell import DUE_WITHIN
from traces.labels import ids_of_disagreed, unlabelled
from traces.models import Session

LOOK_BACK = timedelta(days=30)
MAX_RELEASES = 5
MAX_INCIDENTS = 3


@dataclass(frozen=True)
class Wait:
    """Something that waits.

    Attributes:
        since: When the oldest of it began to wait.
        expires_at: When the first of it expires, if it does.
        is_due: Whether that is soon.
    """

    icon: str
    text: str
    url: str
    since: datetime | None = None
    expires_at: datetime | None = None
    is_due: bool = False


def waits_for(membership: Membership) -> list[Wait]:
    """Return what waits for this member. At most six queries."""
    waits: list[Wait] = []
    if is_allowed(membership.role, Permission.DECIDE_CALLS):
        waits += _calls(membership)
    if is_allowed(membership.role, Permission.OPEN_INCIDENTS):
        waits += _incidents(membership)
    if is_allowed(membership.role, Permission.DECIDE_RELEASES):
        waits += _releases(membership)
    if is_allowed(membership.role, Permission.LABEL):
        waits += _sessions(membership)
    return waits


def _calls(membership: Membership) -> list[Wait]:
    found = waiting_for_member(membership).aggregate(
        num=Count("pk"), since=Min("created_at"), expires=Min("expires_at")
    )
    if not found["num"]:
        return []
    expires = found["expires"]
    is_due = expires is not None and expires < timezone.now() + DUE_WITHIN
    url = reverse("approvals:index", args=[membership.project.slug])
    text = _count(found["num"], "tool call")
    return [Wait("hand-stop", text, url, found["since"], expires, is_due)]


def _incidents(membership: Membership) -> list[Wait]:
    """Return the newest open incidents, one line each, and how many more there are."""
    slug, statuses = membership.project.slug, Incident.Status
    found = list(
        Incident.objects.filter(project=membership.project_id, status=statuses.OPEN)
        .order_by("-number")
        .values_list("number", "title", "opened_at", "severity")[: MAX_INCIDENTS + 1]
    )
    waits = [
        Wait(
            "urgent",
            f"Incident {number} ({severity}): {title}",
            reverse("incidents:incident", args=[slug, number]),
            opened_at,
        )
        for number, title, opened_at, severity in found[:MAX_INCIDENTS]
    ]
    if len(found) > MAX_INCIDENTS:
        waits.append(Wait("urgent", "More open incidents", reverse("incidents:index", args=[slug])))
    return waits


def _releases(membership: Membership) -> list[Wait]:
    mine = Q(requested_by=membership.user_id) | Q(author=membership.user_id, author__isnull=False)
    found = (
        Release.objects.filter(agent__project=membership.project_id, status=Release.Status.WAITING)
        .exclude(mine)
        .select_related("agent", "version")
        .order_by("requested_at", "pk")
    )
    return [
        Wait(
            "rocket",
            f"Release {release.agent.name} {release.version}",
            reverse("releases:release", args=[membership.project.slug, release.pk]),
            release.requested_at,
        )
        for release in found[:MAX_RELEASES]
    ]


def _sessions(membership: Membership) -> list[Wait]:
    since = timezone.now() - LOOK_BACK
    recent = Session.objects.filter(
        project=membership.project_id, is_golden=False, started_at__gte=since
    )
    failed = unlabelled(recent.filter(status=Session.Status.FAILED))
    # Two queries: of one the planner reads every recent session to find the few that are split.
    split = recent.filter(pk__in=list(ids_of_disagreed()))
    url = reverse("sessions:index", args=[membership.project.slug])
    return [
        *_counted(failed, "checklist", "failed session to label", f"{url}?{_FAILED}"),
        *_counted(split, "arrows-split-2", "disagreement to settle", f"{url}?{_SPLIT}"),
    ]


_FAILED = "outcome=none&status=failed&age=month"
_SPLIT = "outcome=disagree&age=month"


def _counted(found: QuerySet[Session], icon: str, thing: str, url: str) -> list[Wait]:
    row = found.aggregate(num=Count("pk"), since=Min("started_at"))
    if not row["num"]:
        return []
    word, _, rest = thing.partition(" to ")
    return [Wait(icon, f"{_count(row['num'], word)} to {rest}", url, row["since"])]


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
