"""The shell around every screen: menu, what waits for this person, project switcher."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, cast

from django.db.models import Count, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from agents.models import Incident, LevelProposal, Release
from reviewdesk.people.access import membership_of
from reviewdesk.people.models import Membership, User
from reviewdesk.people.roles import Permission, is_allowed
from reviewdesk.screens.approvals.mine import waiting_for_member
from reviewdesk.screens.stops.banner import Banner, StopOn, stops_on_page
from traces.models import Project

DUE_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True)
class Screen:
    """A screen of the desk.

    Attributes:
        word: Names the URL namespace, the template folder and the module.
        icon: In the sprite.
        key: Pressed after `o`.
    """

    word: str
    title: str
    icon: str
    key: str


SCREENS = (
    Screen("overview", "Overview", "layout-dashboard", "o"),
    Screen("sessions", "Sessions", "messages", "s"),
    Screen("approvals", "Approvals", "hand-stop", "a"),
    Screen("golden", "Golden", "test-pipe", "g"),
    Screen("releases", "Releases", "rocket", "l"),
    Screen("autonomy", "Autonomy", "adjustments-horizontal", "t"),
    Screen("incidents", "Incidents", "urgent", "i"),
    Screen("settings", "Settings", "settings", ","),
)

# Pages with addresses of their own that belong to a screen.
PARTS = {"judges": "golden"}


@dataclass(frozen=True)
class Waiting:
    """How much waits for this person, and whether some of it cannot wait long; why, in words."""

    num: int = 0
    is_due: bool = False
    why_due: str = "nearly expired"


@dataclass(frozen=True)
class MenuEntry:
    """A line of the sidebar."""

    screen: Screen
    url: str
    is_current: bool
    waiting: Waiting


class Shell:
    """What `templates/desk.html` shows. Nothing is asked of the database before it is used."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def membership(self) -> Membership | None:
        """Return the membership of the current project; on other pages, of the first one.

        No query in a project, else one.
        """
        return membership_of(self._request) or self._first_membership()

    @property
    def project(self) -> Project | None:
        """Return the current project."""
        return self.membership.project if self.membership else None

    @cached_property
    def projects(self) -> list[Project]:
        """Return the projects of this person, by name. One query."""
        user = cast(User, self._request.user)
        ids = Membership.objects.filter(user_id=user.pk).values("project")
        return list(Project.objects.filter(pk__in=ids).order_by("name", "pk"))

    @cached_property
    def stops(self) -> list[StopOn]:
        """Return the stops that are on for this page, the widest first. One query.

        On a page that belongs to no project these are the stops of everything.
        """
        if self.membership is None:
            return []
        here = membership_of(self._request)
        return stops_on_page(here.project_id if here else None)

    @property
    def banner(self) -> Banner | None:
        """Return what stands above this page of the stops that are on; None to who is nowhere."""
        if self.project is None:
            return None
        is_everywhere = membership_of(self._request) is None
        return Banner(self.project.slug, self.stops, is_everywhere)

    @property
    def stop_url(self) -> str:
        """Return where a stop is made; an agent's pages choose that agent beforehand."""
        if self.project is None:
            return ""
        match = self._request.resolver_match
        is_agents = match is not None and match.namespace == "autonomy" and "agent" in match.kwargs
        query = {"agent": match.kwargs["agent"]} if match and is_agents else {}
        return reverse("stops:new", args=[self.project.slug], query=query)

    @property
    def may_stop(self) -> bool:
        """Say whether this person may stop a tool, an agent or the project."""
        return self._may(Permission.LOWER_AUTONOMY)

    @property
    def may_lift(self) -> bool:
        """Say whether this person may lift a stop."""
        return self._may(Permission.RAISE_AUTONOMY)

    def _may(self, permission: Permission) -> bool:
        return self.membership is not None and is_allowed(self.membership.role, permission)

    def _first_membership(self) -> Membership | None:
        user = cast(User, self._request.user)
        memberships = Membership.objects.filter(user_id=user.pk).select_related("project")
        first = memberships.order_by("project__name", "project_id").first()
        if first is not None:
            first.user = user
        return first

    @cached_property
    def menu(self) -> list[MenuEntry]:
        """Return the sidebar's lines. At most three queries."""
        if self.membership is None:
            return []
        match = self._request.resolver_match
        word = match.namespace if match else ""
        current = PARTS.get(word, word)
        waiting = waiting_for(self.membership)
        slug = self.membership.project.slug
        return [
            MenuEntry(
                screen=screen,
                url=reverse(f"{screen.word}:index", args=[slug]),
                is_current=screen.word == current,
                waiting=waiting.get(screen.word, Waiting()),
            )
            for screen in SCREENS
        ]


def waiting_for(membership: Membership) -> dict[str, Waiting]:
    """Return what waits for this member, by screen. Counts only what they may decide."""
    waiting = {}
    if is_allowed(membership.role, Permission.DECIDE_CALLS):
        waiting["approvals"] = _calls_waiting(membership)
    if is_allowed(membership.role, Permission.RAISE_AUTONOMY):
        proposals = LevelProposal.objects.filter(
            agent_tool__agent__project=membership.project, status=LevelProposal.Status.WAITING
        ).exclude(proposed_by=membership.user)
        waiting["autonomy"] = Waiting(proposals.count())
    if is_allowed(membership.role, Permission.DECIDE_RELEASES):
        releases = Release.objects.filter(
            agent__project=membership.project, status=Release.Status.WAITING
        ).exclude(Q(requested_by=membership.user) | Q(author__isnull=False, author=membership.user))
        waiting["releases"] = Waiting(releases.count())
    if is_allowed(membership.role, Permission.OPEN_INCIDENTS):
        waiting["incidents"] = _open_incidents(membership.project)
    return waiting


def _calls_waiting(membership: Membership) -> Waiting:
    soon = Q(expires_at__lt=timezone.now() + DUE_WITHIN)
    found = waiting_for_member(membership).aggregate(num=Count("pk"), due=Count("pk", filter=soon))
    return Waiting(found["num"], found["due"] > 0)


def _open_incidents(project: Project) -> Waiting:
    critical = Q(severity=Incident.Severity.CRITICAL)
    found = Incident.objects.filter(project=project, status=Incident.Status.OPEN).aggregate(
        num=Count("pk"), critical=Count("pk", filter=critical)
    )
    return Waiting(found["num"], found["critical"] > 0, "critical")


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return the shell's template variable."""
    return {"shell": Shell(request)}
