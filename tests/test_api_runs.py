"""Starting runs through the API: once per idempotency key, whatever is resent."""

import io

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.test import RequestFactory

from agents.models import Run, ToolApproval
from reviewdesk.api.endpoint import ApiError, json_object
from tests.factories import make_agent, make_run, make_version
from tests.test_api_sessions import Api, error_of

pytestmark = pytest.mark.django_db

URL = "/api/v1/runs"


def start(api, headers=None, **overrides):
    body = {"agent": "support", "message": "Where is my order?", **overrides}
    return api.post(URL, body, headers=headers)


def make_api():
    api = Api()
    make_agent(api.project, slug="support")
    return api


def test_a_run_is_queued_with_its_session():
    api = make_api()
    response = start(api, customer="Ada", turns=["And when?"])
    body, run = response.json(), Run.objects.get()
    assert response.status_code == 201
    assert response["Location"] == f"{URL}/{run.pk}"
    assert (body["status"], body["version"], body["answer"]) == ("queued", 1, None)
    assert run.input["messages"] == [{"role": "user", "content": "Where is my order?"}]
    assert run.input["turns"] == ["And when?"]
    assert (run.api_key.project, run.session.customer) == (api.project, "Ada")


def test_a_conversation_so_far_may_be_given():
    api = make_api()
    talk = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Where is my order?"},
    ]
    response = api.post(URL, {"agent": "support", "messages": talk})
    assert response.status_code == 201
    assert Run.objects.get().input["messages"] == talk


def test_a_version_may_be_named():
    api = Api()
    make_version(make_agent(api.project, slug="support"))
    assert start(api, version=2).json()["version"] == 2


def test_the_same_key_and_body_give_the_same_run():
    api = make_api()
    first = start(api, {"Idempotency-Key": "k1"})
    again = start(api, {"Idempotency-Key": "k1"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert Run.objects.count() == 1


@pytest.mark.parametrize(
    "change", [{"message": "Something else"}, {"turns": ["more"]}, {"customer": "Eve"}]
)
def test_the_same_key_with_another_body_is_refused(change):
    api = make_api()
    start(api, {"Idempotency-Key": "k1"})
    response = start(api, {"Idempotency-Key": "k1"}, **change)
    assert response.status_code == 409
    assert error_of(response)["code"] == "key_reused"
    assert Run.objects.count() == 1


def test_a_key_belongs_to_one_project():
    first = start(make_api(), {"Idempotency-Key": "k1"})
    second = start(make_api(), {"Idempotency-Key": "k1"})
    assert (first.status_code, second.status_code) == (201, 201)


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"agent": "nobody"}, 404, "no agent 'nobody'; it has support"),
        ({"agent": 7}, 400, "agent must be a text"),
        ({"version": 9}, 404, "no version 9"),
        ({"version": "live"}, 400, "version is 'live'"),
        ({"messages": []}, 400, "either 'message'"),
        ({"message": " "}, 400, "Message 1 must have"),
        ({"turns": "more"}, 400, "'turns' must be a list"),
        ({"modle": "x"}, 400, "no member 'modle'"),
        ({"message": "x" * 250_000}, 400, "at most"),
    ],
)
def test_a_bad_value_is_named(change, status, message):
    response = start(make_api(), **change)
    assert response.status_code == status
    assert message in error_of(response)["message"]
    assert not Run.objects.exists()


@pytest.mark.parametrize("body", ["", "{", "[1]", "null", b"\xff", "[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(body):
    response = make_api().post(URL, body)
    assert response.status_code == 400
    assert error_of(response)["code"] == "bad_json"


def test_a_body_over_a_megabyte_is_refused():
    response = start(make_api(), message="x" * 1_000_001)
    assert response.status_code == 413
    assert error_of(response)["code"] == "too_large"


def test_a_body_that_is_too_long_is_read_off_the_connection():
    body = io.BytesIO(b"x" * 3_000_000)
    request = RequestFactory().post(URL, content_type="application/json")
    request = WSGIRequest(request.environ | {"wsgi.input": body, "CONTENT_LENGTH": "3000000"})
    with pytest.raises(ApiError, match="3000000 bytes"):
        json_object(request)
    assert body.read() == b""


def test_an_agent_without_a_live_version_says_so():
    api = Api()
    agent = make_agent(api.project, slug="support")
    agent.live_version = None
    agent.save()
    response = start(api)
    assert response.status_code == 400
    assert "no live version" in error_of(response)["message"]


def test_another_projects_agent_is_not_found():
    make_agent(slug="support")
    assert start(Api()).status_code == 404


def test_a_run_can_be_followed():
    api = Api()
    run = make_run(make_agent(api.project))
    body = api.get(f"{URL}/{run.pk}").json()
    assert (body["id"], body["status"], body["waiting_for"]) == (str(run.pk), "queued", [])


def test_a_waiting_run_says_what_it_waits_for():
    api = Api()
    run = make_run(make_agent(api.project))
    step = run.steps.create(
        index=0,
        kind="tool",
        status="waiting",
        claim_token=1,
        span_id="0" * 16,
        start_ns=1,
        started_at=run.created_at,
    )
    ToolApproval.objects.create(
        run=run,
        step=step,
        tool="cancel_order",
        tool_version="1",
        arguments={"id": 1},
        arguments_hash="x",
        why="the tool's level",
    )
    [waiting] = api.get(f"{URL}/{run.pk}").json()["waiting_for"]
    assert (waiting["tool"], waiting["arguments"]) == ("cancel_order", {"id": 1})


def test_another_projects_run_is_not_found():
    response = Api().get(f"{URL}/{make_run().pk}")
    assert response.status_code == 404


def test_wrong_methods_are_refused():
    assert Api().get(URL).status_code == 405


@pytest.mark.parametrize("role", [["user"], {"user": 1}, None, 7])
def test_a_role_that_is_no_text_is_refused(role):
    response = make_api().post(
        URL, {"agent": "support", "messages": [{"role": role, "content": "Hi"}]}
    )
    assert (response.status_code, error_of(response)["code"]) == (400, "bad_run")


@pytest.mark.parametrize("member", ["message", "customer", "agent", "turns"])
def test_half_a_character_is_refused(member):
    value = ["\ud800"] if member == "turns" else "\ud800"
    response = start(make_api(), **{member: value})
    assert (response.status_code, error_of(response)["code"]) == (400, "bad_value")
    assert not Run.objects.exists()


@pytest.mark.parametrize("depth", [60, 480, 900])
def test_a_deep_body_is_refused(depth):
    deep = "[" * depth + "]" * depth
    response = make_api().post(URL, f'{{"agent": "support", "message": {deep}}}')
    assert (response.status_code, error_of(response)["code"]) == (400, "bad_json")
