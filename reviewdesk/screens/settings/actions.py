"""What the Settings screen does: one POST address each, named like its function."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from reviewdesk.people import members, projects
from reviewdesk.people.access import DeskRequest, project_for
from reviewdesk.people.errors import KnownAccountError, LastAdminError, PeopleError
from reviewdesk.people.models import Membership
from reviewdesk.people.roles import Permission, Role
from reviewdesk.screens.pages import go_to, render_page
from reviewdesk.screens.settings import forms, views
from traces import api_keys
from traces.models import ApiKey, Project


@never_cache
@require_POST
def add_member(request: DeskRequest, slug: str) -> HttpResponse:
    """Add a member: a new account with a link, shown once; a known one when it is confirmed."""
    project = project_for(request, slug, Permission.ADMINISTER)
    form = forms.MemberForm(request.POST)
    if not form.is_valid():
        return _members_again(request, project, {"form": form}, status=422)
    data = form.cleaned_data
    try:
        added = members.add_member(
            project=project,
            email=data["email"],
            name=data["name"],
            role=Role(data["role"]),
            by=request.user,
            is_known=data["is_known"],
        )
    except KnownAccountError as error:
        return _members_again(request, project, {"form": form, "question": str(error)}, status=409)
    except PeopleError as error:
        return _members_again(request, project, {"form": form, "problem": str(error)}, status=409)
    if not added.needs_link:
        messages.success(request, f"{added.membership.user} is a member now.")
        return go_to(request, reverse("settings:index", args=[slug]))
    return _with_link(request, project, added.membership)


@require_POST
def change_role(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Give a member another role."""
    project = project_for(request, slug, Permission.ADMINISTER)
    membership = _membership(project, pk)
    form = forms.RoleForm(request.POST)
    if not form.is_valid():
        problem = str(form.errors["role"][0])
        return _members_again(request, project, {"problem": problem}, status=422)
    role = Role(form.cleaned_data["role"])
    try:
        members.change_role(membership=membership, role=role, by=request.user)
    except PeopleError as error:
        return _members_again(request, project, {"problem": str(error)}, status=_status(error))
    messages.success(request, f"{membership.user} is {role.label} now.")
    return go_to(request, reverse("settings:index", args=[slug]))


@require_POST
def remove_member(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Take a person out of the project."""
    project = project_for(request, slug, Permission.ADMINISTER)
    membership = _membership(project, pk)
    try:
        members.remove_member(membership=membership, by=request.user)
    except PeopleError as error:
        return _members_again(request, project, {"problem": str(error)}, status=_status(error))
    messages.success(request, f"{membership.user} is no member of {project} any more.")
    is_self = membership.user_id == request.user.pk
    return go_to(request, reverse("home") if is_self else reverse("settings:index", args=[slug]))


@never_cache
@require_POST
def make_link(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Show a new set-password link for a member who has not used their account yet."""
    project = project_for(request, slug, Permission.ADMINISTER)
    membership = _membership(project, pk)
    problem = members.why_no_link(membership, is_elsewhere=members.is_elsewhere(membership))
    if problem:
        return _members_again(request, project, {"problem": problem}, status=409)
    return _with_link(request, project, membership)


@never_cache
@require_POST
def create_key(request: DeskRequest, slug: str) -> HttpResponse:
    """Make an API key and show it, this once."""
    project = project_for(request, slug, Permission.ADMINISTER)
    form = forms.KeyForm(request.POST)
    if not form.is_valid():
        context = views.keys_context(request, project) | {"form": form}
        return render_page(request, views.KEYS, context, partial="settings", status=422)
    name = form.cleaned_data["name"]
    key = api_keys.create_key(project=project, name=name, created_by=request.user)
    context = views.keys_context(request, project) | {"new_key": key, "new_name": name}
    return render_page(request, views.KEYS, context, partial="settings")


@require_POST
def revoke_key(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Make a key useless."""
    project = project_for(request, slug, Permission.ADMINISTER)
    key = ApiKey.objects.filter(project=project, pk=pk).first()
    if key is None:
        raise Http404("This project has no such key.")
    api_keys.revoke_key(api_key=key, by=request.user)
    text = "it reads nothing any more, and what it sends is refused in ten seconds at the latest."
    messages.success(request, f"{key.name} is revoked: {text}")
    return go_to(request, reverse("settings:keys", args=[slug]))


@require_POST
def rename_project(request: DeskRequest, slug: str) -> HttpResponse:
    """Give the project another name."""
    project = project_for(request, slug, Permission.ADMINISTER)
    form = forms.NameForm(request.POST)
    if not form.is_valid():
        context = views.project_context(request, project) | {"form": form}
        return render_page(request, views.PROJECT, context, partial="settings", status=422)
    projects.rename_project(project=project, name=form.cleaned_data["name"])
    messages.success(request, f"The project is called {project.name} now.")
    return go_to(request, reverse("settings:project", args=[slug]))


@require_POST
def create_project(request: DeskRequest, slug: str) -> HttpResponse:
    """Make another project, whose admin this person becomes."""
    project = project_for(request, slug, Permission.ADMINISTER)
    form = forms.ProjectForm(request.POST)
    if form.is_valid():
        try:
            made = projects.create_project(**form.cleaned_data, by=request.user)
        except PeopleError as error:
            form.add_error("slug", str(error))
        else:
            messages.success(request, f"{made.name} is there, and you are its admin.")
            return go_to(request, reverse("settings:index", args=[made.slug]))
    context = views.project_context(request, project) | {"new_form": form}
    return render_page(request, views.PROJECT, context, partial="settings", status=422)


def _membership(project: Project, pk: int) -> Membership:
    found = Membership.objects.select_related("user", "project").filter(project=project, pk=pk)
    membership = found.first()
    if membership is None:
        raise Http404("This project has no such member.")
    return membership


def _with_link(request: DeskRequest, project: Project, membership: Membership) -> HttpResponse:
    url = request.build_absolute_uri(members.password_link(membership.user))
    context = views.members_context(request, project)
    context |= {"link": url, "link_for": membership.user}
    return render_page(request, views.MEMBERS, context, partial="settings")


def _members_again(
    request: DeskRequest, project: Project, more: dict[str, Any], *, status: int
) -> HttpResponse:
    context = views.members_context(request, project) | more
    return render_page(request, views.MEMBERS, context, partial="settings", status=status)


def _status(error: PeopleError) -> int:
    return 422 if isinstance(error, LastAdminError) else 409
