"""A whole session once more, on another version."""

import pytest

from agents.errors import GoldenError
from agents.golden.rerun import plan_rerun, rerun_session
from agents.models import Agent, Run
from agents.runtime.loop import advance
from agents.runtime.start import start_run
from tests.factories import client_as, customer_span, make_session, make_user, model_span, tool_span
from tests.model_server import ModelServer, model_server
from tests.shop import LOOK, make_shop_agent, make_shop_version
from traces.models import Session

pytestmark = pytest.mark.django_db

ASKED = {"messages": [{"role": "user", "content": "Where is #T1?"}], "turns": ["Thanks."]}


def ended(server: ModelServer) -> tuple[Agent, Run]:
    """Return an agent, and a run of it that looked an order up and ended."""
    agent, version = make_shop_agent(server.base_url)
    run = start_run(agent=agent, version=version, run_input=ASKED)
    advance(run.pk)
    run.refresh_from_db()
    return agent, run


def test_customer_says_the_same_and_tools_are_answered_from_the_recording() -> None:
    with model_server([LOOK], "On its way.", "Bye.", [LOOK], "On its way.", "Bye.") as server:
        agent, run = ended(server)
        new = rerun_session(session=run.session, version=make_shop_version(agent), by=make_user())
        advance(new.pk)
    new.refresh_from_db()
    assert (new.kind, new.status) == (Run.Kind.GOLDEN, Run.Status.COMPLETED)
    assert new.input == run.input
    assert new.session.metadata["rerun_of"] == str(run.session_id)
    assert new.session.is_golden
    assert server.requests[3]["messages"][0]["content"] == "Be kind. (2)"
    assert new.fixtures[0]["tool"] == LOOK[0]


def test_session_that_was_received_is_run_again_from_its_spans() -> None:
    agent, version = make_shop_agent()
    spans = [customer_span("Where is it?"), tool_span("look", at=1), model_span("Here.", at=2)]
    session = make_session(spans=spans, project=agent.project, agent_name=agent.slug)
    run = rerun_session(session=session, version=version, by=make_user())
    assert run.input["messages"] == [{"role": "user", "content": "Where is it?"}]
    assert [fixture["tool"] for fixture in run.fixtures] == ["look"]


def test_session_that_runs_or_in_which_nobody_speaks_is_not_run_again() -> None:
    agent, _ = make_shop_agent()
    silent = make_session(spans=[model_span("Hm.")], project=agent.project)
    with pytest.raises(GoldenError, match="No customer says anything"):
        plan_rerun(silent)
    running = make_session(project=agent.project, status=Session.Status.RUNNING)
    with pytest.raises(GoldenError, match="promoted when it has ended"):
        plan_rerun(running)


def test_version_of_another_project_is_refused() -> None:
    with model_server([LOOK], "On its way.", "Bye.") as server:
        _, run = ended(server)
    _, foreign = make_shop_agent()
    with pytest.raises(GoldenError, match="another project"):
        rerun_session(session=run.session, version=foreign, by=make_user())


def test_page_says_what_it_would_be_and_starts_it() -> None:
    with model_server([LOOK], "On its way.", "Bye.") as server:
        agent, run = ended(server)
    address = f"/p/{agent.project.slug}/sessions/{run.session_id}/rerun/"
    client = client_as("engineer", agent.project)
    assert "The customer says the same again, 2 times" in client.get(address).content.decode()
    answer = client.post(address, {"version": run.version_id})
    new = Run.objects.exclude(pk=run.pk).get()
    assert answer.headers["location"].endswith(f"/sessions/{new.session_id}/")
    page = client.get(answer.headers["location"]).content.decode()
    assert f"/sessions/{run.session_id}/beside/{new.session_id}/" in page


def test_unknown_version_is_refused_with_the_way_out() -> None:
    with model_server([LOOK], "On its way.", "Bye.") as server:
        agent, run = ended(server)
    _, foreign = make_shop_agent()
    address = f"/p/{agent.project.slug}/sessions/{run.session_id}/rerun/"
    answer = client_as("engineer", agent.project).post(address, {"version": foreign.pk})
    assert answer.status_code == 422
    assert "Choose one of this project’s versions" in answer.content.decode().replace("&#x27;", "’")
    assert Run.objects.count() == 1


def test_who_may_not_run_golden_tests_may_not_rerun() -> None:
    session = make_session()
    address = f"/p/{session.project.slug}/sessions/{session.pk}/rerun/"
    assert client_as("support", session.project).get(address).status_code == 403
    assert client_as("lead", make_session().project).get(address).status_code == 404


def test_received_session_that_calls_itself_a_rerun_shows_no_link() -> None:
    session = make_session(metadata={"rerun_of": "../../evil"})
    address = f"/p/{session.project.slug}/sessions/{session.pk}/"
    page = client_as("viewer", session.project).get(address)
    assert page.status_code == 200
    assert "Compare with the original" not in page.content.decode()
