"""A call of unknown outcome: a person says what became of it, once, and the run goes on."""

import threading
from typing import Any

import pytest
from django.db import Error, connection

from agents.errors import AlreadyDecidedError, ApprovalError, InvalidArgumentsError
from agents.models import Effect, EffectReview, Level, Run, Step, UndoableCall
from agents.runtime.approvals import approve_call
from agents.runtime.loop import advance
from agents.runtime.review import decide_effect
from agents.runtime.start import request_cancel, start_run
from tests.factories import add_member, client_as, make_user, sign_in
from tests.model_server import ModelServer, model_server
from tests.outside import INPUT, Till, make_payer, till
from tests.test_outside_step import AWAY, NOT_HELD, again, step_of
from traces.models import Session, Span

pytestmark = pytest.mark.django_db
Verdict = EffectReview.Verdict


def park(server: ModelServer, pay: Till, level: Level = Level.AUTONOMOUS) -> EffectReview:
    """Return the review of a call that happened although nobody was told."""
    pay.troubles = [("late", AWAY)]
    agent, version = make_payer(server.base_url, pay, level=level)
    run = again(start_run(agent=agent, version=version, run_input=INPUT))
    if level is Level.APPROVE:
        approve_call(approval=run.approvals.get(), by=make_user(), hold=NOT_HELD)
        run = again(run)
    assert run.status == Run.Status.NEEDS_REVIEW
    return run.effect_reviews.get()


def decide(review: EffectReview, verdict: Verdict, **values: Any) -> Run:
    """Decide and advance, and return the run as it stands."""
    given = {"reason": "Looked it up.", "by": make_user(name="Ada"), **values}
    decide_effect(review=review, verdict=verdict, **given)
    return again(review.run)


def test_call_that_happened_goes_on_with_the_result_and_is_not_made_again() -> None:
    with till() as pay, model_server([pay.call], "Paid.") as server:
        review = park(server, pay)
        run = decide(review, Verdict.HAPPENED, result={"paid": 5})
    assert (run.status, len(pay.attempts)) == (Run.Status.COMPLETED, 1)
    assert server.requests[1]["messages"][-1]["content"] == '{"paid":5}'
    span = Span.objects.get(session=run.session, kind="tool")
    assert (span.status, span.attributes["answered_by"]) == ("ok", "person")


def test_call_that_happened_at_act_with_undo_may_be_undone() -> None:
    undo = {"undo_tool": "take_back", "undo_arguments": {"id": "result.id"}}
    with till(**undo) as pay, model_server([pay.call], "Paid.") as server:
        review = park(server, pay, Level.ACT_WITH_UNDO)
        run = decide(review, Verdict.HAPPENED, result={"paid": 5, "id": "p1"})
    assert UndoableCall.objects.get(run=run).undo_arguments == {"id": "p1"}
    span = Span.objects.get(session=run.session, kind="tool")
    assert "undo_until" in span.attributes


def test_call_that_did_not_happen_is_tried_again() -> None:
    with till() as pay, model_server([pay.call], "Paid.") as server:
        review = park(server, pay)
        run = decide(review, Verdict.DID_NOT)
    assert (run.status, len(pay.attempts)) == (Run.Status.COMPLETED, 2)
    assert step_of(run).num_attempts == 2


def test_call_that_was_approved_is_tried_again_on_the_same_approval() -> None:
    with till() as pay, model_server([pay.call], "Paid.") as server:
        run = decide(park(server, pay, Level.APPROVE), Verdict.DID_NOT)
    assert (run.status, run.approvals.count()) == (Run.Status.COMPLETED, 1)
    assert len(pay.attempts) == 2


def test_call_that_is_unknown_again_has_a_review_of_its_own() -> None:
    with till() as pay, model_server([pay.call], "Paid.") as server:
        review = park(server, pay)
        pay.troubles = [("late", AWAY)]
        run = decide(review, Verdict.DID_NOT)
        assert run.status == Run.Status.NEEDS_REVIEW
        second = run.effect_reviews.get(verdict="")
        run = decide(second, Verdict.HAPPENED, result={"paid": 5})
    assert run.status == Run.Status.COMPLETED


def test_abandoned_run_ends_cancelled_and_says_by_whom() -> None:
    with till() as pay, model_server([pay.call], "Paid.") as server:
        run = decide(park(server, pay), Verdict.ABANDONED)
    assert run.status == Run.Status.CANCELLED
    assert run.error == "abandoned by Ada: Looked it up."
    assert step_of(run).status == Step.Status.FAILED


def test_result_is_held_against_the_contract() -> None:
    returns = {"type": "object", "required": ["paid"]}
    with till(returns=returns) as pay, model_server([pay.call], "Paid.") as server:
        review = park(server, pay)
        with pytest.raises(InvalidArgumentsError, match="paid"):
            decide(review, Verdict.HAPPENED, result={})
    review.refresh_from_db()
    assert review.verdict == ""


def test_reason_is_needed() -> None:
    with till() as pay, model_server([pay.call], "Paid.") as server:
        review = park(server, pay)
        with pytest.raises(ApprovalError, match="Say how you know"):
            decide(review, Verdict.DID_NOT, reason=" ")


def test_second_verdict_names_the_first_person() -> None:
    with till() as pay, model_server([pay.call], "Paid.") as server:
        review = park(server, pay)
        decide(review, Verdict.HAPPENED)
        with pytest.raises(AlreadyDecidedError, match="Ada was faster"):
            decide(review, Verdict.DID_NOT)
    assert len(pay.attempts) == 1


def test_database_keeps_a_verdict_as_it_was_given() -> None:
    with till() as pay, model_server([pay.call], "Paid.") as server:
        review = park(server, pay)
        decide(review, Verdict.HAPPENED)
    with pytest.raises(Error, match="settled once"):
        EffectReview.objects.filter(pk=review.pk).update(verdict=Verdict.DID_NOT)


def test_who_when_and_why_are_in_the_audit_trail() -> None:
    with till() as pay, model_server([pay.call], "Paid.") as server:
        review = park(server, pay)
        decide(review, Verdict.HAPPENED)
    event = review.events.order_by("-pgh_id").first()
    assert event is not None
    assert (event.verdict, event.reason) == ("happened", "Looked it up.")
    assert event.pgh_context.metadata["action"] == "happened"


def test_verdict_about_a_cancelled_run_is_recorded_and_wakes_nothing() -> None:
    with till() as pay, model_server([pay.call], "Paid.") as server:
        review = park(server, pay)
        request_cancel(run=review.run, by=make_user())
        run = decide(review, Verdict.HAPPENED, result={"paid": 5})
    assert run.status == Run.Status.CANCELLED
    assert step_of(run).status == Step.Status.DONE


@pytest.mark.django_db(transaction=True)
def test_of_several_people_at_once_one_settles_it() -> None:
    with till() as pay, model_server([pay.call], "Paid.") as server:
        review = park(server, pay)
        people = [make_user() for _ in range(4)]
        outcomes: list[str] = []

        def work(number: int) -> None:
            verdict = Verdict.HAPPENED if number % 2 else Verdict.DID_NOT
            try:
                decide_effect(review=review, verdict=verdict, reason="Seen.", by=people[number])
                outcomes.append("settled")
            except AlreadyDecidedError:
                outcomes.append("too late")
            finally:
                connection.close()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(outcomes) == ["settled", "too late", "too late", "too late"]


def page_of(review: EffectReview) -> str:
    return f"/p/{review.run.project.slug}/sessions/{review.run.session_id}/"


def test_session_page_asks_what_became_of_the_call_and_settles_it() -> None:
    with till() as pay, model_server([pay.call], "Paid.") as server:
        review = park(server, pay)
        client = client_as("support", review.run.project)
        page = client.get(page_of(review)).content.decode()
        assert "needs review" in page
        assert f"Nobody knows whether <code>{pay.name}</code> happened." in page
        data = {"verdict": "happened", "result": '{"paid": 5}', "reason": "On the statement."}
        answer = client.post(f"{page_of(review)}settle/{review.pk}/", data)
        assert answer.status_code == 302
        assert again(review.run).status == Run.Status.COMPLETED
    review.refresh_from_db()
    assert (review.result, review.reason) == ({"paid": 5}, "On the statement.")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({}, "Choose what became of the call."),
        ({"verdict": "happened", "reason": "Seen.", "result": "{no"}, "The result is no JSON"),
        ({"verdict": "did_not"}, "Say how you know"),
    ],
)
def test_form_that_says_too_little_is_shown_again(data: dict[str, str], problem: str) -> None:
    with till() as pay, model_server([pay.call]) as server:
        review = park(server, pay)
    client = client_as("reviewer", review.run.project)
    answer = client.post(f"{page_of(review)}settle/{review.pk}/", data)
    assert answer.status_code == 422
    assert problem in answer.content.decode()


def test_whoever_may_not_decide_calls_reads_who_may() -> None:
    with till() as pay, model_server([pay.call]) as server:
        review = park(server, pay)
    client = client_as("viewer", review.run.project)
    page = client.get(page_of(review)).content.decode()
    assert "Settling it takes the role support or reviewer" in page
    assert client.post(f"{page_of(review)}settle/{review.pk}/").status_code == 403
    assert (
        client_as("lead", make_user("lead").memberships.get().project)
        .get(f"{page_of(review)}settle/{review.pk}/")
        .status_code
        == 404
    )


def test_list_shows_that_a_session_needs_review() -> None:
    with till(Effect.UNKEYED) as pay, model_server([pay.call]) as server:
        review = park(server, pay)
    person = make_user()
    add_member(user=person, project=review.run.project)
    page = sign_in(person).get(f"/p/{review.run.project.slug}/sessions/").content.decode()
    assert "needs review" in page
    assert review.run.session.status == Session.Status.WAITING


def test_settled_review_is_shown_as_it_was_settled() -> None:
    with till() as pay, model_server([pay.call], "Paid.") as server:
        review = park(server, pay)
        decide(review, Verdict.HAPPENED)
    client = client_as("reviewer", review.run.project)
    page = client.get(f"{page_of(review)}settle/{review.pk}/").content.decode()
    assert "it happened" in page
    assert "Settle it" not in page


def test_review_parks_again_where_nobody_has_said() -> None:
    with till() as pay, model_server([pay.call], "Paid.") as server:
        review = park(server, pay)
        Run.objects.filter(pk=review.run_id).update(status="queued", next_at=review.created_at)
        advance(review.run_id)
    review.run.refresh_from_db()
    assert review.run.status == Run.Status.NEEDS_REVIEW
    assert len(pay.attempts) == 1
