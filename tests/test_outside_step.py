"""Calls outside: attempts, retries, time limits, and what a crash in the middle comes to."""

import threading
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from agents.errors import ClaimLostError, ToolUnavailableError
from agents.models import (
    Effect,
    EffectReview,
    Level,
    Message,
    Run,
    Step,
    ToolSlot,
    UndoableCall,
    Webhook,
)
from agents.runtime.approvals import approve_call, edit_call
from agents.runtime.claim import Claim, claim_due_run
from agents.runtime.loop import advance, advance_claimed, advance_step
from agents.runtime.start import request_cancel, start_run
from agents.tools.contract import ToolError
from agents.tools.evidence import acted
from agents.tools.registry import contract_for, forget, register
from tests.factories import make_user
from tests.model_server import ModelServer, model_server
from tests.outside import INPUT, Till, WorkerLostError, lose_worker, make_due, make_payer, till
from traces.models import Session, Span

pytestmark = pytest.mark.django_db
AWAY = ToolUnavailableError("503 busy", is_sent=True)
NOT_HELD = timedelta(0)
NEVER_SENT = ToolUnavailableError("connection refused", is_sent=False)


def start(server: ModelServer, till: Till, level: Level = Level.AUTONOMOUS) -> Run:
    agent, version = make_payer(server.base_url, till, level=level)
    return start_run(agent=agent, version=version, run_input=INPUT)


def again(run: Run) -> Run:
    """Advance a run whose time has come, and return it as it stands."""
    make_due(run)
    advance(run.pk)
    run.refresh_from_db()
    return run


def crash(run: Run) -> None:
    """Advance until the worker is lost in the middle of a call."""
    claim = claim_due_run(run.pk)
    assert claim
    with pytest.raises(WorkerLostError):
        advance_all(claim)
    lose_worker(run)


def advance_all(claim: Claim) -> None:
    while advance_step(claim):
        pass


def advance_in_thread(claim: Claim) -> None:
    def work() -> None:
        advance_claimed(claim)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def step_of(run: Run) -> Step:
    return run.steps.get(kind="tool")


def test_call_outside_is_written_before_and_after_it_is_made() -> None:
    with till() as pay, model_server([pay.call], "Paid.") as server:
        run = again(start(server, pay))
    step = step_of(run)
    assert (run.status, step.status) == (Run.Status.COMPLETED, Step.Status.DONE)
    assert step.response == {"result": {"paid": 5}}
    assert (step.effect_key, step.tool_version) == (f"{run.pk}:1", "1")
    assert (step.num_attempts, pay.keys) == (1, [step.effect_key])
    span = Span.objects.get(session=run.session, kind="tool")
    assert span.attributes["effect_key"] == step.effect_key
    assert (span.attributes["level"], span.attributes["attempt"]) == ("autonomous", 1)


def test_refusal_is_told_to_the_model_and_final() -> None:
    with till() as pay, model_server([pay.call], "Sorry.") as server:
        pay.troubles = [("early", ToolError("the card has expired"))]
        run = again(start(server, pay))
    assert server.requests[1]["messages"][-1]["content"] == "Error: the card has expired"
    assert (step_of(run).status, len(pay.attempts)) == (Step.Status.FAILED, 1)


@pytest.mark.parametrize("effect", [Effect.READ, Effect.IDEMPOTENT, Effect.KEYED])
def test_call_that_may_be_repeated_waits_without_a_worker_and_keeps_its_key(effect: Effect) -> None:
    with till(effect) as pay, model_server([pay.call], "Paid.") as server:
        pay.troubles = [("early", AWAY)]
        run = again(start(server, pay))
        assert (run.status, run.claimed_by) == (Run.Status.QUEUED, "")
        assert run.next_at
        assert run.next_at > run.created_at
        assert again(run).status == Run.Status.COMPLETED
    assert pay.attempts == [f"{run.pk}:1"] * 2
    assert step_of(run).num_attempts == 2


def test_unkeyed_call_that_was_never_sent_is_repeated() -> None:
    with till(Effect.UNKEYED) as pay, model_server([pay.call], "Paid.") as server:
        pay.troubles = [("early", NEVER_SENT)]
        run = again(start(server, pay))
        assert run.status == Run.Status.QUEUED
        assert again(run).status == Run.Status.COMPLETED
    assert len(pay.keys) == 1


def test_unkeyed_call_without_an_answer_is_never_repeated_but_reviewed() -> None:
    with till(Effect.UNKEYED) as pay, model_server([pay.call], "Paid.") as server:
        pay.troubles = [("late", AWAY)]
        run = again(start(server, pay))
        advance(run.pk)
    run.refresh_from_db()
    assert (run.status, run.parked_for) == (Run.Status.NEEDS_REVIEW, Run.Parked.EFFECT)
    assert (step_of(run).status, len(pay.attempts)) == (Step.Status.UNKNOWN, 1)
    assert run.effect_reviews.get().verdict == ""
    assert run.session.status == Session.Status.WAITING


def test_read_that_stays_away_fails_and_says_how_often_it_was_tried() -> None:
    with till(Effect.READ, max_attempts=2) as pay, model_server([pay.call], "Sorry.") as server:
        pay.troubles = [("early", AWAY)] * 2
        run = again(start(server, pay))
        again(run)
    told = server.requests[1]["messages"][-1]["content"]
    assert told == f"Error: {pay.name} is not available (after 2 attempts): 503 busy"


def test_read_that_stays_away_is_answered_by_its_fallback() -> None:
    fallback = {"result": {"paid": 0}}
    with (
        till(Effect.READ, max_attempts=1, fallback=fallback) as pay,
        model_server([pay.call], "Nothing.") as server,
    ):
        pay.troubles = [("early", AWAY)]
        run = again(start(server, pay))
    assert step_of(run).response == {**fallback, "is_fallback": True}
    assert '{"paid":0}' in server.requests[1]["messages"][-1]["content"]
    span = Span.objects.get(session=run.session, kind="tool")
    assert span.attributes["fallback"] == "tool"
    assert not acted(run.agent_id, pay.name).exists()


def test_write_that_may_have_happened_is_never_answered_by_a_fallback() -> None:
    fallback = {"result": {"paid": 0}}
    with (
        till(Effect.KEYED, max_attempts=1, fallback=fallback) as pay,
        model_server([pay.call], "Paid.") as server,
    ):
        pay.troubles = [("late", AWAY)]
        run = again(start(server, pay))
    assert run.status == Run.Status.NEEDS_REVIEW


@pytest.mark.parametrize(("when", "answer"), [("late", "paid"), ("early", "was not done")])
def test_keyed_call_whose_attempts_are_used_up_is_looked_up(when: str, answer: str) -> None:
    with (
        till(Effect.KEYED, has_lookup=True, max_attempts=1) as pay,
        model_server([pay.call], "Done.") as server,
    ):
        pay.troubles = [(when, AWAY)]
        run = again(start(server, pay))
    assert run.status == Run.Status.COMPLETED
    assert answer in server.requests[1]["messages"][-1]["content"]
    assert len(pay.attempts) == 1


@pytest.mark.parametrize("when", ["early", "late"])
@pytest.mark.parametrize(
    ("effect", "has_lookup", "status"),
    [
        (Effect.READ, False, "completed"),
        (Effect.IDEMPOTENT, False, "completed"),
        (Effect.KEYED, False, "completed"),
        (Effect.KEYED, True, "completed"),
        (Effect.UNKEYED, False, "needs_review"),
    ],
)
def test_worker_lost_in_the_middle_of_a_call(
    effect: Effect, has_lookup: bool, status: str, when: str
) -> None:
    with till(effect, has_lookup=has_lookup) as pay, model_server([pay.call], "Paid.") as server:
        pay.troubles = [(when, WorkerLostError())]
        run = start(server, pay)
        crash(run)
        assert step_of(run).status == Step.Status.STARTED
        advance(run.pk)
    run.refresh_from_db()
    assert run.status == status
    assert set(pay.attempts) == {f"{run.pk}:1"}, "every attempt has the same key"
    is_known = has_lookup and when == "late"
    assert len(pay.attempts) == (1 if effect == Effect.UNKEYED or is_known else 2)


def test_call_found_by_its_key_was_made_with_what_a_person_edited() -> None:
    with (
        till(Effect.KEYED, has_lookup=True) as pay,
        model_server([pay.call], "Paid.") as server,
    ):
        run = again(start(server, pay, Level.APPROVE))
        approval = run.approvals.get()
        edit_call(approval=approval, by=make_user(), arguments={"amount": 3}, hold=NOT_HELD)
        pay.troubles = [("late", WorkerLostError())]
        make_due(run)
        crash(run)
        advance(run.pk)
    span = Span.objects.get(session=run.session, kind="tool")
    assert span.attributes["answered_by"] == "lookup"
    assert span.attributes["executed_arguments"] == {"amount": 3}
    assert not UndoableCall.objects.exists(), "a person decided about it"


@pytest.mark.parametrize(
    ("level", "is_offered"), [(Level.ACT_WITH_UNDO, True), (Level.AUTONOMOUS, False)]
)
def test_call_found_by_its_key_may_be_undone(level: Level, is_offered: bool) -> None:
    undo = {"undo_tool": "take_back", "undo_arguments": {"amount": "arguments.amount"}}
    with (
        till(Effect.KEYED, has_lookup=True, **undo) as pay,
        model_server([pay.call], "Paid.") as server,
    ):
        pay.troubles = [("late", WorkerLostError())]
        run = start(server, pay, level)
        crash(run)
        advance(run.pk)
    found = UndoableCall.objects.filter(run=run).values_list("undo_arguments", flat=True)
    assert list(found) == ([{"amount": 5}] if is_offered else [])


@pytest.mark.parametrize("level", [Level.AUTONOMOUS, Level.APPROVE])
def test_tool_that_was_withdrawn_is_refused_before_anything_starts(level: Level) -> None:
    with till() as pay, model_server([pay.call], "Sorry.") as server:
        contract = contract_for(pay.name)
        forget(pay.name)
        register(replace(contract, withdrawn="bank, which it is of, is turned off"))
        run = again(start(server, pay, level))
    step = step_of(run)
    assert (run.status, step.status, step.effect_key) == ("completed", Step.Status.FAILED, "")
    assert "cannot be called: bank, which it is of, is turned off" in step.response["error"]
    assert not run.approvals.exists(), "nobody is asked about it"


def test_worker_lost_before_the_call_is_made_counts_as_in_the_middle() -> None:
    with till(Effect.UNKEYED) as pay, model_server([pay.call], "Paid.") as server:
        pay.troubles = [("early", WorkerLostError())]
        run = start(server, pay)
        crash(run)
        again(run)
    review = run.effect_reviews.get()
    assert "could do it twice" in review.why
    assert not pay.keys


def test_whoever_wants_to_know_of_an_unknown_call_is_told_once() -> None:
    with till(Effect.UNKEYED) as pay, model_server([pay.call], "Paid.") as server:
        pay.troubles = [("late", AWAY)]
        run = start(server, pay)
        Webhook.objects.create(project=run.project, name="ops", url="https://ops.example/hook")
        again(run)
    (message,) = Message.objects.filter(event="run_needs_review")
    assert message.payload["url"].endswith(f"/sessions/{run.session_id}/")


def test_tool_that_hangs_is_left_alone_after_its_time() -> None:
    with (
        till(Effect.READ, time_limit_seconds=0.2, max_attempts=1) as pay,
        model_server([pay.call], "Sorry.") as server,
    ):
        pay.troubles = [("early", lambda: time.sleep(3))]
        began = time.monotonic()
        run = again(start(server, pay))
    assert time.monotonic() - began < 2.5
    assert run.status == Run.Status.COMPLETED
    assert "0.2 s" in server.requests[1]["messages"][-1]["content"]


def test_result_that_breaks_the_contract_is_told_as_what_it_is() -> None:
    returns = {"type": "object", "properties": {"paid": {"type": "string"}}}
    with till(returns=returns) as pay, model_server([pay.call], "Hm.") as server:
        run = again(start(server, pay))
    told = server.requests[1]["messages"][-1]["content"]
    assert "what its contract does not allow" in told
    assert "what it did stands" in told
    assert step_of(run).status == Step.Status.FAILED


def test_call_that_has_no_room_waits_and_uses_nothing_up() -> None:
    with till(max_concurrent=1) as pay, model_server([pay.call], "Paid.") as server:
        run = start(server, pay)
        other = start(server, pay)
        ToolSlot.objects.create(
            project=run.project, tool=pay.name, run=other, effect_key="x", until="2999-01-01T00:00Z"
        )
        assert again(run).status == Run.Status.QUEUED
        assert (step_of(run).status, pay.attempts) == (Step.Status.WAITING, [])
        ToolSlot.objects.all().delete()
        assert again(run).status == Run.Status.COMPLETED
    assert step_of(run).num_attempts == 1
    assert not ToolSlot.objects.exists(), "the slot is free again"


def test_approved_call_is_used_up_once_over_all_its_attempts() -> None:
    with till(Effect.KEYED) as pay, model_server([pay.call], "Paid.") as server:
        pay.troubles = [("early", AWAY)]
        run = again(start(server, pay, Level.APPROVE))
        assert run.parked_for == Run.Parked.APPROVAL
        approve_call(approval=run.approvals.get(), by=make_user(), hold=NOT_HELD)
        assert again(run).status == Run.Status.QUEUED
        used_at = run.approvals.get().consumed_at
        assert used_at
        assert again(run).status == Run.Status.COMPLETED
    assert (len(pay.keys), run.approvals.get().consumed_at) == (1, used_at)


def test_decision_is_not_used_up_by_a_call_that_finds_no_room() -> None:
    with till(max_concurrent=1) as pay, model_server([pay.call], "Paid.") as server:
        run = again(start(server, pay, Level.APPROVE))
        approve_call(approval=run.approvals.get(), by=make_user(), hold=NOT_HELD)
        ToolSlot.objects.create(
            project=run.project, tool=pay.name, run=run, effect_key="x", until="2999-01-01T00:00Z"
        )
        again(run)
        assert run.approvals.get().consumed_at is None
        ToolSlot.objects.all().delete()
        assert again(run).status == Run.Status.COMPLETED


def test_tool_lowered_between_two_attempts_of_a_sent_call_is_reviewed() -> None:
    with till(Effect.KEYED) as pay, model_server([pay.call], "Paid.") as server:
        pay.troubles = [("late", AWAY)]
        run = again(start(server, pay))
        run.agent.tools.filter(name=pay.name).update(level=Level.OFF)
        assert again(run).status == Run.Status.NEEDS_REVIEW
    assert "cannot be called again to find out" in run.effect_reviews.get().why
    assert len(pay.attempts) == 1


def test_golden_test_reaches_nothing_outside() -> None:
    with till() as pay, model_server([pay.call], "Hm.") as server:
        agent, version = make_payer(server.base_url, pay)
        recorded = {"tool": pay.name, "arguments": {"amount": 6}, "result": {"paid": 6}}
        run = start_run(
            agent=agent,
            version=version,
            run_input=INPUT,
            kind=Run.Kind.GOLDEN,
            fixtures=[recorded],
        )
        again(run)
    assert not pay.attempts
    assert "changes nothing outside" in server.requests[1]["messages"][-1]["content"]


@pytest.mark.django_db(transaction=True)
def test_worker_overtaken_during_the_call_writes_nothing() -> None:
    with till(Effect.KEYED) as pay, model_server([pay.call], "Paid.") as server:
        run = start(server, pay)
        pay.troubles = [("late", lambda: lose_worker(run))]
        claim = claim_due_run(run.pk)
        assert claim
        with pytest.raises(ClaimLostError):
            advance_all(claim)
        assert step_of(run).status == Step.Status.STARTED
        assert again(run).status == Run.Status.COMPLETED
    assert Span.objects.filter(session=run.session, kind="tool").count() == 1


@pytest.mark.django_db(transaction=True)
def test_worker_stopped_between_the_start_and_the_call_does_not_make_it() -> None:
    with till(Effect.UNKEYED) as pay, model_server([pay.call], "Paid.") as server:
        run = start(server, pay)
        claim = claim_due_run(run.pk)
        assert claim
        advance_step(claim)
        lose_worker(run)
        advance_claimed(claim)
        assert not pay.attempts, "its token has moved on"


@pytest.mark.django_db(transaction=True)
def test_run_cancelled_during_a_call_keeps_what_the_call_did() -> None:
    with till(Effect.UNKEYED) as pay, model_server([pay.call], "Paid.") as server:
        run = start(server, pay)
        person = make_user(name="Jo")
        pay.troubles = [("late", lambda: request_cancel(run=run, by=person) and None)]
        again(run)
    assert (run.status, run.error) == (Run.Status.CANCELLED, "cancelled by Jo")
    assert step_of(run).response == {"result": {"paid": 5}}
    assert not EffectReview.objects.exists()


def test_run_cancelled_while_its_call_is_lost_stays_honest_about_it() -> None:
    with till(Effect.UNKEYED) as pay, model_server([pay.call], "Paid.") as server:
        pay.troubles = [("late", WorkerLostError())]
        run = start(server, pay)
        crash(run)
        request_cancel(run=run, by=make_user(name="Jo"))
    run.refresh_from_db()
    assert run.status == Run.Status.CANCELLED
    assert step_of(run).status == Step.Status.UNKNOWN
    assert run.effect_reviews.get().verdict == ""


@pytest.mark.django_db(transaction=True)
def test_thread_that_was_overtaken_lets_no_other_claim_go() -> None:
    with till() as pay, model_server([pay.call], "Paid.") as server:
        run = start(server, pay)
        old = claim_due_run(run.pk)
        assert old
        lose_worker(run)
        new = claim_due_run(run.pk)
        assert new
        advance_in_thread(old)
        advance_claimed(new)
    run.refresh_from_db()
    assert run.status == Run.Status.COMPLETED


def test_arguments_that_do_not_fit_are_counted_as_an_invalid_call() -> None:
    with till() as pay, model_server([(pay.name, {"amount": "five"})], "Sorry.") as server:
        run = again(start(server, pay))
    span = Span.objects.get(session=run.session, kind="tool")
    assert span.attributes["is_invalid_call"] is True
    assert not pay.attempts


def test_time_between_attempts_is_no_time_worked() -> None:
    with till(Effect.READ) as pay, model_server([pay.call], "Paid.") as server:
        pay.troubles = [("early", AWAY)]
        run = again(start(server, pay))
        hour: Any = 3_600_000_000_000
        step = step_of(run)
        Step.objects.filter(pk=step.pk).update(start_ns=step.start_ns - hour)
        Span.objects.filter(session=run.session, kind="tool").update(start_ns=step.start_ns - hour)
        again(run)
    span = Span.objects.get(session=run.session, kind="tool")
    assert span.duration_ns < 5_000_000_000
