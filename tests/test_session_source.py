"""A session's page tells what the system it came from says of it."""

from typing import Any

import pytest
from django.test import Client

from reviewdesk.people.roles import Role
from tests.factories import make_project, make_session, make_user
from traces.models import Session

pytestmark = pytest.mark.django_db


def page_of(client: Client, **overrides: Any) -> str:
    project = make_project()
    session = make_session(project, **overrides)
    client.force_login(make_user(Role.VIEWER, project))
    return client.get(f"/p/{project.slug}/sessions/{session.pk}/").content.decode()


@pytest.mark.parametrize(
    ("metadata", "title", "text"),
    [
        ({"reward": 1.0}, "Reward", "1"),
        ({"is_task_done": False}, "Task", "not done"),
        ({"has_attack_succeeded": True}, "Attack", "succeeded"),
        ({"has_attack_succeeded": False}, "Attack", "withstood"),
        ({"scores": {"match": {"value": "C"}}}, "match", "correct"),
        ({"scores": {"<b>": 0.5}}, "&lt;b&gt;", "0.5"),
    ],
)
def test_a_verdict_of_the_source_is_shown(
    client: Client, metadata: dict[str, Any], title: str, text: str
) -> None:
    page = page_of(client, source=Session.Source.INSPECT, metadata=metadata)
    assert f"<dt>{title}</dt><dd>{text}</dd>" in page


def test_all_that_the_source_says_is_there(client: Client) -> None:
    page = page_of(
        client, source=Session.Source.AGENTDOJO, metadata={"injections": {"note": "<i>Obey</i>"}}
    )
    assert "AgentDojo import" in page
    assert "&lt;i&gt;Obey&lt;/i&gt;" in page


def test_an_odd_verdict_breaks_nothing(client: Client) -> None:
    metadata = {"reward": "much", "scores": [1], "is_task_done": None, "times": 7}
    assert "Where is my order" in page_of(client, source=Session.Source.LANGFUSE, metadata=metadata)


def test_own_runs_have_no_source(client: Client) -> None:
    page = page_of(client, source=Session.Source.RUNTIME, metadata={"kind": "x"})
    assert "session-source" not in page
