"""Nobody reaches what is not theirs: every address of the desk is tried by those outside."""

import re
import uuid

import pytest
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver

from reviewdesk.people.access import LacksPermissionError, project_for
from reviewdesk.people.roles import ALLOWED, Permission, Role
from tests.factories import (
    add_member,
    client_as,
    make_agent,
    make_project,
    make_run,
    make_session,
    make_user,
    sign_in,
)

pytestmark = pytest.mark.django_db

# Open to everybody, on purpose: signing in, what load balancers ask, and the pages behind a
# one-time link (the first account, the first password), which check its token.
PUBLIC = {"people:login", "people:set_up", "people:set_password", "healthz", "readyz"}
# Reached with a project's API key instead of a session; their own tests try the keys.
OWN_CHECK = ("api/", "v1/")
# A person's own pages, the same for everybody who is signed in.
PERSONAL = {
    "home",
    "people:sign_out",
    "people:profile",
    "people:change_password",
    "people:password_changed",
}
VALUES = {
    "uuid": "6f0c1a52-9a0e-4d5e-8e59-0a6e3f2b1c4d",
    "int": "1",
    "slug": "some-name",
    "str": "some-name",
    "path": "some/path",
}


def addresses(resolver=None, prefix="", namespace=""):
    """Return (name, route) of every URL pattern."""
    found = []
    for entry in (resolver or get_resolver()).url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            found += addresses(
                entry, route, f"{entry.namespace}:" if entry.namespace else namespace
            )
        elif isinstance(entry, URLPattern):
            found.append((f"{namespace}{entry.name}", route))
    return found


def path_of(route, slug):
    """Return a path for a route, with the project's slug and any value for the other parts."""
    filled = route.replace("<slug:slug>", slug)
    return "/" + re.sub(r"<(?:(\w+):)?\w+>", lambda part: VALUES[part[1] or "str"], filled)


def desk_routes():
    return [
        pytest.param(route, id=name)
        for name, route in addresses()
        if name not in PUBLIC | PERSONAL and not route.startswith(OWN_CHECK)
    ]


@pytest.mark.parametrize("route", desk_routes())
@pytest.mark.parametrize("method", ["get", "post"])
def test_no_address_of_a_project_opens_to_those_outside(route, method):
    project = make_project()
    path = path_of(route, project.slug)
    assert "<" not in path
    visitor = getattr(Client(), method)(path)
    stranger = getattr(sign_in(make_user()), method)(path)
    other = getattr(client_as(Role.ADMIN, make_project()), method)(path)
    assert visitor.status_code == 302
    assert visitor["Location"].startswith("/sign-in/")
    # 405 is answered before anything is looked at.
    assert {stranger.status_code, other.status_code} <= {404, 405}


@pytest.mark.parametrize("route", desk_routes())
def test_every_address_belongs_to_a_project(route):
    assert route.startswith("p/<slug:slug>/")


@pytest.mark.parametrize("name", sorted(PERSONAL))
def test_personal_pages_need_a_sign_in(name):
    route = dict(addresses())[name]
    assert Client().get("/" + route).status_code == 302


def test_objects_of_another_project_are_not_found_under_the_own_one():
    """Every uuid in an address is looked up within the project of the address."""
    mine, theirs = make_project(), make_project()
    run = make_run(make_agent(theirs))
    client = client_as(Role.ADMIN, mine)
    routes = [route for _, route in addresses() if route.startswith("p/") and "<uuid:" in route]
    for route in routes:
        for pk in {run.pk, run.session_id}:
            filled = re.sub(r"<uuid:\w+>", str(pk), route)
            for method in (client.get, client.post):
                answer = method(path_of(filled, mine.slug))
                assert answer.status_code in {404, 405}, filled


def test_member_without_the_permission_is_told_which_roles_have_it():
    project = make_project()
    request = RequestFactory().get("/")
    request.user = make_user(Role.SUPPORT, project)
    with pytest.raises(LacksPermissionError) as caught:
        project_for(request, project.slug, Permission.DECIDE_RELEASES)
    assert str(caught.value) == (
        "Your role is support. To approve or refuse releases, roll back takes the role "
        "lead or admin."
    )


def test_closed_account_is_no_member():
    project = make_project()
    request = RequestFactory().get("/")
    request.user = make_user(Role.ADMIN, project, is_active=False)
    with pytest.raises(Exception, match="no such page"):
        project_for(request, project.slug)


def test_project_for_sets_the_membership_with_one_query(django_assert_num_queries):
    project = make_project()
    request = RequestFactory().get("/")
    request.user = make_user()
    membership = add_member(user=request.user, project=project, role=Role.VIEWER)
    with django_assert_num_queries(1):
        assert project_for(request, project.slug) == project
    assert request.membership == membership


def test_every_permission_is_held_by_some_role_and_admins_may_all_of_them():
    for permission in Permission:
        assert Role.ADMIN in ALLOWED[permission]


def test_not_found_page_is_the_same_for_missing_and_foreign():
    theirs = make_session().project
    client = sign_in(make_user())
    missing = client.get(f"/p/{uuid.uuid4().hex}/sessions/")
    foreign = client.get(f"/p/{theirs.slug}/sessions/")
    assert missing.status_code == foreign.status_code == 404
    token = re.compile(rb'"x-csrftoken": "\w+"|name="csrfmiddlewaretoken" value="\w+"')
    assert token.sub(b"", missing.content) == token.sub(b"", foreign.content)


def test_refused_fragment_becomes_a_toast():
    answer = sign_in(make_user()).get("/p/nowhere/sessions/", headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Retarget"]) == (404, "#toasts")
    assert b"<html" not in answer.content
