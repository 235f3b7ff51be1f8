"""Promoting with one key while reviewing: what it takes, what it makes, and taking it back."""

from typing import Any

import pytest
from django.urls import reverse

from agents.errors import GoldenError
from agents.golden.at_once import promote_at_once
from agents.models import Agent, GoldenTest
from reviewdesk.people.roles import Role
from tests.factories import (
    client_as,
    make_agent,
    make_label,
    make_session,
    make_user,
    sign_in,
)
from tests.golden import ASKS_FIRST, hasty_spans, make_eval_run, make_hasty_session
from tests.shop import make_shop_agent
from traces.label_sets import default_questions
from traces.models import Label, Session

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
HARMFUL = {"outcome": "harmful", "severity": "critical", "fault_owner": "agent"}


def judged(**overrides: Any) -> tuple[Agent, Session, Label]:
    """Make a session in which the agent did not ask, and the label that says so."""
    agent, _ = make_shop_agent()
    session, span_id = make_hasty_session(agent)
    values = {**HARMFUL, "primary_cause": "T5", "first_wrong_span_id": span_id, **overrides}
    return agent, session, make_label(session, questions=default_questions(), **values)


def address(name: str, session: Session, query: str = "") -> str:
    return reverse(f"golden:{name}", args=[session.project.slug, session.pk]) + query


def page_of(session: Session) -> str:
    return reverse("sessions:detail", args=[session.project.slug, session.pk])


def test_labelled_failure_becomes_a_test_as_it_is_proposed() -> None:
    agent, session, label = judged(comment="It must ask before it cancels. It did not.")
    by = make_user()
    test = promote_at_once(session=session, label=label, by=by)
    assert (test.agent, test.suite, test.severity) == (agent, "regression", "critical")
    assert (test.source_label, test.owner_id, test.promoted_by_id) == (label, by.pk, by.pk)
    assert test.checks[0] == ASKS_FIRST
    assert test.reason == "It must ask before it cancels. It did not."
    assert test.expectations == [
        {"kind": "must_not", "text": "It did not."},
        {"kind": "must", "text": "It must ask before it cancels."},
    ]
    assert [version.number for version in test.versions.all()] == [1]


def test_without_a_comment_the_label_says_why() -> None:
    _, session, label = judged(comment="")
    test = promote_at_once(session=session, label=label, by=make_user())
    assert test.reason.startswith("Labelled: ")
    assert test.reason.endswith("harmful, critical.")


def test_session_that_went_well_becomes_a_common_test() -> None:
    agent, _ = make_shop_agent()
    session = make_session(agent.project, hasty_spans(), agent_name=agent.slug)
    label = make_label(session, outcome="resolved", comment="A good talk.")
    test = promote_at_once(session=session, label=label, by=make_user())
    assert (test.suite, test.expectations) == ("common", [])


def test_what_a_person_has_to_decide_is_named() -> None:
    agent, session, label = judged()
    by = make_user()
    with pytest.raises(GoldenError, match="Nothing says yet what went wrong"):
        promote_at_once(session=session, label=None, by=by)
    label.answers = {"outcome": "partly", "primary_cause": "P3"}
    with pytest.raises(GoldenError, match="No check follows from this recording"):
        promote_at_once(session=session, label=label, by=by)
    label.first_wrong_span_id = ""
    with pytest.raises(GoldenError, match="passes every check that is proposed"):
        promote_at_once(session=session, label=label, by=by)
    label.answers = {"outcome": "harmful", "primary_cause": "T5"}
    make_agent(agent.project)
    Session.objects.filter(pk=session.pk).update(agent_name="another")
    session.refresh_from_db()
    with pytest.raises(GoldenError, match="choose the one that is tested"):
        promote_at_once(session=session, label=label, by=by)
    assert not GoldenTest.objects.exists()


def test_one_key_promotes_and_the_page_leads_to_the_test() -> None:
    agent, session, _ = judged()
    client = client_as(Role.REVIEWER, agent.project)
    response = client.post(address("promote_now", session, "?q=status%3Afailed"), follow=True)
    test = GoldenTest.objects.get()
    text = response.content.decode()
    assert response.redirect_chain == [(page_of(session) + "?q=status%3Afailed", 303)]
    assert "Promoted: " in text
    assert reverse("golden:take_back", args=[agent.project.slug, test.pk]) in text
    assert reverse("golden:edit", args=[agent.project.slug, test.pk]) in text
    assert address("promote_now", session) not in text


def test_answers_on_the_page_are_saved_with_the_promotion() -> None:
    agent, session, label = judged()
    label.delete()
    user = make_user(Role.REVIEWER, agent.project)
    form = {**HARMFUL, "primary_cause": "T5", "comment": "No yes.", "first_wrong_span_id": ""}
    response = sign_in(user).post(address("promote_now", session), form, headers=HTMX)
    text = response.content.decode()
    assert (response.status_code, 'id="label"' in text, "<html" in text) == (200, True, False)
    assert 'hx-swap-oob="beforeend:#toasts"' in text
    own = Label.objects.get(author=user)
    assert (own.completed_at, own.comment) == (None, "No yes.")
    assert GoldenTest.objects.get().source_label == own


def test_ones_own_draft_counts_before_the_label_of_somebody_else() -> None:
    agent, session, _ = judged(primary_cause="T2", comment="Another view.")
    user = make_user(Role.REVIEWER, agent.project)
    form = {**HARMFUL, "primary_cause": "T5", "comment": "No yes.", "first_wrong_span_id": ""}
    sign_in(user).post(address("promote_now", session), form)
    test = GoldenTest.objects.get()
    assert (test.tags, test.reason) == (["t5"], "No yes.")
    assert test.source_label is not None
    assert test.source_label.author_id == user.pk


def test_promoting_what_is_a_test_already_makes_and_undoes_nothing() -> None:
    agent, session, _ = judged()
    client = client_as(Role.REVIEWER, agent.project)
    client.post(address("promote_now", session))
    response = client.post(address("promote_now", session), follow=True)
    test = GoldenTest.objects.get()
    assert "A golden test already: " in response.content.decode()
    assert (
        reverse("golden:take_back", args=[agent.project.slug, test.pk])
        not in (response.content.decode().rpartition("A golden test already")[2])
    )


def test_promote_and_next_completes_the_label_and_goes_on() -> None:
    agent, session, label = judged()
    label.delete()
    later = make_session(agent.project, hasty_spans(), agent_name=agent.slug)
    user = make_user(Role.REVIEWER, agent.project)
    form = {**HARMFUL, "primary_cause": "T5", "comment": "", "first_wrong_span_id": ""}
    response = sign_in(user).post(address("promote_next", session), form, follow=True)
    assert Label.objects.get(author=user).completed_at is not None
    assert response.redirect_chain[0][0] == f"{page_of(later)}?done={session.pk}"
    assert 'name="reopen"' in response.content.decode()


def test_promote_and_next_goes_on_where_there_is_a_test_already() -> None:
    agent, session, _ = judged()
    client = client_as(Role.REVIEWER, agent.project)
    client.post(address("promote_now", session))
    response = client.post(address("promote_next", session), follow=True)
    assert "A golden test already: " in response.content.decode()
    assert GoldenTest.objects.count() == 1


def test_promote_and_next_shows_what_is_not_answered_yet() -> None:
    agent, session, label = judged()
    label.delete()
    client = client_as(Role.REVIEWER, agent.project)
    response = client.post(
        address("promote_next", session), {"outcome": "harmful", "comment": ""}, headers=HTMX
    )
    assert (response.status_code, GoldenTest.objects.count()) == (422, 0)
    assert "no answer yet" in response.content.decode()


def test_where_a_person_must_decide_the_form_opens_and_then_goes_on() -> None:
    agent, session, _ = judged(primary_cause="P3", outcome="partly", first_wrong_span_id="")
    later = make_session(agent.project, hasty_spans(), agent_name=agent.slug)
    client = client_as(Role.REVIEWER, agent.project)
    response = client.post(address("promote_next", session, "?q=agent%3Ashop"), follow=True)
    url = address("promote", session, f"?q=agent%3Ashop&next={later.pk}")
    assert response.redirect_chain == [(url, 303)]
    assert "Not promoted yet. The recording passes every check" in response.content.decode()
    form = {
        "agent": agent.slug,
        "title": "Asks first",
        "severity": "major",
        "suite": "regression",
        "reason": "It did not ask.",
        "check-0-kind": "confirmed_before",
        "check-0-tool": "cancel_pending_order",
        "check-0-mentions": "order_id",
    }
    saved = client.post(url, form)
    assert saved["Location"] == f"{page_of(later)}?q=agent%3Ashop"


def test_promotion_is_taken_back_with_the_label() -> None:
    agent, session, _ = judged()
    user = make_user(Role.REVIEWER, agent.project)
    own = make_label(session, user, **HARMFUL, primary_cause="T5")
    client = sign_in(user)
    client.post(address("promote_next", session))
    test = GoldenTest.objects.get()
    back = reverse("golden:take_back", args=[agent.project.slug, test.pk])
    response = client.post(back, {"reopen": "1"})
    test.refresh_from_db()
    own.refresh_from_db()
    assert response["Location"] == page_of(session)
    assert (test.archived_at is not None, own.completed_at) == (True, None)
    client.post(address("promote_now", session))
    assert GoldenTest.objects.filter(archived_at=None).count() == 1


def test_test_that_was_run_since_is_not_taken_back() -> None:
    agent, session, _ = judged()
    user = make_user(Role.REVIEWER, agent.project)
    client = sign_in(user)
    client.post(address("promote_now", session))
    test = GoldenTest.objects.get()
    make_eval_run(agent.versions.get(), [test])
    back = reverse("golden:take_back", args=[agent.project.slug, test.pk])
    text = client.post(back, follow=True).content.decode()
    test.refresh_from_db()
    assert "was edited or run since it was promoted" in text
    assert test.archived_at is None


@pytest.mark.parametrize("name", ["promote_now", "promote_next"])
def test_only_members_who_may_promote_do_it_by_post(name: str) -> None:
    agent, session, _ = judged()
    url = address(name, session)
    assert client_as(Role.SUPPORT, agent.project).post(url).status_code == 403
    assert client_as(Role.REVIEWER, agent.project).get(url).status_code == 405
    assert sign_in(make_user(Role.ADMIN)).post(url).status_code == 404
    assert not GoldenTest.objects.exists()
