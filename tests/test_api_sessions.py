"""Reading sessions through the API, and what all its addresses share."""

import base64
import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from reviewdesk.screens.errors import failed
from tests.factories import make_project, make_session, make_span, make_user, sign_in
from traces.api_keys import create_key, revoke_key
from traces.models import ApiKey, Session
from traces.rows import SPAN_COLUMNS, span_row

pytestmark = pytest.mark.django_db

COPY = f"COPY traces_span ({SPAN_COLUMNS}) FROM STDIN"
URL = "/api/v1/sessions"
MONDAY = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)


class Api:
    """A client that sends a project's key."""

    def __init__(self, project=None):
        self.project = project or make_project()
        self.headers = {"Authorization": f"Bearer {create_key(project=self.project, name='test')}"}

    def get(self, url=URL, query=None, headers=None):
        return Client().get(url, query, headers={**self.headers, **(headers or {})})

    def post(self, url, body, headers=None):
        data = body if isinstance(body, str | bytes) else json.dumps(body)
        return Client().post(
            url,
            data,
            content_type="application/json",
            headers={**self.headers, **(headers or {})},
        )


def error_of(response):
    return response.json()["error"]


def titles(response):
    return [session["title"] for session in response.json()["sessions"]]


def test_list_is_newest_first_and_says_what_is_known():
    api = Api()
    make_session(api.project, started_at=MONDAY)
    newest = make_session(api.project, started_at=MONDAY + timedelta(hours=1))
    first, _ = api.get().json()["sessions"]
    assert first["id"] == str(newest.pk)
    assert first["cost_usd"] == float(newest.cost_usd)
    assert first["url"] == f"http://testserver/p/{api.project.slug}/sessions/{newest.pk}/"


def test_pages_hold_every_session_once():
    api = Api()
    for minute in range(5):
        make_session(api.project, started_at=MONDAY + timedelta(minutes=minute // 2))
    seen, cursor = [], ""
    while cursor is not None:
        page = api.get(query={"limit": 2, **({"next": cursor} if cursor else {})}).json()
        seen += [session["id"] for session in page["sessions"]]
        cursor = page["next"]
    assert sorted(seen) == sorted(str(pk) for pk in Session.objects.values_list("pk", flat=True))


def test_list_costs_the_same_for_many_as_for_few():
    api = Api()
    make_session(api.project)
    api.get()
    with CaptureQueriesContext(connection) as few:
        api.get()
    for _ in range(8):
        make_session(api.project)
    with CaptureQueriesContext(connection) as many:
        api.get()
    assert len(many) == len(few)


@pytest.mark.parametrize(
    ("query", "num_found"),
    [
        ({"status": "failed"}, 1),
        ({"status": ["failed", "completed"]}, 2),
        ({"agent": "returns"}, 1),
        ({"version": "v9"}, 1),
        ({"customer": "Ada"}, 1),
        ({"q": "order"}, 2),
        ({"q": "way -shipped"}, 2),
        ({"q": "giraffe"}, 0),
        ({"q": "agent:ret* -status:completed"}, 1),
        ({"q": "tool:get_order_details cost>0.001 order"}, 2),
        ({"q": "customer:Test golden:only"}, 1),
        ({"q": "status:failed", "version": "v3"}, 0),
        ({"since": "2026-11-17"}, 1),
        ({"until": "2026-11-17T00:00:00+00:00"}, 1),
        ({"golden": "1"}, 3),
        ({}, 2),
    ],
)
def test_filters(query, num_found):
    api = Api()
    make_session(api.project, started_at=MONDAY)
    make_session(
        api.project,
        started_at=MONDAY + timedelta(days=1),
        status="failed",
        agent_name="returns",
        version_name="v9",
        customer="Ada",
    )
    make_session(api.project, is_golden=True, started_at=MONDAY, customer="Test")
    make_session()
    response = api.get(query=query)
    assert len(response.json()["sessions"]) == num_found, response.json()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"status": "odd"}, "no status 'odd'; there are cancelled, completed"),
        ({"limit": "201"}, "limit is '201'; it must be from 1 to 200"),
        ({"limit": "0"}, "limit is '0'"),
        ({"limit": "x"}, "limit is 'x'"),
        ({"since": "monday"}, "since is 'monday'; it must be an ISO 8601 time"),
        ({"next": "!!"}, "next is no cursor"),
        ({"next": "MTIz"}, "next is no cursor"),
        ({"golden": "yes"}, "golden must be 1"),
        ({"q": "a\x00b"}, "q holds a NUL"),
        ({"q": "cost>lots"}, "q: cost>lots: "),
        ({"q": "a" * 1001}, "a filter has at most 1,000 characters"),
        ({"stauts": "failed"}, "no parameter 'stauts'; there are agent, customer"),
    ],
)
def test_a_bad_parameter_is_named(query, message):
    response = Api().get(query=query)
    assert response.status_code == 400
    assert message in error_of(response)["message"]


def test_detail_has_the_spans_with_their_payloads():
    api = Api()
    session = make_session(api.project)
    body = api.get(f"{URL}/{session.pk}").json()
    kinds = [span["kind"] for span in body["spans"]]
    assert kinds == ["agent", "customer", "model", "tool", "model"]
    tool = body["spans"][3]
    assert tool["input"] == {"arguments": {"order_id": "#A1001"}}
    assert tool["output"]["result"]["status"] == "shipped"
    assert body["metadata"] == session.metadata


def test_detail_has_spans_that_no_total_counts_yet():
    api = Api()
    session = make_session(api.project)
    late = make_span("other", "late", at=86_400)
    with connection.cursor() as cursor, cursor.copy(COPY) as copy:
        copy.write_row(span_row(session.pk, late))
    body = api.get(f"{URL}/{session.pk}").json()
    assert body["spans"][-1]["name"] == "late"


def test_another_projects_session_is_not_found():
    theirs = make_session()
    response = Api().get(f"{URL}/{theirs.pk}")
    assert response.status_code == 404
    assert error_of(response)["code"] == "not_found"


def test_another_projects_sessions_are_not_listed():
    make_session()
    assert Api().get().json() == {"sessions": [], "next": None}


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer", "Bearer rd_wrong", "rd_wrong"])
def test_without_a_good_key_nothing_is_answered(header):
    response = Client().get(URL, headers={"Authorization": header} if header else {})
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert error_of(response)["code"] in {"no_key", "bad_key"}


def test_a_revoked_key_opens_nothing():
    api = Api()
    revoke_key(api_key=ApiKey.objects.get())
    assert api.get().status_code == 401


def test_a_sign_in_is_no_key():
    project = make_project()
    assert sign_in(make_user("admin", project)).get(URL).status_code == 401


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_a_wrong_method_names_the_right_one(method):
    response = getattr(Client(), method)(URL)
    assert response.status_code == 405
    assert response["Allow"] == "GET, HEAD"
    assert error_of(response)["message"].endswith("use GET.")


@pytest.mark.parametrize("path", ["nothing", "sessions/12", "", "sessions/"])
def test_an_unknown_address_answers_json(path):
    response = Api().get(f"/api/v1/{path}")
    assert response.status_code == 404
    assert error_of(response)["code"] == "not_found"


def cursor(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("since", "9999-12-31T23:59:59-23:59"),
        ("until", "0001-01-01T00:00:00+23:59"),
        ("next", cursor(f'["9999-12-31T23:59:59-23:59", "{uuid.UUID(int=1)}"]')),
        ("next", cursor("[" * 2500)),
    ],
)
def test_what_no_calendar_or_stack_holds_is_refused(name, value):
    response = Api().get(query={name: value})
    assert (response.status_code, error_of(response)["code"]) == (400, "bad_value")
    assert error_of(response)["message"].startswith(name)


@pytest.mark.parametrize("value", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-01-01"])
def test_every_time_of_the_calendar_is_taken(value):
    assert Api().get(query={"since": value, "until": value}).status_code == 200


def test_a_failure_of_the_desk_is_json():
    response = failed(RequestFactory().get(URL))
    assert response.status_code == 500
    assert json.loads(response.content)["error"]["code"] == "failed"


def test_what_answers_to_get_answers_to_head():
    api = Api()
    session = make_session(api.project)
    for url in (URL, f"{URL}/{session.pk}"):
        response = Client().head(url, headers=api.headers)
        assert (response.status_code, response.content) == (200, b"")
