"""Pages and fragments, and the shell around them."""

from datetime import timedelta

import pytest
from django.test import RequestFactory
from django.utils import timezone

from agents.models import Release, Step, ToolApproval
from reviewdesk.people.models import Membership
from reviewdesk.people.roles import Role
from reviewdesk.screens.pages import go_to, render_page, wants_fragment
from reviewdesk.screens.shell import Waiting, waiting_for
from tests.factories import (
    NOON_NS,
    add_member,
    client_as,
    make_agent,
    make_project,
    make_run,
    make_user,
    make_version,
    sign_in,
)

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


def make_approval(agent, minutes=60):
    run = make_run(agent)
    step = Step.objects.create(
        run=run,
        index=1,
        kind=Step.Kind.TOOL,
        status=Step.Status.WAITING,
        claim_token=1,
        span_id="0" * 16,
        start_ns=NOON_NS,
        started_at=timezone.now(),
    )
    return ToolApproval.objects.create(
        run=run,
        step=step,
        tool="cancel_order",
        tool_version="1",
        arguments={},
        why="the tool's level",
        expires_at=timezone.now() + timedelta(minutes=minutes),
    )


def make_request(agent, by, author=None):
    return Release.objects.create(
        agent=agent,
        version=make_version(agent, author=author),
        author=author,
        requested_by=by,
        reason="It is better.",
        evidence_note="Made for a test.",
    )


def waiting(project, role, user=None):
    user = user or make_user()
    return waiting_for(Membership(user=user, project=project, role=role))


def test_menu_counts_the_calls_that_the_person_may_decide():
    agent = make_agent()
    make_approval(agent)
    make_approval(make_agent())
    assert waiting(agent.project, Role.SUPPORT)["approvals"] == Waiting(1, is_due=False)
    assert "approvals" not in waiting(agent.project, Role.ENGINEER)


def test_menu_marks_calls_that_are_about_to_expire():
    agent = make_agent()
    make_approval(agent, minutes=5)
    assert waiting(agent.project, Role.LEAD)["approvals"] == Waiting(1, is_due=True)


def test_menu_counts_only_releases_that_the_person_may_decide():
    agent, lead, author = make_agent(), make_user(), make_user()
    make_request(agent, by=author, author=author)
    make_request(agent, by=lead)
    assert waiting(agent.project, Role.LEAD)["releases"].num == 2
    assert waiting(agent.project, Role.LEAD, lead)["releases"].num == 1
    assert waiting(agent.project, Role.LEAD, author)["releases"].num == 1
    assert "releases" not in waiting(agent.project, Role.REVIEWER)


def test_page_outside_of_a_project_shows_the_menu_of_the_first():
    page = client_as(Role.VIEWER, make_project(slug="alpha")).get("/profile/").content.decode()
    assert 'href="/p/alpha/sessions/"' in page


def test_shell_takes_as_many_queries_for_many_projects_as_for_one(django_assert_num_queries):
    user = make_user(Role.ADMIN, make_project(slug="alpha"))
    client = sign_in(user)
    client.get("/profile/")
    for _ in range(4):
        add_member(user=user, project=make_project())
    # Session, user, the profile's own, first membership, projects, stops; and what waits: calls,
    # proposals, releases, incidents.
    with django_assert_num_queries(10):
        client.get("/profile/")
