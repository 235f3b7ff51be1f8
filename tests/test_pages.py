"""Pages and fragments, and the shell around them."""

import pytest
from django.test import RequestFactory

from reviewdesk.people.roles import Role
from reviewdesk.screens.pages import go_to, render_page, wants_fragment
from tests.factories import add_member, make_project, make_user, sign_in

pytestmark = pytest.mark.django_db

CASES = [
    ({}, False),
    ({"HX-Request": "true"}, True),
    ({"HX-Request": "true", "HX-Boosted": "true"}, False),
    ({"HX-Request": "true", "HX-History-Restore-Request": "true"}, False),
]


@pytest.mark.parametrize(("headers", "is_fragment"), CASES)
def test_only_a_plain_htmx_request_gets_the_fragment(headers, is_fragment):
    request = RequestFactory().get("/", headers=headers)
    request.user = make_user()
    context = {"title": "Not found", "reason": "No such page."}
    answer = render_page(request, "refused.html", context, partial="notice")
    assert (b"<html" not in answer.content) is is_fragment
    assert b"No such page." in answer.content
    assert "HX-Request" in answer["Vary"]
    assert wants_fragment(request) is is_fragment


def test_go_to_tells_htmx_to_load_the_page():
    plain, htmx = (RequestFactory().post("/", headers=headers) for headers, _ in CASES[:2])
    assert (go_to(plain, "/x/").status_code, go_to(plain, "/x/")["Location"]) == (303, "/x/")
    assert go_to(htmx, "/x/")["HX-Redirect"] == "/x/"


def test_project_switcher_lists_only_own_projects():
    user = make_user(Role.VIEWER, make_project(slug="alpha", name="Alpha desk"))
    add_member(user=user, project=make_project(slug="beta", name="Beta desk"))
    make_project(name="Foreign desk")
    page = sign_in(user).get("/p/alpha/sessions/").content.decode()
    assert "Alpha desk" in page
    assert "Beta desk" in page
    assert "Foreign desk" not in page
