"""The kill switch on the desk: the dialog, the banner above every page, the list, lifting."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import Incident, KillSwitch, Level, Run, Step
from agents.tools import stops
from reviewdesk.screens.stops.banner import stops_on_page
from tests.factories import (
    client_as,
    make_agent,
    make_project,
    make_run,
    make_user,
    sign_in,
)

pytestmark = pytest.mark.django_db

CANCEL = "cancel_pending_order"
LOOK = "get_order_details"
HTMX = {"HX-Request": "true"}
ON_PROFILE = {**HTMX, "HX-Current-URL": "http://testserver/profile/#top"}


def make_shop():
    return make_agent(
        slug="support", name="Support desk", tools={CANCEL: Level.APPROVE, LOOK: Level.AUTONOMOUS}
    )


def url_of(project, part=""):
    return f"/p/{project.slug}/stops/{part}"


def stop_data(scope="project", **overrides):
    return {
        "scope": scope,
        "stops": "writes",
        "reason": "Refunds reach the wrong card.",
        **overrides,
    }


def asks(response):
    """Return what the page asks with whether its banner still holds."""
    return re.search(r'id="stops" hx-get="([^"]+)"', response.text)[1].replace("&amp;", "&")


def make_stop(project=None, agent=None, tool="", by=None, **overrides):
    scope = "tool" if tool else "agent" if agent else "project" if project else "everything"
    values = {"stops": KillSwitch.Stops.WRITES, "reason": "Wrong refunds.", **overrides}
    return stops.stop(
        scope=KillSwitch.Scope(scope),
        project=project or (agent.project if agent else None),
        agent=agent,
        tool=tool,
        by=by or make_user(name="Ada Lindqvist"),
        **values,
    )


@pytest.mark.parametrize("role", ["support", "reviewer", "engineer", "lead", "admin"])
def test_all_but_viewers_stop_the_project(role):
    project = make_shop().project
    response = client_as(role, project).post(url_of(project, "stop/"), stop_data())
    assert response.status_code == 303
    assert response["Location"] == url_of(project)
    switch = KillSwitch.objects.get()
    assert (switch.scope, switch.stops, switch.project) == ("project", "writes", project)


def test_a_viewer_may_neither_open_nor_send_the_form():
    project = make_project()
    client = client_as("viewer", project)
    assert client.get(url_of(project, "new/")).status_code == 403
    assert client.post(url_of(project, "stop/"), stop_data()).status_code == 403
    assert "Shift+K" not in client.get(url_of(project)).text
    assert not KillSwitch.objects.exists()


@pytest.mark.parametrize(("role", "status"), [("engineer", 403), ("lead", 303)])
def test_everything_is_stopped_by_leads(role, status):
    project = make_project()
    response = client_as(role, project).post(url_of(project, "stop/"), stop_data("everything"))
    assert response.status_code == status
    assert KillSwitch.objects.filter(scope="everything").exists() == (status == 303)


def test_a_tool_is_stopped_for_one_agent_with_all_its_calls():
    agent = make_shop()
    data = stop_data("tool", tool=LOOK, tool_agent="support", stops="writes")
    client_as("support", agent.project).post(url_of(agent.project, "stop/"), data)
    switch = KillSwitch.objects.get()
    assert (switch.tool, switch.agent, switch.stops) == (LOOK, agent, "all")


def test_an_agent_is_stopped():
    agent = make_shop()
    data = stop_data("agent", agent="support", stops="all")
    client_as("support", agent.project).post(url_of(agent.project, "stop/"), data)
    switch = KillSwitch.objects.get()
    assert (switch.scope, switch.agent, switch.stops) == ("agent", agent, "all")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reason": ""}, "Say why"),
        ({"reason": "x"}, "at least 3 characters"),
        ({"scope": ""}, "Choose what is to be stopped"),
        ({"scope": "world"}, "not one of the available choices"),
        ({"scope": "tool"}, "Choose the tool"),
        ({"scope": "tool", "tool": "fly"}, "not one of the available choices"),
        ({"scope": "agent", "agent": "stranger"}, "not one of the available choices"),
        ({"stops": ""}, "Choose whether reads"),
    ],
)
def test_an_invalid_form_comes_back_with_its_errors(change, message):
    project = make_shop().project
    data = {**stop_data(), **change}
    response = client_as("lead", project).post(url_of(project, "stop/"), data, headers=HTMX)
    assert response.status_code == 422
    assert message in response.text
    assert response.text.strip().startswith("<form")
    assert not KillSwitch.objects.exists()


def test_the_dialog_is_a_fragment_and_a_page():
    project = make_shop().project
    client = client_as("support", project)
    dialog = client.get(url_of(project, "new/"), headers=ON_PROFILE)
    assert dialog.text.strip().startswith("<header")
    assert 'name="back" value="/profile/"' in dialog.text
    assert "takes lead or admin" in dialog.text
    assert "<html" in client.get(url_of(project, "new/")).text


@pytest.mark.parametrize(
    ("query", "scope"),
    [("", "project"), ("?agent=support", "agent"), (f"?tool={CANCEL}&agent=support", "tool")],
)
def test_the_scope_is_chosen_beforehand(query, scope):
    project = make_shop().project
    page = client_as("support", project).get(url_of(project, "new/") + query)
    assert page.context["form"]["scope"].value() == scope


def test_an_agents_pages_choose_the_agent_beforehand():
    agent = make_shop()
    client = client_as("support", agent.project)
    url = f"/p/{agent.project.slug}/autonomy/agents/support/"
    assert "/stops/new/?agent=support" in client.get(url).text
    assert "/stops/new/?agent" not in client.get(f"/p/{agent.project.slug}/overview/").text


def test_the_dialog_leads_back_to_where_it_stood_and_nowhere_else():
    project = make_shop().project
    client = client_as("lead", project)
    sent = client.post(url_of(project, "stop/"), stop_data(back="/profile/"), headers=HTMX)
    assert (sent.status_code, sent["HX-Redirect"]) == (204, "/profile/")
    switch = KillSwitch.objects.get()
    away = {"reason": "All is well.", "back": "https://example.com/"}
    lifted = client.post(url_of(project, f"{switch.pk}/lift/"), away)
    assert lifted["Location"] == url_of(project)


def test_what_is_stopped_already_is_told_and_the_reason_stays():
    project = make_shop().project
    make_stop(project)
    data = stop_data(reason="My careful reason.")
    response = client_as("lead", project).post(url_of(project, "stop/"), data, headers=HTMX)
    assert response.status_code == 409
    assert "stopped already" in response.text
    assert "My careful reason." in response.text


def test_banner_says_what_is_stopped_who_when_and_why():
    agent = make_shop()
    make_stop(agent=agent)
    page = client_as("viewer", agent.project).get(f"/p/{agent.project.slug}/autonomy/").text
    assert page.count('role="alert"') == 1
    assert "Every write is stopped for Support desk." in page
    assert "Ada Lindqvist" in page
    assert "“Wrong refunds”" in page
    assert "0 runs wait, 0 effects since." in page


def test_banner_offers_lifting_to_leads_alone():
    project = make_shop().project
    make_stop(project)
    url = f"/p/{project.slug}/autonomy/"
    assert "Lift the stop…" in client_as("lead", project).get(url).text
    assert "Lift the stop…" not in client_as("engineer", project).get(url).text


def test_banner_of_everything_stands_on_pages_without_a_project():
    project = make_project()
    client = client_as("viewer", project)
    make_stop(project)
    assert "desk-stops" not in client.get("/profile/").text
    make_stop()
    page = client.get("/profile/").text
    assert "Every write is stopped in every project." in page
    assert "stopped in Project" not in page


def test_nothing_of_another_project_or_of_a_lifted_stop_is_shown():
    mine, theirs = make_project(), make_project()
    make_stop(theirs)
    lifted = make_stop(mine)
    stops.lift(switch=lifted, reason="All is well.", by=make_user())
    assert "desk-stops" not in client_as("admin", mine).get(url_of(mine)).text


def test_banner_shows_the_widest_two_and_counts_the_others():
    agent = make_shop()
    make_stop(agent=agent, tool=CANCEL)
    make_stop(agent=agent)
    make_stop(agent.project)
    page = client_as("viewer", agent.project).get(f"/p/{agent.project.slug}/overview/").text
    assert "Every write is stopped in Project" in page
    assert "Every write is stopped for Support desk." in page
    assert "1 more stop is on." in page


def test_banner_takes_one_query_whatever_is_stopped():
    agent = make_shop()
    client = client_as("viewer", agent.project)
    url = "/profile/"
    client.get(url)
    with CaptureQueriesContext(connection) as none:
        client.get(url)
    for _ in range(1):
        make_stop()
    with CaptureQueriesContext(connection) as one:
        client.get(url)
    assert len(one) == len(none)
    asked = [query for query in one.captured_queries if "agents_killswitch" in query["sql"]]
    assert len(asked) == 1


def park(agent, tool=CANCEL):
    """Make a run that a stop has parked before a call of `tool`."""
    run = make_run(agent)
    Step.objects.create(
        run=run,
        index=0,
        kind=Step.Kind.MODEL,
        status=Step.Status.DONE,
        response={"tool_calls": [{"id": "call-1", "name": tool, "arguments": "{}"}]},
        claim_token=1,
        span_id="1" * 16,
        start_ns=1,
        started_at=timezone.now(),
    )
    Run.objects.filter(pk=run.pk).update(status="waiting", parked_for="stop")
    return run


def add_effect(run, tool, at, **overrides):
    values = {"kind": Step.Kind.TOOL, "status": Step.Status.DONE, "response": {"result": {}}}
    return Step.objects.create(
        run=run,
        index=run.steps.count(),
        name=tool,
        claim_token=1,
        span_id=f"{run.steps.count():016x}",
        start_ns=1,
        started_at=at,
        **{**values, **overrides},
    )


def test_banner_counts_the_runs_that_wait_for_this_stop():
    agent = make_shop()
    make_stop(agent=agent, tool=CANCEL)
    park(agent)
    park(agent, LOOK)
    park(make_agent(slug="other"), CANCEL)
    page = client_as("viewer", agent.project).get(f"/p/{agent.project.slug}/overview/").text
    assert "1 run waits, 0 effects since." in page


def test_banner_counts_forbidden_effects_alone():
    agent = make_shop()
    run = make_run(agent)
    add_effect(run, CANCEL, timezone.now() - timedelta(minutes=1))
    switch = make_stop(agent=agent)
    later = switch.stopped_at + timedelta(seconds=1)
    add_effect(run, LOOK, later)
    add_effect(run, CANCEL, later, status=Step.Status.FAILED, response={"error": "refused"})
    client, url = client_as("viewer", agent.project), f"/p/{agent.project.slug}/overview/"
    assert "0 effects since" in client.get(url).text
    add_effect(run, CANCEL, later)
    assert "1 effect since" in client.get(url).text


@pytest.mark.parametrize(("role", "status"), [("support", 403), ("engineer", 403), ("lead", 303)])
def test_lifting_takes_a_lead(role, status):
    project = make_project()
    switch = make_stop(project)
    client = client_as(role, project)
    data = {"reason": "The rule is out."}
    assert client.post(url_of(project, f"{switch.pk}/lift/"), data).status_code == status
    switch.refresh_from_db()
    assert (switch.lifted_at is not None) == (status == 303)


def test_lifting_needs_a_reason():
    project = make_project()
    switch = make_stop(project)
    client = client_as("lead", project)
    response = client.post(url_of(project, f"{switch.pk}/lift/"), {"reason": " "}, headers=HTMX)
    assert response.status_code == 422
    assert "Say why" in response.text


def test_who_lifts_too_late_is_told_who_was_faster():
    project = make_project()
    switch = make_stop(project)
    stops.lift(switch=switch, reason="The rule is out.", by=make_user(name="Lea Lead"))
    response = client_as("lead", project).post(
        url_of(project, f"{switch.pk}/lift/"), {"reason": "Mine."}, headers=HTMX
    )
    assert response.status_code == 409
    assert "was lifted by Lea Lead" in response.text


def test_one_stop_is_a_page_a_dialog_and_says_who_may_lift_it():
    project = make_project()
    switch = make_stop(project)
    client = client_as("support", project)
    page = client.get(url_of(project, f"{switch.pk}/"))
    assert "<html" in page.text
    assert "takes lead or admin" in page.text
    dialog = client.get(url_of(project, f"{switch.pk}/"), headers=HTMX)
    assert dialog.text.strip().startswith("<header")


def test_one_stop_names_the_projects_own_runs_that_wait():
    mine, theirs = make_shop(), make_agent(slug="other")
    switch = make_stop()
    run, foreign = park(mine), park(theirs)
    page = client_as("viewer", mine.project).get(url_of(mine.project, f"{switch.pk}/")).text
    assert str(run.session_id) in page
    assert str(foreign.session_id) not in page
    assert "<dt>runs that wait</dt><dd>2</dd>" in page


def test_banner_leads_to_the_open_incident_about_what_is_stopped():
    agent = make_shop()
    values = {"project": agent.project, "title": "Wrong cards"}
    Incident.objects.create(number=30, agent=make_agent(agent.project, slug="other"), **values)
    Incident.objects.create(number=31, agent=agent, **values)
    make_stop(agent=agent)
    page = client_as("viewer", agent.project).get(f"/p/{agent.project.slug}/overview/").text
    assert f'/p/{agent.project.slug}/incidents/31/">Incident 31</a>' in page
    assert "Incident 30</a>" not in page


def test_banner_of_more_than_a_tool_leads_to_no_incident_about_a_tool_alone():
    agent = make_shop()
    values = {"project": agent.project, "title": "Wrong cards"}
    Incident.objects.create(number=30, **values)
    Incident.objects.create(number=31, tool=CANCEL, **values)
    make_stop(agent.project)
    url = f"/p/{agent.project.slug}/overview/"
    assert "incidents/30/" in client_as("viewer", agent.project).get(url).text.split("<main")[0]
    make_stop(agent=agent, tool=LOOK)
    make_stop(agent=agent, tool=CANCEL)
    (everything, look, cancel) = stops_on_page(agent.project_id)
    assert (everything.incident, look.incident, cancel.incident) == (30, 30, 31)


def test_open_page_learns_of_a_stop_and_of_its_end():
    project = make_shop().project
    client = client_as("viewer", project)
    asked = asks(client.get(f"/p/{project.slug}/overview/"))
    assert (asked, client.get(asked).status_code) == (f"{url_of(project, 'banner/')}?seen=", 204)
    switch = make_stop(project)
    told = client.get(asked, headers=HTMX)
    assert "Every write is stopped in" in told.text
    assert "<html" not in told.text
    assert client.get(asks(told), headers=HTMX).status_code == 204
    stops.lift(switch=switch, reason="All is well.", by=make_user())
    assert "Every write" not in client.get(asks(told), headers=HTMX).text


def test_page_of_no_project_learns_of_stops_of_everything_alone():
    project = make_shop().project
    client = client_as("viewer", project)
    asked = asks(client.get("/profile/"))
    make_stop(project)
    assert client.get(asked).status_code == 204
    make_stop()
    told = client.get(asked)
    assert told.text.count("is stopped in") == 2, "the sentence, and its button's name"
    assert client.get(asks(told)).status_code == 204


def test_asking_whether_the_banner_holds_is_cheap(django_assert_num_queries):
    project = make_shop().project
    client = client_as("viewer", project)
    for each in (project, None):
        make_stop(each)
        asked = asks(client.get(f"/p/{project.slug}/overview/"))
        # Sign-in (2), membership, the stops' ids.
        with django_assert_num_queries(4):
            assert client.get(asked, headers=HTMX).status_code == 204


def test_list_tells_who_stopped_and_who_lifted_and_why():
    project = make_project()
    lifted = make_stop(project, reason="Wrong cards.")
    stops.lift(switch=lifted, reason="The rule is out.", by=make_user(name="Lea Lead"))
    make_stop(project, reason="Once more.")
    client = client_as("viewer", project)
    page = client.get(url_of(project)).text
    for text in ("Wrong cards.", "The rule is out.", "Lea Lead", "Once more.", "was stopped in"):
        assert text in page
    assert client.get(url_of(project), headers=HTMX).text.strip().startswith("<div")


def test_an_empty_list_says_so():
    project = make_project()
    assert "No stop was ever made here." in client_as("viewer", project).get(url_of(project)).text


def test_list_asks_as_often_for_many_stops_as_for_one():
    project = make_project()
    client = client_as("viewer", project)

    def stop_and_lift():
        stops.lift(switch=make_stop(project), reason="All is well.", by=make_user())

    stop_and_lift()
    client.get(url_of(project))
    with CaptureQueriesContext(connection) as one:
        client.get(url_of(project))
    for _ in range(4):
        stop_and_lift()
    with CaptureQueriesContext(connection) as many:
        client.get(url_of(project))
    assert len(many) == len(one)


def test_older_stops_are_on_the_next_page(monkeypatch):
    monkeypatch.setattr("reviewdesk.screens.stops.past.PAGE_SIZE", 2)
    project = make_project()
    for number in range(3):
        switch = make_stop(project, reason=f"Reason {number}.")
        stops.lift(switch=switch, reason="All is well.", by=make_user())
    client = client_as("viewer", project)
    first = client.get(url_of(project))
    assert "Reason 0." not in first.text
    older = client.get(url_of(project) + f"?before={first.context['following']}")
    assert "Reason 0." in older.text


@pytest.mark.parametrize("part", ["", "new/", "1/", "banner/"])
def test_strangers_and_other_projects_find_nothing(part):
    project = make_project()
    assert sign_in(make_user()).get(url_of(project, part)).status_code == 404
    assert client_as("admin", make_project()).get(url_of(project, part)).status_code == 404


def test_another_projects_stop_is_not_found():
    mine, switch = make_project(), make_stop(make_project())
    client = client_as("admin", mine)
    assert client.get(url_of(mine, f"{switch.pk}/")).status_code == 404
    data = {"reason": "Mine now."}
    assert client.post(url_of(mine, f"{switch.pk}/lift/"), data).status_code == 404


@pytest.mark.parametrize("part", ["stop/", "1/lift/"])
def test_actions_are_posted(part):
    project = make_project()
    assert client_as("lead", project).get(url_of(project, part)).status_code == 405


def test_banner_is_only_read():
    project = make_project()
    assert client_as("lead", project).post(url_of(project, "banner/")).status_code == 405
