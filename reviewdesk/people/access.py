"""Who may reach what: fetching an object through here is the permission check.

A stranger and a member of another project get 404, so that nothing is learned from the answer. A
member whose role lacks the permission gets 403, with the roles that have it.
"""

import uuid
from typing import cast

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django_htmx.middleware import HtmxDetails

from agents.models import Agent, Run
from reviewdesk.people.models import Membership, User
from reviewdesk.people.roles import Permission, is_allowed, roles_with
from traces.ingest.moving import moved_to
from traces.models import Project, Session


class DeskRequest(HttpRequest):
    """The request of a signed-in member: what views may rely on after `project_for`."""

    user: User
    membership: Membership
    htmx: HtmxDetails


class LacksPermissionError(PermissionDenied):
    """A member's role does not carry the permission; the message says which roles do."""

    def __init__(self, *, role: str, permission: Permission) -> None:
        self.role = role
        self.permission = permission
        self.roles = roles_with(permission)
        super().__init__(str(self))

    def __str__(self) -> str:
        others = " or ".join((", ".join(self.roles[:-1]), self.roles[-1]))
        allowed = others if len(self.roles) > 1 else self.roles[0]
        return f"Your role is {self.role}. To {self.permission} takes the role {allowed}."


class SessionMovedError(Http404):
    """The session's spans are in another one by now, `session_id`."""

    def __init__(self, session_id: uuid.UUID) -> None:
        self.session_id = session_id
        super().__init__(f"The spans of this session are in session {session_id} now.")


def project_for(
    request: HttpRequest, slug: str, permission: Permission = Permission.VIEW
) -> Project:
    """Return the project and set `request.membership`. One query.

    Raises:
        Http404: No such project, or the person is not a member of it.
        LacksPermissionError: The member's role does not carry `permission`.
    """
    user = cast(User, request.user)
    membership = (
        Membership.objects.select_related("project")
        .filter(user_id=user.pk, user__is_active=True, project__slug=slug)
        .first()
    )
    if membership is None:
        raise Http404("There is no such page, or it belongs to a project you are not in.")
    membership.user = user
    cast(DeskRequest, request).membership = membership
    require(request, permission)
    return membership.project


def session_for(
    request: HttpRequest, slug: str, pk: uuid.UUID, permission: Permission = Permission.VIEW
) -> Session:
    """Return the project's session. Two queries; raises like `project_for`.

    Raises:
        SessionMovedError: Its spans were found to belong to another session.
    """
    project = project_for(request, slug, permission)
    session = Session.objects.filter(project=project, pk=pk).first()
    if session is None:
        if new_id := moved_to(pk, project):
            raise SessionMovedError(new_id)
        raise Http404(f"This project has no session {pk}.")
    session.project = project
    return session


def run_for(
    request: HttpRequest, slug: str, pk: uuid.UUID, permission: Permission = Permission.VIEW
) -> Run:
    """Return the project's run with agent and version. Two queries; raises like `project_for`."""
    project = project_for(request, slug, permission)
    run = Run.objects.select_related("agent", "version").filter(project=project, pk=pk).first()
    if run is None:
        raise Http404(f"This project has no run {pk}.")
    return run


def agent_for(
    request: HttpRequest, slug: str, agent: str, permission: Permission = Permission.VIEW
) -> Agent:
    """Return the project's agent by its slug. Two queries; raises like `project_for`."""
    project = project_for(request, slug, permission)
    found = Agent.objects.select_related("live_version").filter(project=project, slug=agent).first()
    if found is None:
        raise Http404(f"This project has no agent {agent}.")
    return found


def membership_of(request: HttpRequest) -> Membership | None:
    """Return the membership under which this request is made, or None outside of a project."""
    return getattr(request, "membership", None)


def may(request: HttpRequest, permission: Permission) -> bool:
    """Say whether the person's role in the current project carries `permission`."""
    membership = membership_of(request)
    return membership is not None and is_allowed(membership.role, permission)


def require(request: HttpRequest, permission: Permission) -> None:
    """Stop unless the member may.

    Raises:
        LacksPermissionError: The member's role does not carry `permission`.
    """
    if not may(request, permission):
        membership = cast(DeskRequest, request).membership
        raise LacksPermissionError(role=membership.get_role_display(), permission=permission)
