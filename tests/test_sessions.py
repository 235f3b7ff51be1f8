"""The session list: search, filters, tabs, paging, and what a row shows."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from reviewdesk.people.roles import Role
from reviewdesk.screens.sessions import counts, listing
from tests.factories import (
    client_as,
    customer_span,
    make_label,
    make_project,
    make_session,
    model_span,
    tool_span,
)
from traces.models import Session

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return make_project(slug="shop")


@pytest.fixture
def client(project):
    return client_as(Role.REVIEWER, project)


def said(project, text, **more):
    return make_session(project, [customer_span(text)], **more)


def titles(answer):
    return [row.session.title for row in answer.context["page"].rows]


def test_newest_session_comes_first_with_its_numbers(client, project):
    said(project, "Older", started_at=timezone.now() - timedelta(days=2))
    make_session(project, started_at=timezone.now())
    answer = client.get("/p/shop/sessions/")
    page = answer.content.decode()
    assert titles(answer) == ["Where is my order #A1001?", "Older"]
    assert "Mira Okafor" in page
    assert "$0.0020" in page


def test_other_projects_sessions_are_not_listed(client):
    said(make_project(), "Not yours")
    assert titles(client.get("/p/shop/sessions/")) == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("refund", True),
        ("REFUNDS lamp", True),
        ("refu", True),
        ("okafor", True),
        ("#A1001", True),
        ("ext-77", True),
        ("kettle", False),
        ("refund kettle", False),
        ("') | :* & <->", False),
    ],
)
def test_search_finds_beginnings_of_words_customers_and_ids(client, project, query, found):
    text = "Refunds for the lamp of order #A1001, please"
    said(project, text, external_id="ext-77")
    answer = client.get("/p/shop/sessions/", {"q": query})
    assert answer.status_code == 200
    assert titles(answer) == ([text] if found else [])


def test_search_by_the_sessions_id(client, project):
    session = said(project, "Hello")
    said(project, "Other")
    assert titles(client.get("/p/shop/sessions/", {"q": str(session.pk)})) == ["Hello"]


@pytest.mark.parametrize("query", ["&", "!", ":*", "''", "\\", "& |", "-&", "-:*"])
def test_words_without_a_letter_find_nothing_and_do_not_fail(client, project, query):
    said(project, "Hello")
    for sort in ("", "oldest", "cost", "relevance"):
        answer = client.get("/p/shop/sessions/", {"q": query, "sort": sort})
        assert answer.status_code == 200


def test_found_words_are_marked_and_everything_is_escaped(client, project):
    said(project, "<script>alert(1)</script> refund", customer="<img src=x>")
    page = client.get("/p/shop/sessions/", {"q": "refund"}).content.decode()
    assert "<mark>refund</mark>" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<img" not in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"status": "failed"}, ["failed"]),
        ({"agent": "other-agent"}, ["failed"]),
        ({"version": "v9"}, ["failed"]),
        ({"tool": "cancel_order"}, ["tools"]),
        ({"has_errors": "1"}, ["tools"]),
        ({"outcome": "harmful"}, ["harmful"]),
        ({"outcome": "failed"}, ["harmful"]),
        ({"outcome": "disagree"}, ["split"]),
        ({"cause": "c2"}, ["harmful"]),
        ({"outcome": "none"}, ["failed", "tools"]),
        ({"outcome": "harmful", "cause": "T5"}, []),
        ({"status": "nonsense"}, ["failed", "harmful", "split", "tools"]),
    ],
)
def test_filters(client, project, query, expected):
    said(project, "failed", status="failed", agent_name="other-agent", version_name="v9")
    make_session(project, [customer_span("tools"), tool_span("cancel_order", error="No.", at=1)])
    make_label(said(project, "harmful"), outcome="harmful", primary_cause="C2")
    split = said(project, "split")
    make_label(split, outcome="resolved")
    make_label(split, outcome="partly")
    assert sorted(titles(client.get("/p/shop/sessions/", query))) == expected


def test_filter_by_time(client, project):
    said(project, "new", started_at=timezone.now() - timedelta(hours=1))
    said(project, "old", started_at=datetime(2026, 3, 4, 23, 30, tzinfo=UTC))
    day = {"since": "2026-03-04", "until": "2026-03-04"}
    assert titles(client.get("/p/shop/sessions/", {"age": "day"})) == ["new"]
    assert titles(client.get("/p/shop/sessions/", day)) == ["old"]


def test_value_that_cannot_be_used_is_named(client):
    page = client.get("/p/shop/sessions/", {"since": "yesterday"}).content.decode()
    assert "&#x27;yesterday&#x27; cannot be used, it takes a day such as 2026-11-01" in page


def test_golden_tests_runs_are_hidden_unless_asked_for(client, project):
    said(project, "golden", is_golden=True)
    assert titles(client.get("/p/shop/sessions/")) == []
    assert titles(client.get("/p/shop/sessions/", {"golden": "1"})) == ["golden"]


def test_tabs_count_and_lead_to_their_filter(client, project):
    make_label(said(project, "a"), outcome="not_resolved")
    said(project, "b")
    said(project, "c", status=Session.Status.WAITING)
    tabs = client.get("/p/shop/sessions/?outcome=failed").context["tabs"]
    assert [(tab.title, tab.count.value, tab.is_current) for tab in tabs] == [
        ("All", 3, False),
        ("Not labelled", 1, False),
        ("Failed", 1, True),
        ("Disagreements", 0, False),
        ("Waiting", 1, False),
    ]


def test_pages_follow_on_without_gap_or_repetition(client, project, monkeypatch):
    monkeypatch.setattr(listing, "PAGE", 2)
    same = timezone.now()
    for number in range(5):
        said(project, f"no. {number}", started_at=same)
    first = client.get("/p/shop/sessions/")
    second = client.get("/p/shop/sessions/", {"before": first.context["page"].older})
    third = client.get("/p/shop/sessions/", {"before": second.context["page"].older})
    back = client.get("/p/shop/sessions/", {"after": third.context["page"].newer})
    assert sorted(titles(first) + titles(second) + titles(third)) == [
        f"no. {number}" for number in range(5)
    ]
    assert titles(back) == titles(second)
    assert (first.context["page"].newer, third.context["page"].older) == ("", "")


@pytest.mark.parametrize("cursor", ["nonsense", "9" * 18 + "-" + "a" * 32, "1-2"])
def test_unreadable_cursor_gives_the_first_page(client, project, cursor):
    said(project, "here", started_at=timezone.now())
    assert titles(client.get("/p/shop/sessions/", {"before": cursor})) == ["here"]


def test_counts_above_the_limit_are_the_planners_and_say_so(project, monkeypatch):
    monkeypatch.setattr(counts, "MAX_COUNT", 2)
    for _ in range(4):
        said(project, "x")
    count = counts.count_of(Session.objects.all())
    assert count.is_estimate
    assert count.value >= 3
    assert str(count).startswith("about ")


@pytest.mark.parametrize(
    ("value", "short", "long"),
    [
        (48_234, "48k", "about 48,200"),
        (1_204_000, "1.2M", "about 1,200,000"),
    ],
)
def test_estimates_claim_three_digits(value, short, long):
    count = counts.Count(value, is_estimate=True)
    assert (count.short, str(count)) == (short, long)


def test_a_small_number_that_was_not_counted_is_not_claimed():
    assert counts.Count(1, is_estimate=True).short == "?"


def test_disagreement_is_marked_with_both_initials(client, project):
    session = said(project, "split")
    make_label(session, outcome="resolved")
    make_label(session, outcome="harmful")
    page = client.get("/p/shop/sessions/").content.decode()
    assert "reviewers disagree" in page
    assert page.count('title="Person ') == 2


def test_fragment_brings_counts_and_tokens_out_of_band(client, project):
    said(project, "x")
    answer = client.get("/p/shop/sessions/?outcome=none", headers={"HX-Request": "true"})
    page = answer.content.decode()
    assert page.strip().startswith('<form class="desk-results" id="results"')
    assert page.count('hx-swap-oob="true"') == 4
    restored = {"HX-Request": "true", "HX-History-Restore-Request": "true"}
    assert "hx-swap-oob" not in client.get("/p/shop/sessions/", headers=restored).content.decode()


def test_empty_project_says_what_to_do(client):
    page = client.get("/p/shop/sessions/").content.decode()
    assert "No sessions yet" in page
    assert "Start a run" in page


def test_no_match_offers_to_clear_the_filter(client, project):
    said(project, "x")
    page = client.get("/p/shop/sessions/?q=kettle").content.decode()
    assert "No session has words that begin like “kettle”" in page
    assert "Clear the filter" in page


def test_viewer_is_offered_no_run(project):
    said(project, "x")
    page = client_as(Role.VIEWER, project).get("/p/shop/sessions/").content.decode()
    assert "Start a run" not in page


def test_list_can_only_be_read(client):
    assert client.post("/p/shop/sessions/").status_code == 405


def test_as_many_queries_for_many_rows_as_for_few(
    client, project, monkeypatch, django_assert_max_num_queries, django_assert_num_queries
):
    # On a busy machine counting may be given up and remembered, which changes the number.
    monkeypatch.setattr(counts, "COUNT_MS", 60_000)
    monkeypatch.setattr(counts, "CACHED_FROM_MS", 60_000)
    make_label(make_session(project))
    with django_assert_max_num_queries(21) as few:
        client.get("/p/shop/sessions/")
    for _ in range(8):
        session = make_session(project, [customer_span("x"), model_span("y", at=1)])
        make_label(session)
        make_label(session, outcome="harmful")
    with django_assert_num_queries(len(few)):
        client.get("/p/shop/sessions/")


def test_the_calendar_ends_hold_every_session(client, project):
    said(project, "Hello")
    answer = client.get("/p/shop/sessions/", {"since": "0001-01-01", "until": "9999-12-31"})
    assert titles(answer) == ["Hello"]
