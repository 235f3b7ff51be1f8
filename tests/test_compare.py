"""Two sessions side by side: alignment, what differs, totals, candidates, the pages."""

import time
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewdesk.people.roles import Role
from reviewdesk.screens.sessions import alignment
from reviewdesk.screens.sessions.alignment import Line, align, likeness
from reviewdesk.screens.sessions.beside import lines_of, parts_of, totals_of
from reviewdesk.screens.sessions.candidates import candidates_for, session_id_in
from tests.factories import (
    client_as,
    customer_span,
    make_label,
    make_project,
    make_session,
    model_span,
    tool_span,
)


def said(text, who="Agent"):
    return Line("", "said", who, text)


def call(name, **arguments):
    return Line("", "call", name, arguments=tuple(arguments.items()))


def test_the_same_steps_stand_beside_each_other():
    left = [said("Hi", "Customer"), call("find", id="1"), call("refund", id="1"), said("Done")]
    right = [said("Hi", "Customer"), call("find", id="1"), said("Refunded")]
    assert align(left, right) == [(0, 0), (1, 1), (2, None), (3, 2)]


def test_the_likest_of_several_is_chosen():
    left = [said("Which order do you mean?"), said("It was sent on Monday.")]
    right = [said("It was sent on Tuesday.")]
    assert align(left, right) == [(0, None), (1, 0)]


def test_steps_of_another_kind_or_name_are_never_paired():
    assert likeness(said("a"), call("a")) == 0
    assert align([said("x", "Agent")], [said("x", "Customer")]) == [(0, None), (None, 0)]
    assert align([call("find", id="1")], [call("find", id="2")]) == [(0, 0)]


def test_nothing_aligns_with_nothing():
    assert align([], []) == []
    assert align([said("a")], []) == [(0, None)]
    assert align([], [said("a")]) == [(None, 0)]


LINES = st.lists(
    st.builds(
        lambda kind, text: said(text) if kind else call(text or "t", n=text),
        st.booleans(),
        st.sampled_from(["a", "b c", "c", "d e f", ""]),
    ),
    max_size=14,
)


@settings(deadline=None)
@given(LINES, LINES, st.booleans())
def test_every_step_is_there_once_and_in_order(left, right, is_long):
    before, alignment.MAX_CELLS = alignment.MAX_CELLS, 9 if is_long else alignment.MAX_CELLS
    matches = align(left, right)
    alignment.MAX_CELLS = before
    assert [a for a, _ in matches if a is not None] == list(range(len(left)))
    assert [b for _, b in matches if b is not None] == list(range(len(right)))
    for a, b in matches:
        if a is not None and b is not None:
            assert left[a].sort == right[b].sort


@settings(deadline=None)
@given(LINES)
def test_a_session_aligns_with_itself(lines):
    assert align(lines, lines) == [(n, n) for n in range(len(lines))]


def test_long_sessions_are_aligned_in_bounded_time():
    left = [call(f"t{n % 7}", n=str(n)) for n in range(600)]
    right = [call(f"t{n % 5}", n=str(n * 3)) for n in range(600)]
    begun = time.process_time()
    align(left, right)
    assert time.process_time() - begun < 4


@pytest.fixture
def project():
    return make_project(slug="shop")


@pytest.fixture
def client(project):
    return client_as(Role.REVIEWER, project)


def talk(refund, words, **overrides):
    return [
        customer_span("Please refund my lamp."),
        tool_span("find_order", {"id": "#A1"}, result={"status": "delivered"}, at=1),
        tool_span("refund", {"id": "#A1", "to": refund}, result={"ok": True}, at=2),
        model_span(words, at=3, **overrides),
    ]


@pytest.fixture
def pair(project):
    left = make_session(project, talk("card", "I refunded it to your card."), version_name="v1")
    spans = talk("gift card", "I refunded it to your gift card.", cost_usd=None)
    return left, make_session(project, spans, version_name="v2")


@pytest.mark.django_db
def test_differences_are_found_by_word_and_by_field(pair):
    parts = parts_of(*(lines_of(session)[0] for session in pair))
    assert [(part.is_same, len(part.rows)) for part in parts] == [(True, 2), (False, 1), (False, 1)]
    refund, words = parts[1].rows[0], parts[2].rows[0]
    assert refund.state == "arguments"
    assert [(field.name, field.differs) for field in refund.right.arguments] == [
        ("id", False),
        ("to", True),
    ]
    assert words.state == "words"
    assert "".join(text for text, differs in words.right.words if differs).strip() == "gift"
    assert "".join(text for text, _ in words.left.words) == "I refunded it to your card."


@pytest.mark.django_db
def test_another_result_of_the_same_call_is_a_difference(project):
    sessions = [
        make_session(project, [tool_span("find", {"id": "1"}, result=result)])
        for result in ("found", "gone")
    ]
    (part,) = parts_of(*(lines_of(session)[0] for session in sessions))
    assert part.rows[0].state == "result"


@pytest.mark.django_db
def test_a_verdict_stands_only_where_the_direction_is_clear(project):
    left = make_session(project, metadata={"reward": 0.0})
    right = make_session(
        project, [*talk("card", "x"), tool_span("t", error="away", at=5)], metadata={"reward": 1.0}
    )
    totals = {total.name: total for total in totals_of(left, right)}
    assert totals["Reward"].verdict == "better"
    assert (totals["Errors"].direction, totals["Errors"].verdict) == ("up", "worse")
    assert totals["Steps"].verdict == ""
    assert totals["Took"].verdict == ""
    assert totals["Cost"].verdict == "better"  # two model calls at $0.001 against one


@pytest.mark.django_db
def test_what_is_not_known_is_not_compared(pair):
    cost = next(total for total in totals_of(*pair) if total.name == "Cost")
    assert (cost.left, cost.right, cost.verdict) == ("$0.0010", "–", "")


@pytest.mark.django_db
def test_totals_that_no_side_knows_are_not_called_the_same():
    project = make_project()
    totals = {each.name: each for each in totals_of(make_session(project), make_session(project))}
    assert not totals["Reward"].is_same
    assert totals["Steps"].is_same


@pytest.mark.django_db
def test_page_shows_both_sides_and_marks_differences(client, pair):
    text = client.get(f"/p/shop/sessions/{pair[0].pk}/beside/{pair[1].pk}/").content.decode()
    assert "2 differences, 2 steps the same" in text
    assert "other arguments" in text
    assert '<mark class="compare-mark">gift card</mark>' in text
    assert f"/p/shop/sessions/{pair[1].pk}/beside/{pair[0].pk}/" in text  # swapped
    assert "style=" not in text.split("</head>")[1]


@pytest.mark.django_db
def test_hostile_words_are_escaped_side_by_side(client, project):
    evil = "<script>alert(1)</script>"
    sessions = [
        make_session(project, [customer_span(evil), tool_span(evil, {evil: evil + end}, at=1)])
        for end in ("a", "b")
    ]
    text = client.get(f"/p/shop/sessions/{sessions[0].pk}/beside/{sessions[1].pk}/").content
    assert b"<script>alert" not in text


@pytest.mark.django_db
def test_sessions_of_other_projects_are_not_reached(client, project):
    mine, theirs = make_session(project), make_session(make_project())
    for first, second in ((mine, theirs), (theirs, mine), (mine, None)):
        other = second.pk if second else uuid.uuid4()
        assert client.get(f"/p/shop/sessions/{first.pk}/beside/{other}/").status_code == 404
    assert client.get(f"/p/shop/sessions/{theirs.pk}/beside/").status_code == 404
    assert client.post(f"/p/shop/sessions/{mine.pk}/beside/{mine.pk}/").status_code == 405


@pytest.mark.django_db
def test_outcomes_of_others_stay_hidden_until_both_are_labelled(project, pair):
    make_label(pair[0], outcome="harmful")
    url = f"/p/shop/sessions/{pair[0].pk}/beside/{pair[1].pk}/"
    assert "harmful" not in client_as(Role.REVIEWER, project).get(url).content.decode()
    assert "harmful" in client_as(Role.VIEWER, project).get(url).content.decode()


@pytest.mark.django_db
def test_as_many_queries_for_long_sessions_as_for_short(
    client, project, django_assert_num_queries, django_assert_max_num_queries
):
    short = [make_session(project) for _ in range(2)]
    long = [
        make_session(project, [tool_span(f"t{n}", at=n) for n in range(40 + k)]) for k in range(2)
    ]
    address = "/p/shop/sessions/{}/beside/{}/"
    client.get(address.format(*(each.pk for each in short)))
    with django_assert_max_num_queries(22) as taken:
        client.get(address.format(*(each.pk for each in short)))
    with django_assert_num_queries(len(taken)):
        client.get(address.format(*(each.pk for each in long)))


@pytest.mark.django_db
def test_a_cut_session_says_so(client, project, monkeypatch):
    monkeypatch.setattr("reviewdesk.screens.sessions.beside.MAX_LINES", 3)
    sessions = [make_session(project), make_session(project)]
    text = client.get(f"/p/shop/sessions/{sessions[0].pk}/beside/{sessions[1].pk}/").content
    assert b"one of these has more" in text


@pytest.mark.django_db
def test_the_same_task_of_another_version_comes_first(project, django_assert_num_queries):
    session = make_session(project, metadata={"task_id": "7"}, version_name="v1")
    same_words = make_session(project, version_name="v2", customer="Else")
    same_version = make_session(project, metadata={"task_id": "7"}, version_name="v1")
    other_version = make_session(project, metadata={"task_id": "7"}, version_name="v2")
    make_session(project, [customer_span("Nothing alike")], customer="Else")
    with django_assert_num_queries(1):
        found = candidates_for(session)
    assert [each.session for each in found] == [other_version, same_version, same_words]
    assert found[0].why == "same task 7, same first words, same customer"
    assert found[2].why == "same first words"


@pytest.mark.django_db
def test_a_session_like_no_other_has_no_candidates(client, project):
    session = make_session(project, [model_span(None)], customer="")
    assert candidates_for(session) == []
    text = client.get(f"/p/shop/sessions/{session.pk}/beside/").content.decode()
    assert "No session is alike" in text


@pytest.mark.django_db
def test_a_pasted_link_leads_to_the_comparison(client, pair):
    url = f"/p/shop/sessions/{pair[0].pk}/beside/"
    link = f"http://desk.example/p/shop/sessions/{pair[1].pk}/?span=00#span-00"
    answer = client.get(url, {"with": link})
    assert (answer.status_code, answer.url) == (302, f"{url}{pair[1].pk}/")
    refused = client.get(url, {"with": "nonsense"})
    assert refused.status_code == 200
    assert "This project has no other session “nonsense”" in refused.content.decode()


def test_an_id_is_found_in_an_address():
    known = uuid.uuid4()
    for text in (str(known), f" {known} ", f"/sessions/{known}/", f"https://x/{known}?a=b"):
        assert session_id_in(text) == known
    assert session_id_in("") is None
    assert session_id_in("x" * 5000) is None


@pytest.mark.django_db
def test_metadata_of_a_strange_kind_does_not_fail(client, project):
    session = make_session(project, metadata={"task_id": {"deep": 1}, "reward": "high"})
    assert client.get(f"/p/shop/sessions/{session.pk}/beside/").status_code == 200
    assert client.get(f"/p/shop/sessions/{session.pk}/beside/{session.pk}/").status_code == 200


@pytest.mark.django_db
def test_someone_outside_of_the_project_sees_nothing(pair):
    stranger = client_as(Role.LEAD, make_project())
    assert stranger.get(f"/p/shop/sessions/{pair[0].pk}/beside/{pair[1].pk}/").status_code == 404


@pytest.mark.django_db
def test_two_ticked_sessions_are_compared_and_no_other_number(client, project, pair):
    url, (left, right) = "/p/shop/sessions/beside/", pair
    asked = {"ids": [str(left.pk), str(right.pk)]}
    pks = sorted([left.pk, right.pk])
    answer = client.post(url, asked)
    assert (answer.status_code, answer.url) == (303, f"/p/shop/sessions/{pks[0]}/beside/{pks[1]}/")
    for ids in ([], [str(left.pk)], ["nonsense", str(left.pk)]):
        answer = client.post(url, {"ids": ids}, follow=True)
        assert "Select two sessions to compare" in answer.content.decode()
    assert client.get(url).status_code == 405
    assert client_as(Role.LEAD, make_project()).post(url, asked).status_code == 404


@pytest.mark.django_db
def test_menu_erases_a_customer_only_where_that_is_allowed(project, pair):
    url = f"/p/shop/sessions/{pair[0].pk}/"
    assert "Erase this customer" in client_as(Role.ADMIN, project).get(url).content.decode()
    assert "Erase this customer" not in client_as(Role.LEAD, project).get(url).content.decode()
