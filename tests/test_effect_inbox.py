"""Calls of unknown outcome in the inbox: three answers, each with how one knows."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.models import EffectReview, Run, ShopRecord, Step
from agents.runtime.review import decide_effect
from tests.factories import client_as, make_project, make_user, sign_in
from tests.shop import CANCEL
from tests.test_approvals_screen import HTMX, park

pytestmark = pytest.mark.django_db


def make_review(agent=None) -> EffectReview:
    """Make a call whose worker was lost in the middle of it, as the runtime leaves it."""
    approval = park(CANCEL, agent=agent)
    run, step = approval.run, approval.step
    approval.delete()
    Step.objects.filter(pk=step.pk).update(status="unknown")
    Run.objects.filter(pk=run.pk).update(status="needs_review", parked_for="effect")
    return EffectReview.objects.create(run=run, step=step, why="The worker was killed.")


def url_of(review: EffectReview, action: str = "") -> str:
    return f"/p/{review.run.project.slug}/approvals/effects/{review.pk}/{action}"


def list_url(review: EffectReview) -> str:
    return f"/p/{review.run.project.slug}/approvals/"


def test_inbox_lists_calls_of_unknown_outcome_as_their_own_group() -> None:
    review = make_review()
    client = client_as("support", review.run.project)
    assert client.get(list_url(review))["Location"] == url_of(review)
    waiting = park(CANCEL, agent=review.run.agent)
    page = client.get(list_url(review))
    assert "1 of unknown outcome" in page.text
    assert page.context["approval"] == waiting
    assert url_of(review) in page.text


def test_page_and_fragment_show_what_was_asked_and_the_three_answers() -> None:
    review = make_review()
    client = client_as("support", review.run.project)
    page, fragment = client.get(url_of(review)), client.get(url_of(review), headers=HTMX)
    for text in ("#T1", "The worker was killed.", "It happened", "try again", "Abandon the run"):
        assert text in page.text
        assert text in fragment.text
    assert fragment.text.strip().startswith('<div class="desk-call"')
    assert "<html" in page.text


@pytest.mark.parametrize(
    ("verdict", "status"),
    [("happened", "queued"), ("did_not", "queued"), ("abandoned", "cancelled")],
)
def test_answer_is_recorded_and_the_run_goes_on_accordingly(verdict: str, status: str) -> None:
    review = make_review()
    order = ShopRecord.objects.get(key="#T1", dataset=review.run.agent.dataset).data
    data = {"verdict": verdict, "reason": "I looked at the till.", "result": json.dumps(order)}
    client = client_as("support", review.run.project)
    assert client.post(url_of(review, "decide/"), data).status_code == 303
    review.refresh_from_db()
    assert (review.verdict, review.reason) == (verdict, "I looked at the till.")
    assert Run.objects.get(pk=review.run_id).status == status
    assert review.result == (order if verdict == "happened" else None)


def test_answer_in_place_says_what_was_said() -> None:
    review = make_review()
    client = client_as("support", review.run.project)
    data = {"verdict": "abandoned", "reason": "Not worth it."}
    answer = client.post(url_of(review, "decide/"), data, headers=HTMX)
    assert "Not worth it." in answer.text
    assert "HX-Trigger" in answer


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"verdict": "happened", "reason": "", "result": "{}"}, "Say how you know"),
        ({"verdict": "happened", "reason": "I saw it.", "result": "{no"}, "is no JSON"),
        ({"verdict": "did_not", "reason": " "}, "Say how you know"),
    ],
)
def test_invalid_answer_comes_back_with_what_was_typed(data: dict[str, str], problem: str) -> None:
    review = make_review()
    client = client_as("support", review.run.project)
    answer = client.post(url_of(review, "decide/"), data, headers=HTMX)
    assert answer.status_code == 422
    assert problem in answer.text
    assert (data.get("result", "") or "") in answer.text.replace("&quot;", '"')
    review.refresh_from_db()
    assert review.verdict == ""


def test_somebody_faster_is_named() -> None:
    review = make_review()
    decide_effect(
        review=review, verdict=EffectReview.Verdict.ABANDONED, reason="Old.",
        by=make_user(name="Jo Fast"),
    )  # fmt: skip
    data = {"verdict": "did_not", "reason": "I looked."}
    client = client_as("support", review.run.project)
    answer = client.post(url_of(review, "decide/"), data, headers=HTMX)
    assert answer.status_code == 409
    assert "Jo Fast was faster" in answer.text


def test_strangers_viewers_and_wrong_methods() -> None:
    review = make_review()
    data = {"verdict": "did_not", "reason": "I looked."}
    for client in (sign_in(make_user()), client_as("admin", make_project())):
        assert client.get(url_of(review)).status_code == 404
        assert client.post(url_of(review, "decide/"), data).status_code == 404
    viewer = client_as("viewer", review.run.project)
    assert "takes support, reviewer, lead or admin" in viewer.get(url_of(review)).text
    assert viewer.post(url_of(review, "decide/"), data).status_code == 403
    support = client_as("support", review.run.project)
    assert support.get(url_of(review, "decide/")).status_code == 405
    assert support.post(url_of(review, "decide/"), {"verdict": "maybe"}).status_code == 404


def test_many_cost_as_many_queries_as_one() -> None:
    review = make_review()
    client = client_as("support", review.run.project)
    client.get(url_of(review))
    with CaptureQueriesContext(connection) as one:
        client.get(url_of(review))
    for _ in range(3):
        make_review(review.run.agent)
    with CaptureQueriesContext(connection) as many:
        client.get(url_of(review))
    assert len(many) == len(one)


def test_audit_trail_tells_what_a_person_found_out() -> None:
    review = make_review()
    project, ada = review.run.project, make_user("support", review.run.project, name="Ada")
    client, url = sign_in(ada), f"/p/{project.slug}/settings/audit/"
    assert "unknown outcome settled" not in client.get(url).text
    decide_effect(review=review, verdict="did_not", result=None, reason="The till says so.", by=ada)
    page = client.get(url).text
    for words in ("unknown outcome settled", review.step.name, "The till says so."):
        assert words in page
