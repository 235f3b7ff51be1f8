"""The page of one session: conversation, steps, payloads on demand, live follow, windows."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from reviewdesk.people.roles import Role
from reviewdesk.screens.sessions import reading
from reviewdesk.templatetags.desk import took
from tests.factories import (
    client_as,
    customer_span,
    make_agent,
    make_label,
    make_project,
    make_run,
    make_session,
    model_span,
    sample_spans,
    tool_span,
)
from traces.models import Emitter, Session, Span

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


def test_large_values_are_shown_in_parts(client, project):
    rows = [f"row {n} {n * 7919 % 10007}" for n in range(20_000)]
    large = tool_span("export", result=rows, at=1)
    session = make_session(project, [customer_span("Hi"), large])
    url = f"spans/{large.span_id}/"
    first = page(client, session, url)
    assert len(first) < 260_000
    assert "1 to 100,000" in first
    assert "Part before" not in first
    second = page(client, session, f"{url}part/output/?from=100000", **{"HX-Request": "true"})
    assert "100,001 to 200,000" in second
    assert second.strip().startswith('<section class="session-part" id="part-output">')
    assert "Part before" in second
    alone = page(client, session, f"{url}part/output/?from=999999999")
    assert "<html" in alone
    assert "Load the next part" not in alone
    assert client.get(f"/p/shop/sessions/{session.pk}/{url}part/nothing/").status_code == 404


def test_opentelemetry_cost_and_masked_values_are_told(client, project):
    spans = [
        model_span(
            "Hi",
            cost_from="reported",
            cached_tokens=40,
            reasoning_tokens=5,
            trace_id="0af7651916cd43dd8448eb211c80319c",
            otel={"events": [{"name": "gen_ai.choice", "time_ns": 1, "attributes": {}}]},
        )
    ]
    session = make_session(project, spans)
    emitter = Emitter.objects.create(
        project=project, digest="0" * 64, scope={"name": "my.tracer"}, resource={"host": "h1"}
    )
    Span.objects.filter(session=session, span_id=spans[0].span_id).update(
        emitter_id=emitter.pk, masked={"email": 2}
    )
    text = page(client, session, f"spans/{spans[0].span_id}/")
    for words in (
        "reported by the source",
        "40 cached, 5 reasoning",
        "2 email",
        "0af7651916cd43dd8448eb211c80319c",
        "gen_ai.choice",
        "my.tracer",
        "h1",
    ):
        assert words in text


def test_unseen_characters_are_written_out(client, project):
    spans = [customer_span("a\u202egnp.exe\u200b")]
    session = make_session(project, spans)
    text = page(client, session, f"spans/{spans[0].span_id}/").split('class="session-json"')[1]
    assert "\\u202egnp.exe\\u200b" in text


def test_a_span_is_a_file_and_a_command(client, project):
    messages = [{"role": "user", "content": "it's $(touch x) `id` !!\n'"}]
    spans = [
        customer_span("Hi"),
        model_span("Hello", at=1, input={"messages": messages, "new": 0, "tools": []}),
    ]
    session = make_session(project, spans)
    base = f"/p/shop/sessions/{session.pk}/"
    answer = client.get(f"{base}spans/{spans[1].span_id}/json/")
    assert answer["Content-Disposition"] == f'attachment; filename="span-{spans[1].span_id}.json"'
    assert answer.json()["input"]["messages"] == messages
    command = client.get(f"{base}spans/{spans[1].span_id}/curl/")
    assert command["Content-Type"].startswith("text/plain")
    assert client.get(f"{base}spans/{spans[0].span_id}/curl/").status_code == 404
    whole = client.get(f"{base}curl/").content.decode()
    assert f"http://testserver/api/v1/sessions/{session.pk}" in whole


def test_strangers_reach_no_span_and_nothing_is_posted(project):
    spans = [model_span("x", input={"messages": [{"role": "user", "content": "y"}], "new": 0})]
    session = make_session(project, spans)
    base = f"/p/shop/sessions/{session.pk}/"
    stranger, member = client_as(Role.LEAD, make_project()), client_as(Role.VIEWER, project)
    step = f"spans/{spans[0].span_id}/"
    for path in ("curl/", step, f"{step}json/", f"{step}curl/", f"{step}part/input/"):
        assert stranger.get(base + path).status_code == 404
        assert member.get(base + path).status_code == 200
        assert member.post(base + path).status_code == 405


@pytest.mark.parametrize("start_ns", [0, 4_102_444_800 * 10**9, 9 * 10**18])
def test_times_far_away_are_shown(client, project, start_ns):
    session = make_session(project, [model_span("Hi", start_ns=start_ns)])
    for view in ("steps", "timeline"):
        assert "Hi" in page(client, session, f"?view={view}")


def test_times_that_the_source_does_not_have_are_a_dash(client, project):
    first_ns = sample_spans()[0].start_ns
    spans = [
        replace(span, start_ns=first_ns + at * 1_000_000, duration_ns=0)
        for at, span in enumerate(sample_spans())
    ]
    session = make_session(project, spans, source=Session.Source.TAUBENCH)
    step = f"spans/{spans[1].span_id}/"
    texts = [page(client, session, query) for query in ("", "?view=timeline", step)]
    assert not any("0 ms" in text or "1 ms" in text for text in texts)
    assert all("the source has no times" in text.lower() for text in texts)
    assert took(session) == "10.0 s"  # the agent's own span says so
    session.last_ns = session.first_ns + 4_000_000
    assert took(session) == "–"


def test_session_without_spans_is_shown(client, project):
    session = make_session(project)
    Span.objects.filter(session=session).delete()
    for view in ("steps", "timeline"):
        assert "This session has no steps" in page(client, session, f"?view={view}&find=x")


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
    assert len(first) < 520_000


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
