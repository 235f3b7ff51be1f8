"""The page of one session: conversation, steps, payloads on demand, live follow, windows."""

from datetime import timedelta

import pytest
from django.utils import timezone

from reviewdesk.people.roles import Role
from reviewdesk.screens.sessions import reading
from tests.factories import (
    client_as,
    customer_span,
    make_agent,
    make_label,
    make_project,
    make_run,
    make_session,
    model_span,
    tool_span,
)
from traces.models import Session, Span

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return make_project(slug="shop")


@pytest.fixture
def client(project):
    return client_as(Role.REVIEWER, project)


def page(client, session, query="", **headers):
    answer = client.get(f"/p/shop/sessions/{session.pk}/{query}", headers=headers)
    assert answer.status_code == 200
    return answer.content.decode()


def test_page_shows_what_was_said_and_called(client, project):
    text = page(client, make_session(project))
    assert "Where is my order #A1001?" in text
    assert "Your order is on its way." in text
    assert "<code>get_order_details</code>" in text
    assert "shipped" in text


def test_text_of_a_trace_is_escaped_everywhere(client, project):
    evil = '<script>alert(1)</script><img src="//evil.example/x.png">'
    spans = [
        customer_span(evil),
        model_span(evil, at=1),
        tool_span(evil[:100], {evil: evil}, result={evil: [evil]}, at=2),
        tool_span("t", error=evil, at=3),
    ]
    session = make_session(project, spans, customer=evil, agent_name=evil[:60])
    text = page(client, session)
    span = page(client, session, f"spans/{spans[2].span_id}/")
    assert "<script>alert" not in text + span
    assert "<img" not in text + span
    assert "&lt;script&gt;alert(1)" in text


def test_large_payload_is_loaded_on_demand_only(client, project):
    # Random enough not to be compressed below the limit.
    large = {f"key{n}": f"{hash((n, 'x')):x}" for n in range(2000)}
    spans = [customer_span("Hi"), tool_span("export", {"all": "yes"}, result=large, at=1)]
    session = make_session(project, spans)
    text = page(client, session)
    assert "key1999" not in text
    assert "Arguments and result are large" in text
    url = f"spans/{spans[1].span_id}/?part=payload"
    assert "key55" in page(client, session, url, **{"HX-Request": "true"})


def test_span_has_a_page_and_a_fragment(client, project):
    spans = [customer_span("Hi"), model_span("Hello", at=1, attributes={"seed": 7})]
    session = make_session(project, spans)
    whole = page(client, session, f"spans/{spans[1].span_id}/")
    part = page(client, session, f"spans/{spans[1].span_id}/", **{"HX-Request": "true"})
    assert "<html" in whole
    assert "<html" not in part
    for text in (whole, part):
        assert "100 in · 20 out" in text
        assert "&quot;seed&quot;: 7" in text


def test_an_edited_call_shows_both_arguments_wherever_it_is_shown(client, project):
    done = {"executed_arguments": {"reason": "done so"}}
    edited = tool_span("refund", {"reason": "asked so"}, at=1, attributes=done)
    session = make_session(project, [customer_span("Hi"), edited])
    url = f"spans/{edited.span_id}/"
    payload = page(client, session, url + "?part=payload", **{"HX-Request": "true"})
    for text in (page(client, session), page(client, session, url), payload):
        assert text.index("done so") < text.index("Proposed") < text.rindex("asked so")


def test_unknown_span_is_not_found(client, project):
    session = make_session(project)
    assert client.get(f"/p/shop/sessions/{session.pk}/spans/ffff/").status_code == 404


def test_long_session_is_shown_in_windows(client, project):
    spans = [tool_span(f"tool_{n}", at=n) for n in range(450)]
    session = make_session(project, spans)
    first = page(client, session)
    middle = page(client, session, f"?span={spans[300].span_id}")
    last = page(client, session, "?first=9999")
    assert "tool_0<" in first
    assert "tool_250<" not in first
    assert "Later: lines 201 to 451" in first
    assert "tool_300<" in middle
    assert "tool_0<" not in middle
    assert "tool_449<" in last
    assert len(first) < 480_000


def test_as_many_queries_for_many_steps_as_for_few(
    client, project, django_assert_max_num_queries, django_assert_num_queries
):
    few = make_session(project)
    many = make_session(project, [tool_span(f"t{n}", at=n) for n in range(60)])
    make_label(few)
    make_label(many)
    page(client, few)
    with django_assert_max_num_queries(22) as taken:
        page(client, few)
    with django_assert_num_queries(len(taken)):
        page(client, many)


def test_live_answers_only_when_something_changed(client, project):
    session = make_session(project, status=Session.Status.RUNNING)
    text = page(client, session)
    rev = text.split('data-live-rev="')[1].split('"')[0]
    url = f"/p/shop/sessions/{session.pk}/live/"
    assert client.get(url, {"rev": rev}).status_code == 204
    Session.objects.filter(pk=session.pk).update(status=Session.Status.COMPLETED)
    answer = client.get(url, {"rev": rev}).content.decode()
    assert "data-live-answer" in answer
    assert "data-live-more" not in answer


def test_ended_session_is_not_followed(client, project):
    assert "data-live=" not in page(client, make_session(project))


def test_session_without_words_says_so(client, project):
    session = make_session(project, [model_span(None)])
    assert "Nothing was said in this session" in page(client, session)


def test_waiting_call_leads_to_its_approval(client, project):
    waiting = tool_span("cancel_order", {"order_id": "#A1"}, status=Span.Status.WAITING, at=1)
    session = make_session(project, [customer_span("x"), waiting], status="waiting")
    text = page(client, session)
    assert "Waits for approval by a person" in text
    assert "/p/shop/approvals/?approval=" in text


def test_previous_and_next_follow_the_list(client, project):
    now = timezone.now()
    oldest, labelled, session, newest = (
        make_session(project, [customer_span("x")], started_at=now - timedelta(hours=hours))
        for hours in (4, 3, 2, 1)
    )
    make_label(labelled, outcome="resolved")
    context = client.get(f"/p/shop/sessions/{session.pk}/?outcome=none").context
    assert (context["above"], context["below"]) == (newest.pk, oldest.pk)


@pytest.mark.parametrize(
    ("role", "expected"), [(Role.VIEWER, False), (Role.SUPPORT, True), (Role.ENGINEER, True)]
)
def test_run_actions_need_the_right_to_start_runs(project, role, expected):
    run = make_run(make_agent(project))
    text = page(client_as(role, project), run.session)
    assert ("Stop this run before its next step" in text) is expected


def test_outline_is_bounded(client, project, monkeypatch):
    monkeypatch.setattr(reading, "MAX_OUTLINE", 3)
    text = page(client, make_session(project))
    assert "Only the first 3 steps are shown" in text


def test_a_step_that_no_session_can_have_is_not_found(client, project):
    session = make_session(project)
    assert client.get(f"/p/shop/sessions/{session.pk}/spans/%00/").status_code == 404
