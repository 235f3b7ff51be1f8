"""Adding agents."""

import pytest

from agents.errors import AgentsError
from agents.roster import AgentExistsError, create_agent
from tests.factories import make_project, make_user

pytestmark = pytest.mark.django_db


def test_new_agent_reads_alone_and_asks_for_the_rest() -> None:
    tools = ["get_order_details", "cancel_pending_order"]
    agent = create_agent(
        project=make_project(), name="Returns desk", description="", tools=tools, by=make_user()
    )
    assert (agent.slug, agent.live_version) == ("returns-desk", None)
    levels = dict(agent.tools.values_list("name", "level"))
    assert levels == {"get_order_details": "autonomous", "cancel_pending_order": "approve"}


def test_name_is_free_once_per_project() -> None:
    values = {"description": "", "tools": [], "by": make_user()}
    project = make_project()
    create_agent(project=project, name="Returns desk", **values)
    create_agent(project=make_project(), name="Returns desk", **values)
    with pytest.raises(AgentExistsError, match="already"):
        create_agent(project=project, name="Returns Desk!", **values)


def test_name_needs_a_letter_or_digit() -> None:
    with pytest.raises(AgentsError, match="neither letter nor digit"):
        create_agent(project=make_project(), name="!?", description="", tools=[], by=make_user())
