"""Pages of the Settings screen: members, API keys, project, label set, audit trail."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from reviewdesk.audit import read_cursor, read_trail
from reviewdesk.audit_kinds import KINDS
from reviewdesk.people.access import DeskRequest, may, project_for
from reviewdesk.people.members import why_no_link
from reviewdesk.people.models import Membership, User
from reviewdesk.people.roles import ALLOWED, Permission, Role
from reviewdesk.screens.pages import render_page
from reviewdesk.screens.settings.forms import (
    KeyForm,
    MemberForm,
    NameForm,
    ProjectForm,
    TrailForm,
)
from traces.label_sets import ensure_label_set, questions_of
from traces.models import ApiKey, Project

TABS = (
    ("index", "Members", "users"),
    ("keys", "API keys", "key"),
    ("project", "Project", "folder"),
    ("labels", "Label set", "tag"),
    ("masking", "Masking", "eye-off"),
    ("retention", "Retention", "archive"),
    ("tools", "Tools", "tool"),
    ("prices", "Prices", "coin"),
    ("budgets", "Budgets", "report-money"),
    ("schedules", "Schedules", "calendar"),
    ("notifications", "Notifications", "send"),
    ("audit", "Audit trail", "history"),
)
MEMBERS, KEYS, PROJECT = (f"settings/{name}.html" for name in ("members", "keys", "project"))


@dataclass(frozen=True)
class MemberRow:
    """A member, and whether they are the admin whom the project cannot lose."""

    membership: Membership
    is_you: bool
    is_last_admin: bool
    has_password: bool
    why_no_link: str


@require_safe
def members(request: DeskRequest, slug: str) -> HttpResponse:
    """List the members with their roles, and what each role may do."""
    project = project_for(request, slug)
    context = members_context(request, project)
    return render_page(request, MEMBERS, context, partial="settings")


@require_safe
def keys(request: DeskRequest, slug: str) -> HttpResponse:
    """List the API keys."""
    project = project_for(request, slug)
    return render_page(request, KEYS, keys_context(request, project), partial="settings")


@require_safe
def project_page(request: DeskRequest, slug: str) -> HttpResponse:
    """Show the project, and the way to another one."""
    project = project_for(request, slug)
    return render_page(request, PROJECT, project_context(request, project), partial="settings")


@require_safe
def label_set(request: DeskRequest, slug: str) -> HttpResponse:
    """Show the questions that reviewers answer."""
    project = project_for(request, slug)
    current = ensure_label_set(project)
    context = {"label_set": current, "questions": questions_of(current)}
    context |= settings_context(request, project, "labels")
    return render_page(request, "settings/labels.html", context, partial="settings")


@require_safe
def audit(request: DeskRequest, slug: str) -> HttpResponse:
    """Show who changed what authority, when and why."""
    project = project_for(request, slug)
    form = TrailForm(request.GET)
    form.is_valid()
    wanted = form.cleaned_data
    kinds = wanted.get("kind") or []
    people = list(User.objects.filter(memberships__project=project).order_by("name", "pk"))
    person = next((each for each in people if each.pk == wanted.get("person")), None)
    after = read_cursor(wanted.get("after", ""))
    page = read_trail(project=project, kinds=kinds, person=person, after=after)
    context = {
        "page": page,
        "kinds": KINDS,
        "chosen": kinds,
        "people": people,
        "person": person,
        "is_first_page": after is None,
        "filters": urlencode(
            [("kind", key) for key in kinds] + ([("person", person.pk)] if person else [])
        ),
        **settings_context(request, project, "audit"),
    }
    return render_page(request, "settings/audit.html", context, partial="settings")


def members_context(request: HttpRequest, project: Project) -> dict[str, Any]:
    """Return what the members' page shows. Two queries."""
    found = list(
        Membership.objects.filter(project=project)
        .select_related("user")
        .order_by("user__name", "pk")
    )
    elsewhere = set(
        Membership.objects.filter(user__in=[each.user_id for each in found])
        .exclude(project=project)
        .values_list("user_id", flat=True)
    )
    admins = {each.pk for each in found if each.role == Role.ADMIN and each.user.is_active}
    return {
        "rows": [_member_row(each, request, admins, elsewhere) for each in found],
        "roles": Role,
        "permissions": [
            (str(permission), [role in allowed for role in Role])
            for permission, allowed in ALLOWED.items()
        ],
        "form": MemberForm(),
        **settings_context(request, project, "index"),
    }


def keys_context(request: HttpRequest, project: Project) -> dict[str, Any]:
    """Return what the keys' page shows. One query."""
    found = ApiKey.objects.filter(project=project).select_related("created_by")
    return {
        "keys": found.order_by("revoked_at", "-created_at", "-pk")[:200],
        "form": KeyForm(),
        **settings_context(request, project, "keys"),
    }


def project_context(request: HttpRequest, project: Project) -> dict[str, Any]:
    """Return what the project's page shows."""
    return {
        "form": NameForm(initial={"name": project.name}),
        "new_form": ProjectForm(),
        **settings_context(request, project, "project"),
    }


def settings_context(request: HttpRequest, project: Project, tab: str) -> dict[str, Any]:
    """Return what every page of Settings shows."""
    return {
        "project": project,
        "tabs": TABS,
        "tab": tab,
        "may_administer": may(request, Permission.ADMINISTER),
    }


def _member_row(
    membership: Membership, request: HttpRequest, admins: set[int], elsewhere: set[int]
) -> MemberRow:
    has_password = membership.user.has_usable_password()
    return MemberRow(
        membership=membership,
        is_you=membership.user_id == request.user.pk,
        is_last_admin=admins == {membership.pk},
        has_password=has_password,
        why_no_link=why_no_link(membership, is_elsewhere=membership.user_id in elsewhere),
    )
