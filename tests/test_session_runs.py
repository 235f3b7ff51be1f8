"""Runs from the desk: start, answer as the customer, run again, cancel."""

import pytest
from django.utils import timezone

from agents.demo.load import store_records
from agents.models import Agent, Run
from reviewdesk.people.roles import Role
from tests.factories import (
    client_as,
    make_agent,
    make_live,
    make_project,
    make_run,
    make_version,
)
from traces.models import Session

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return make_project(slug="shop")


@pytest.fixture
def agent(project):
    return make_agent(project, slug="support")


@pytest.fixture
def client(project):
    return client_as(Role.SUPPORT, project)


def start(client, agent, **more):
    data = {"agent": agent.pk, "message": "Where is my order?", **more}
    return client.post("/p/shop/sessions/start/", data)


def finished(agent, **more):
    run = make_run(agent)
    Session.objects.filter(pk=run.session_id).update(status=Session.Status.COMPLETED)
    values = {"status": Run.Status.COMPLETED, "finished_at": timezone.now(), **more}
    Run.objects.filter(pk=run.pk).update(**values)
    return run


def test_form_posted_empty_is_refused(client, agent):
    assert client.post("/p/shop/sessions/start/").status_code == 422
    assert not Run.objects.exists()


def test_started_run_is_queued_and_its_page_opens(client, agent):
    answer = start(client, agent, customer="Mira", turns="Yes.\n\nThank you,\nbye.\n \n\n")
    run = Run.objects.get()
    assert answer["Location"] == f"/p/shop/sessions/{run.session_id}/"
    assert run.version == agent.live_version
    assert run.input["messages"] == [{"role": "user", "content": "Where is my order?"}]
    assert run.input["turns"] == ["Yes.", "Thank you,\nbye."]
    assert run.session.customer == "Mira"


def test_run_of_a_chosen_version(client, agent):
    version = make_version(agent)
    start(client, agent, version=version.pk)
    assert Run.objects.get().version == version


def test_version_of_another_agent_is_refused(client, agent, project):
    other = make_agent(project)
    answer = start(client, agent, version=other.live_version.pk)
    assert answer.status_code == 422
    assert f"v1 is not a version of {agent}" in answer.content.decode()
    assert not Run.objects.exists()


def test_agent_of_another_project_cannot_be_chosen(client):
    answer = start(client, make_agent(make_project()))
    assert answer.status_code == 422
    assert not Run.objects.exists()


def test_message_is_needed(client, agent):
    answer = start(client, agent, message=" ")
    assert answer.status_code == 422
    assert "This field is required" in answer.content.decode()


def test_demo_customer_fills_the_form(client, agent):
    store_records()
    page = client.get("/p/shop/sessions/start/")
    task = page.context["tasks"][0]
    filled = client.get("/p/shop/sessions/start/", {"task": task.key}).content.decode()
    assert f'value="{task.customer}"' in filled
    assert task.turns[0].split("'")[0] in filled


def test_demo_customer_keeps_the_chosen_agent_and_version(client, agent, project):
    store_records()
    make_agent(project, slug="a-first-one")
    version = make_version(agent)
    chosen = {"agent": agent.pk, "version": version.pk}
    page = client.get("/p/shop/sessions/start/", chosen)
    task = page.context["tasks"][0]
    assert f"agent={agent.pk}&amp;version={version.pk}&amp;task={task.key}" in page.content.decode()
    form = client.get("/p/shop/sessions/start/", {**chosen, "task": task.key}).context["form"]
    assert (form["agent"].value(), form["version"].value()) == (agent.pk, str(version.pk))
    assert form["message"].value() == task.first


def test_demo_customers_are_offered_only_where_the_agent_works_on_the_demo(client, agent, project):
    assert (
        "Customers of the demo shop" not in client.get("/p/shop/sessions/start/").content.decode()
    )
    store_records()
    other = make_agent(project, slug="clinic", dataset="clinic")
    offered = client.get("/p/shop/sessions/start/", {"agent": agent.pk}).content.decode()
    hidden = client.get("/p/shop/sessions/start/", {"agent": other.pk}).content.decode()
    assert 'aria-labelledby="tasks-title">' in offered
    assert 'aria-labelledby="tasks-title" hidden>' in hidden


def test_live_version_is_named(client, agent):
    make_live(make_version(agent))
    page = client.get("/p/shop/sessions/start/").content.decode()
    assert '<option value="" selected>the live one (v2)</option>' in page


def test_agent_without_a_live_version_says_so_and_is_not_preselected(client, agent, project):
    draft = Agent.objects.create(project=project, slug="a-draft", name="a-draft")
    assert client.get("/p/shop/sessions/start/").context["form"]["agent"].value() == agent.pk
    page = client.get("/p/shop/sessions/start/", {"agent": draft.pk}).content.decode()
    assert "none is live yet: choose one" in page


def test_project_without_agents_says_what_is_missing(client):
    assert b"No agent yet" in client.get("/p/shop/sessions/start/").content


def test_answering_as_the_customer_runs_on(client, agent):
    run = finished(agent)
    client.post(f"/p/shop/sessions/{run.session_id}/continue/", {"content": "And the lamp?"})
    run.refresh_from_db()
    assert (run.status, run.input["turns"]) == (Run.Status.QUEUED, ["And the lamp?"])


def test_answering_nothing_is_refused_with_a_sentence(client, agent):
    run = finished(agent)
    url = f"/p/shop/sessions/{run.session_id}/continue/"
    page = client.post(url, {"content": " "}, follow=True).content.decode()
    assert "the message is empty" in page


def test_cancel_asks_the_run_to_stop(client, agent):
    run = make_run(agent)
    client.post(f"/p/shop/sessions/{run.session_id}/cancel/")
    run.refresh_from_db()
    assert run.cancel_requested_at is not None


def test_cancelling_an_ended_run_says_so(client, agent):
    run = finished(agent)
    page = client.post(f"/p/shop/sessions/{run.session_id}/cancel/", follow=True).content.decode()
    assert "This run has ended already" in page


def test_run_again_takes_the_same_input_and_the_live_version(client, agent):
    run = finished(agent)
    answer = client.post(f"/p/shop/sessions/{run.session_id}/again/")
    new = Run.objects.exclude(pk=run.pk).get()
    assert (new.input, new.version) == (run.input, agent.live_version)
    assert answer["Location"] == f"/p/shop/sessions/{new.session_id}/"


@pytest.mark.parametrize("kind", [Run.Kind.GOLDEN, Run.Kind.CANARY])
def test_run_without_a_customer_is_not_run_again_as_a_live_one(client, agent, kind):
    run = finished(agent)
    Run.objects.update(kind=kind)
    answer = client.post(f"/p/shop/sessions/{run.session_id}/again/")
    assert (answer.status_code, Run.objects.count()) == (404, 1)


@pytest.mark.parametrize("action", ["continue", "cancel", "again"])
def test_viewer_cannot_touch_runs(project, agent, action):
    run = finished(agent)
    client = client_as(Role.VIEWER, project)
    assert client.post(f"/p/shop/sessions/{run.session_id}/{action}/").status_code == 403
    assert client.get("/p/shop/sessions/start/").status_code == 403
