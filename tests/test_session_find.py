"""Searching inside a session: what is found, where, and what that does to the page."""

import pytest

from reviewdesk.people.roles import Role
from reviewdesk.screens.sessions import reading
from reviewdesk.screens.sessions.find import MAX_HITS, find_in
from reviewdesk.templatetags.session_page import marked, marked_lines
from tests.factories import (
    client_as,
    customer_span,
    make_project,
    make_session,
    model_span,
    tool_span,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return make_project(slug="shop")


@pytest.fixture
def client(project):
    return client_as(Role.REVIEWER, project)


def page(client, session, query=""):
    answer = client.get(f"/p/shop/sessions/{session.pk}/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def found(session, words):
    finding = find_in(session, words)
    return [hit.span_id for hit in finding.hits]


@pytest.mark.parametrize(
    ("words", "places"),
    [
        ("LAMP", [0, 2]),
        ("on its way", [1]),
        ("get_order", [2]),
        ("no such order", [3]),
        ('say "please"', [0]),
        ("étagère", [1]),
        ("100%", []),
        ("lamp_", []),
    ],
)
def test_words_are_found_wherever_they_stand(project, words, places):
    spans = [
        customer_span('My lamp. Must I say "please"?'),
        model_span("It is on its way to your étagère.", at=1),
        tool_span("get_order", {"item": "Lamp"}, at=2),
        tool_span("find", error="no such order", at=3),
    ]
    session = make_session(project, spans)
    assert found(session, words) == [spans[place].span_id for place in places]


def test_quotes_in_a_payload_are_found(project):
    spans = [tool_span("note", {"text": 'he said "no" twice\\thrice'})]
    session = make_session(project, spans)
    assert found(session, 'said "no"') == [spans[0].span_id]
    assert found(session, "twice\\thrice") == [spans[0].span_id]


def test_what_a_model_was_told_before_is_found_once(project):
    first = {"role": "user", "content": "Where is my lamp?"}
    later = [first, {"role": "assistant", "content": "Which?"}, {"role": "user", "content": "Red"}]
    spans = [
        model_span("Which?", input={"messages": [first], "new": 0}, heard="Where is my lamp?"),
        model_span("Here.", at=2, input={"messages": later, "new": 2}, heard="Red"),
    ]
    session = make_session(project, spans)
    assert found(session, "lamp") == [spans[0].span_id]
    assert found(session, "red") == [spans[1].span_id]


def test_nothing_is_asked_without_words(project, django_assert_num_queries):
    session = make_session(project)
    with django_assert_num_queries(0):
        assert find_in(session, "  ") is None


def test_one_query_and_a_bounded_list_for_many_places(project, django_assert_num_queries):
    session = make_session(project, [tool_span(f"lamp_{n}", at=n) for n in range(MAX_HITS + 20)])
    with django_assert_num_queries(1):
        finding = find_in(session, "lamp")
    assert (len(finding.hits), finding.num) == (MAX_HITS, MAX_HITS + 20)


def test_next_and_previous_go_around(project):
    spans = [customer_span(f"lamp {n}", at=n) for n in range(3)]
    session = make_session(project, spans)
    ids = [span.span_id for span in spans]
    last = find_in(session, "lamp", focus=ids[2])
    assert (last.place, last.next, last.previous) == (3, ids[0], ids[1])
    first = find_in(session, "lamp")
    assert (first.place, first.next, first.previous) == (1, ids[1], ids[2])


def test_the_page_opens_at_the_first_place_and_marks_it(client, project, monkeypatch):
    monkeypatch.setattr(reading, "WINDOW", 10)
    spans = [customer_span(f"words {n}", at=n) for n in range(60)]
    session = make_session(project, [*spans, customer_span("a needle here", at=90)])
    text = page(client, session, "?find=Needle")
    assert "a <mark>needle</mark> here" in text
    assert "1 of 1 step" in text
    assert "words 3<" not in text


def test_nothing_found_says_what_was_looked_for(client, project):
    text = page(client, make_session(project), "?find=%3Cb%3E")
    assert "Nothing here says “&lt;b&gt;”" in text


def test_the_search_keeps_the_lists_filter(client, project):
    text = page(client, make_session(project), "?find=order&q=lamp")
    assert '<input type="hidden" name="q" value="lamp">' in text
    assert 'name="find" value="order"' in text


def test_odd_words_do_not_fail(client, project):
    session = make_session(project)
    for words in ("%00", "%25_%5C", "%F0%9F%98%80", "(", "x" * 3000):
        page(client, session, f"?find={words}")


def test_marks_escape_what_is_around_them():
    assert marked("<b>lamp</b>", "LAMP") == "&lt;b&gt;<mark>lamp</mark>&lt;/b&gt;"
    assert marked("<b>", "") == "&lt;b&gt;"
    assert marked("a<b", "<") == "a<mark>&lt;</mark>b"
    assert marked_lines("one\n\n<i>two", "two") == (
        "<p>one</p>\n\n<p>&lt;i&gt;<mark>two</mark></p>"
    )
