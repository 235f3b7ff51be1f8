"""The page on which an agent is added."""

import pytest
from django.urls import reverse

from agents.models import Agent
from tests.factories import client_as, make_project, make_user, sign_in

pytestmark = pytest.mark.django_db


def test_added_agent_leads_on_to_its_first_version() -> None:
    project = make_project()
    url = reverse("releases:add_agent", args=[project.slug])
    data = {"name": "Returns desk", "description": "Returns", "tools": ["get_order_details"]}
    answer = client_as("engineer", project).post(url, data)
    assert answer.status_code == 303
    assert answer.url == reverse("releases:new", args=[project.slug, "returns-desk"])
    assert list(Agent.objects.get().tools.values_list("name", flat=True)) == ["get_order_details"]


def test_first_version_starts_with_the_tools_that_the_agent_is_given() -> None:
    project = make_project()
    client = client_as("engineer", project)
    url = reverse("releases:add_agent", args=[project.slug])
    data = {"name": "Returns desk", "tools": ["get_order_details"]}
    page = client.post(url, data, follow=True).content.decode()
    assert 'value="get_order_details" checked' in page
    assert page.count(" checked>") == 1
    assert "No tool is ticked" not in page


def test_editor_warns_of_a_version_without_tools() -> None:
    project = make_project()
    client = client_as("engineer", project)
    url = reverse("releases:add_agent", args=[project.slug])
    page = client.post(url, {"name": "Returns desk"}, follow=True).content.decode()
    assert "No tool is ticked" in page


def test_name_that_is_taken_comes_back_with_what_was_typed() -> None:
    project = make_project()
    client = client_as("engineer", project)
    url = reverse("releases:add_agent", args=[project.slug])
    client.post(url, {"name": "Returns desk"})
    answer = client.post(url, {"name": "Returns desk", "description": "Mine"})
    assert answer.status_code == 422
    assert "has an agent called Returns desk already" in answer.content.decode()
    assert 'value="Mine"' in answer.content.decode()
    assert Agent.objects.count() == 1


@pytest.mark.parametrize("role", ["viewer", "support", "reviewer"])
def test_other_roles_may_not(role: str) -> None:
    project = make_project()
    answer = client_as(role, project).get(reverse("releases:new_agent", args=[project.slug]))
    assert answer.status_code == 403


def test_stranger_finds_nothing() -> None:
    project = make_project()
    answer = sign_in(make_user()).get(reverse("releases:new_agent", args=[project.slug]))
    assert answer.status_code == 404
