"""Labelling on the session's page: drafts, completion, undo, blindness, roles."""

import pytest

from reviewdesk.people.roles import Role
from tests.factories import (
    add_member,
    client_as,
    customer_span,
    make_label,
    make_project,
    make_session,
    make_user,
    sign_in,
)
from traces.label_sets import ensure_label_set
from traces.models import Label

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
ANSWERS = {
    "outcome": "not_resolved",
    "severity": "major",
    "fault_owner": "agent",
    "primary_cause": "T5",
    "secondary_causes": ["T2", "C1"],
    "comment": "It should have asked.",
}


@pytest.fixture
def project():
    return make_project(slug="shop")


@pytest.fixture
def reviewer(project):
    return make_user(Role.REVIEWER, project)


@pytest.fixture
def client(reviewer):
    return sign_in(reviewer)


@pytest.fixture
def session(project):
    return make_session(project)


def post(client, session, action, data=None, query="", **headers):
    url = f"/p/shop/sessions/{session.pk}/label/{action}/{query}"
    return client.post(url, data or {}, headers=headers)


def test_draft_is_saved_and_shown_again(client, session):
    answer = post(client, session, "draft", {"outcome": "partly", "comment": "Hm."}, **HTMX)
    page = client.get(f"/p/shop/sessions/{session.pk}/").content.decode()
    assert "Draft saved" in answer.content.decode()
    assert 'value="partly" checked' in page
    assert "Hm.</textarea>" in page
    assert Label.objects.get().completed_at is None


def test_draft_without_javascript_comes_back_to_the_page(client, session):
    answer = post(client, session, "draft", {"outcome": "partly"})
    assert answer["Location"] == f"/p/shop/sessions/{session.pk}/"
    assert "Your draft is saved" in client.get(answer["Location"]).content.decode()
    assert post(client, session, "draft", {"outcome": "magic"}).status_code == 422


def test_completing_goes_on_to_the_next_session(client, session, project):
    older = make_session(project, [customer_span("x")], started_at=session.started_at)
    following = older if older.pk < session.pk else None
    answer = post(client, session, "complete", ANSWERS, "?q=")
    label = Label.objects.get()
    assert label.completed_at is not None
    assert label.answers["secondary_causes"] == ["T2", "C1"]
    assert label.comment == "It should have asked."
    target = (following or older).pk
    assert answer["Location"] == f"/p/shop/sessions/{target}/?done={session.pk}"


def test_the_next_session_keeps_the_lists_filter(client, session, project):
    make_session(project, [customer_span("kettle")])
    make_session(project, [customer_span("lamp")])
    answer = post(client, session, "complete", {"outcome": "resolved"}, "?q=lamp", **HTMX)
    assert answer.status_code == 204
    assert f"/?q=lamp&done={session.pk}" in answer["HX-Redirect"]


def test_last_session_stays_and_says_that_nothing_is_left(client, session):
    answer = post(client, session, "complete", {"outcome": "resolved"})
    page = client.get(answer["Location"]).content.decode()
    assert "Nothing in this list is left for you to label" in page
    assert "Your label" in page


def test_incomplete_label_names_what_is_missing(client, session):
    answer = post(client, session, "complete", {"outcome": "harmful"}, **HTMX)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Severity has no answer yet." in page
    assert 'value="harmful" checked' in page
    assert page.strip().startswith("<form")


def test_incomplete_label_without_javascript_gives_the_whole_page(client, session):
    answer = post(client, session, "complete", {"outcome": "harmful"})
    assert answer.status_code == 422
    assert b"<html" in answer.content


def test_undo_opens_the_completed_label(client, session):
    post(client, session, "complete", ANSWERS)
    answer = post(client, session, "reopen")
    assert answer["Location"] == f"/p/shop/sessions/{session.pk}/"
    assert Label.objects.get().completed_at is None


def test_late_draft_is_refused(client, session):
    post(client, session, "complete", ANSWERS)
    answer = post(client, session, "draft", {"outcome": "resolved"}, **HTMX)
    assert answer.status_code == 409
    assert "Reopen it" in answer.content.decode()


def test_unknown_answer_is_refused(client, session):
    answer = post(client, session, "draft", {"outcome": "magic"}, **HTMX)
    assert answer.status_code == 422
    assert "is not one of its answers" in answer.content.decode()


def test_others_labels_are_hidden_until_the_own_one_is_complete(client, session):
    ensure_label_set(session.project)
    make_label(session, outcome="harmful", comment="A secret opinion")
    url = f"/p/shop/sessions/{session.pk}/"
    before = client.get(url).content.decode()
    post(client, session, "complete", ANSWERS)
    after = client.get(url).content.decode()
    assert "A secret opinion" not in before
    assert "blind" in before
    assert "A secret opinion" in after


def test_viewer_reads_labels_and_learns_why_there_is_no_form(project, session):
    ensure_label_set(session.project)
    make_label(session, outcome="harmful", comment="An opinion")
    page = client_as(Role.VIEWER, project).get(f"/p/shop/sessions/{session.pk}/").content.decode()
    assert "An opinion" in page
    assert "Labelling takes the role support, reviewer, engineer, lead or admin." in page
    assert '<form class="form-col"' not in page


@pytest.mark.parametrize("action", ["draft", "complete", "reopen"])
def test_viewer_cannot_label(project, session, action):
    answer = post(client_as(Role.VIEWER, project), session, action, ANSWERS)
    assert answer.status_code == 403
    assert b"Your role is viewer. To label sessions takes the role" in answer.content


@pytest.mark.parametrize("action", ["draft", "complete", "reopen"])
def test_labelling_needs_a_post(client, session, action):
    assert client.get(f"/p/shop/sessions/{session.pk}/label/{action}/").status_code == 405


def test_running_session_cannot_be_labelled_yet(client, project):
    session = make_session(project, status="running")
    page = client.get(f"/p/shop/sessions/{session.pk}/").content.decode()
    assert "It can be labelled when it has ended" in page


def test_support_may_label_but_not_promote(project, session):
    page = client_as(Role.SUPPORT, project).get(f"/p/shop/sessions/{session.pk}/")
    text = page.content.decode()
    assert "Complete and next" in text
    assert "Promoting takes the role" in text


def test_member_of_two_projects_labels_only_in_the_right_one(reviewer, session):
    other = make_project(slug="other")
    add_member(user=reviewer, project=other)
    answer = sign_in(reviewer).post(f"/p/other/sessions/{session.pk}/label/complete/", ANSWERS)
    assert answer.status_code == 404
    assert not Label.objects.exists()


@pytest.mark.parametrize("action", ["draft", "complete"])
def test_a_nul_in_the_comment_is_replaced(client, session, action):
    answer = post(client, session, action, {"outcome": "resolved", "comment": "a\x00b"}, **HTMX)
    assert answer.status_code < 300
    assert Label.objects.get().comment == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize("action", ["draft", "complete"])
def test_a_first_wrong_step_with_a_nul_is_no_step(client, session, action):
    answers = {"outcome": "resolved", "first_wrong_span_id": "\x00"}
    answer = post(client, session, action, answers, **HTMX)
    assert "is not in this session" in answer.content.decode()
    assert not Label.objects.exists()
