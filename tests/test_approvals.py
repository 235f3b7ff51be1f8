"""Waiting calls: decided once, consumed once, on authority that still holds."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from agents.errors import AlreadyDecidedError, ApprovalError, InvalidArgumentsError
from agents.models import Agent, Level, Run, ShopWrite, Step, ToolApproval
from agents.runtime.approvals import (
    approve_call,
    edit_call,
    expire_approvals,
    judge_suggestion,
    reject_call,
)
from agents.runtime.ending import wake_run
from agents.runtime.loop import advance
from agents.runtime.start import request_cancel, start_run
from agents.tools.autonomy import change_level
from tests.factories import make_user
from tests.model_server import ModelServer, model_server
from tests.shop import CANCEL, make_shop_agent, set_level
from traces.models import Session, Span

INPUT = {"messages": [{"role": "user", "content": "Cancel #T1"}], "turns": []}
NOT_HELD = timedelta(0)
HOUR_NS = 3_600_000_000_000
pytestmark = pytest.mark.django_db


def park(server: ModelServer, level: Level = Level.APPROVE) -> tuple[Agent, Run, ToolApproval]:
    agent, version = make_shop_agent(server.base_url, cancel_pending_order=level)
    run = start_run(agent=agent, version=version, run_input=INPUT)
    advance(run.pk)
    run.refresh_from_db()
    return agent, run, run.approvals.get()


def finish(run: Run) -> Run:
    advance(run.pk)
    run.refresh_from_db()
    return run


def test_parked_run_holds_no_worker_and_shows_as_waiting() -> None:
    with model_server([CANCEL], "Done.") as server:
        _, run, approval = park(server)
    assert (run.status, run.claimed_by, run.next_at) == (Run.Status.WAITING, "", None)
    assert run.session.status == Session.Status.WAITING
    assert Span.objects.get(session=run.session, kind="tool").status == "waiting"
    assert approval.expires_at - approval.created_at == pytest.approx(
        timedelta(minutes=60), abs=timedelta(seconds=5)
    )


def test_approved_call_is_made_once_as_proposed() -> None:
    with model_server([CANCEL], "Done.") as server:
        _, run, approval = park(server)
        approve_call(approval=approval, by=make_user())
        assert finish(run).status == Run.Status.COMPLETED
    approval.refresh_from_db()
    assert approval.consumed_at is not None
    assert ShopWrite.objects.filter(run=run, kind="order").count() == 1


def test_time_waited_for_a_person_is_no_time_worked() -> None:
    with model_server([CANCEL], "Done.") as server:
        _, run, approval = park(server)
        Step.objects.filter(pk=approval.step_id).update(start_ns=F("start_ns") - HOUR_NS)
        Span.objects.filter(session=run.session, kind="tool").update(
            start_ns=F("start_ns") - HOUR_NS
        )
        approve_call(approval=approval, by=make_user())
        finish(run)
    run.session.refresh_from_db()
    assert run.session.working_ns < HOUR_NS
    span = Span.objects.get(session=run.session, kind="tool")
    assert span.attributes["waited_ns"] >= HOUR_NS


def test_edited_call_is_made_with_the_edit() -> None:
    with model_server([CANCEL], "Done.") as server:
        _, run, approval = park(server)
        edited = {**approval.arguments, "reason": "ordered by mistake"}
        edit_call(approval=approval, by=make_user(), arguments=edited)
        finish(run)
    write = ShopWrite.objects.get(run=run, kind="order")
    assert write.data["cancel_reason"] == "ordered by mistake"
    span = Span.objects.get(session=run.session, kind="tool")
    assert span.input["arguments"]["reason"] == "no longer needed"
    assert span.attributes["executed_arguments"]["reason"] == "ordered by mistake"


def test_edit_that_does_not_fit_the_schema_changes_nothing() -> None:
    with model_server([CANCEL], "Done.") as server:
        _, _, approval = park(server)
        with pytest.raises(InvalidArgumentsError, match="reason"):
            edit_call(approval=approval, by=make_user(), arguments={"order_id": "#T1"})
    approval.refresh_from_db()
    assert approval.status == ToolApproval.Status.WAITING


def test_rejection_is_told_with_its_message() -> None:
    with model_server([CANCEL], "I see.") as server:
        _, run, approval = park(server)
        reject_call(
            approval=approval, by=make_user(), message="Ask for the reason first.", hold=NOT_HELD
        )
        finish(run)
    told = server.requests[1]["messages"][-1]["content"]
    assert told == "Error: a person rejected this call: Ask for the reason first."
    assert not ShopWrite.objects.exists()


@pytest.mark.parametrize("message", ["  ", "\x00", "\ud800 ", "\u200b", "..."])
def test_rejection_needs_a_message(message: str) -> None:
    with model_server([CANCEL]) as server:
        _, _, approval = park(server)
    with pytest.raises(ApprovalError, match="message"):
        reject_call(approval=approval, by=make_user(), message=message)


def test_rejection_stays_one_although_the_tool_became_autonomous() -> None:
    with model_server([CANCEL], "I see.") as server:
        agent, run, approval = park(server)
        reject_call(approval=approval, by=make_user(), message="No.", hold=NOT_HELD)
        tool = agent.tools.get(name="cancel_pending_order")
        set_level(tool, Level.AUTONOMOUS)
        finish(run)
    assert not ShopWrite.objects.exists()


def test_expiry_is_never_told_as_a_refusal() -> None:
    with model_server([CANCEL], "I see.") as server:
        _, run, approval = park(server)
        _expire(approval)
        assert expire_approvals() == 1
        finish(run)
    told = server.requests[1]["messages"][-1]["content"]
    assert "nobody decided in time" in told
    assert "reject" not in told
    approval.refresh_from_db()
    assert (approval.status, approval.decided_by) == (ToolApproval.Status.EXPIRED, None)


def test_decision_after_the_expiry_is_refused_with_the_time() -> None:
    with model_server([CANCEL]) as server:
        _, _, approval = park(server)
    _expire(approval)
    with pytest.raises(AlreadyDecidedError, match="has expired at"):
        approve_call(approval=approval, by=make_user())


def test_second_decision_names_the_first_person() -> None:
    with model_server([CANCEL]) as server:
        _, _, approval = park(server)
    approve_call(approval=approval, by=make_user(name="Ada"))
    with pytest.raises(AlreadyDecidedError, match="Ada was faster"):
        reject_call(approval=approval, by=make_user(), message="No.")


def test_approval_is_void_once_the_tool_is_lowered() -> None:
    with model_server([CANCEL], "I see.") as server:
        agent, run, approval = park(server)
        approve_call(approval=approval, by=make_user())
        tool = agent.tools.get(name="cancel_pending_order")
        change_level(agent_tool=tool, level=Level.SUGGEST, reason="Careful.", by=make_user())
        finish(run)
    approval.refresh_from_db()
    assert approval.status == ToolApproval.Status.VOID
    assert "was lowered to suggest" in server.requests[1]["messages"][-1]["content"]
    assert not ShopWrite.objects.exists()


def test_approval_is_void_once_the_tools_contract_changed() -> None:
    with model_server([CANCEL], "I see.") as server:
        _, run, approval = park(server)
        ToolApproval.objects.filter(pk=approval.pk).update(tool_version="0")
        approve_call(approval=approval, by=make_user())
        finish(run)
    assert "the approval is void" in server.requests[1]["messages"][-1]["content"]
    assert not ShopWrite.objects.exists()


def test_calls_of_one_answer_are_asked_at_once_and_decided_one_by_one() -> None:
    with model_server([CANCEL, CANCEL], "Done.") as server:
        agent, version = make_shop_agent(server.base_url)
        run = start_run(agent=agent, version=version, run_input=INPUT)
        advance(run.pk)
        first, second = run.approvals.order_by("step__index")
        approve_call(approval=first, by=make_user())
        advance(run.pk)
        second.refresh_from_db()
        assert second.status == ToolApproval.Status.WAITING
        reject_call(approval=second, by=make_user(), message="Once is enough.", hold=NOT_HELD)
        finish(run)
    assert ShopWrite.objects.filter(run=run, kind="order").count() == 1


def test_judged_suggestion_executes_nothing() -> None:
    with model_server([CANCEL], "Proposed.") as server:
        _, run, suggestion = park(server, Level.SUGGEST)
    judge_suggestion(approval=suggestion, by=make_user(), is_good=True)
    suggestion.refresh_from_db()
    run.refresh_from_db()
    assert suggestion.status == ToolApproval.Status.APPROVED
    assert run.status == Run.Status.COMPLETED
    assert not ShopWrite.objects.exists()


def test_database_refuses_a_decision_by_nobody() -> None:
    with model_server([CANCEL]) as server:
        _, _, approval = park(server)
    with pytest.raises(IntegrityError, match="approval_decided_by_somebody"), transaction.atomic():
        ToolApproval.objects.filter(pk=approval.pk).update(status="approved")


def test_call_of_a_cancelled_run_cannot_be_approved() -> None:
    with model_server([CANCEL]) as server:
        _, run, approval = park(server)
        request_cancel(run=run, by=make_user(name="Ada"))
        with pytest.raises(AlreadyDecidedError, match="cancelled by Ada"):
            approve_call(approval=approval, by=make_user())
        assert finish(run).status == Run.Status.CANCELLED
    approval.refresh_from_db()
    assert approval.status == ToolApproval.Status.VOID


def test_call_that_waits_is_not_judged_and_a_proposal_is_not_approved() -> None:
    with model_server([CANCEL], [CANCEL], "Proposed.") as server:
        agent, _, approval = park(server)
        with pytest.raises(ApprovalError, match="waits for a decision"):
            judge_suggestion(approval=approval, by=make_user(), is_good=True)
        tool = agent.tools.get(name="cancel_pending_order")
        change_level(agent_tool=tool, level=Level.SUGGEST, reason="Careful.", by=make_user())
        run = start_run(agent=agent, version=approval.run.version, run_input=INPUT)
        advance(run.pk)
    with pytest.raises(ApprovalError, match="only proposed"):
        approve_call(approval=run.approvals.get(), by=make_user())
    assert set(ToolApproval.objects.values_list("status", flat=True)) == {"waiting"}


@pytest.mark.parametrize(
    ("status", "decided", "problem"),
    [
        ("edited", {"order_id": "#T1"}, "do not fit the tool"),
        ("edited", [], "do not fit the tool"),
        ("approved", {"order_id": "#T2", "reason": "no longer needed"}, "as proposed"),
    ],
)
def test_decision_is_checked_again_before_the_call(status: str, decided: Any, problem: str) -> None:
    with model_server([CANCEL], "I see.") as server:
        _, run, approval = park(server)
        write_decision(approval, status=status, decided_arguments=decided)
        wake_run(run)
        finish(run)
    told = server.requests[1]["messages"][-1]["content"]
    assert told.startswith("Error: the approval is void")
    assert problem in told
    assert not ShopWrite.objects.exists()


def test_database_refuses_a_granted_call_without_arguments() -> None:
    with model_server([CANCEL]) as server:
        _, _, approval = park(server)
    with pytest.raises(IntegrityError, match="granted_call_has_its_arguments"):
        write_decision(approval, status="approved")


@pytest.mark.parametrize(
    "change",
    [
        {"status": "rejected", "message": "No."},
        {"status": "waiting"},
        {"decided_arguments": {"order_id": "#T2", "reason": "no longer needed"}},
        {"decided_by": None},
        {"kind": "suggestion"},
        {"status": "void", "decided_arguments": {}},
    ],
)
def test_database_keeps_a_decision_as_it_was_made(change: dict[str, Any]) -> None:
    with model_server([CANCEL]) as server:
        _, _, approval = park(server)
    approve_call(approval=approval, by=make_user())
    with pytest.raises(IntegrityError), transaction.atomic():
        ToolApproval.objects.filter(pk=approval.pk).update(**change)


@pytest.mark.parametrize("change", [{"status": "approved"}, {"status": "void"}])
def test_database_keeps_a_rejection(change: dict[str, Any]) -> None:
    with model_server([CANCEL]) as server:
        _, _, approval = park(server)
    reject_call(approval=approval, by=make_user(), message="No.")
    with pytest.raises(IntegrityError, match="decision is made once"), transaction.atomic():
        ToolApproval.objects.filter(pk=approval.pk).update(decided_arguments={}, **change)


def test_database_lets_a_call_be_consumed_once() -> None:
    with model_server([CANCEL], "Done.") as server:
        _, run, approval = park(server)
        approve_call(approval=approval, by=make_user())
        finish(run)
    for change in ({"consumed_at": None}, {"consumed_at": approval.created_at}, {"status": "void"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            ToolApproval.objects.filter(pk=approval.pk).update(**change)


def test_rejection_outlives_the_tool_being_turned_off() -> None:
    with model_server([CANCEL], "I see.") as server:
        agent, run, approval = park(server)
        reject_call(approval=approval, by=make_user(), message="No.", hold=NOT_HELD)
        tool = agent.tools.get(name="cancel_pending_order")
        change_level(agent_tool=tool, level=Level.OFF, reason="Careful.", by=make_user())
        assert finish(run).status == Run.Status.COMPLETED
    approval.refresh_from_db()
    assert (approval.status, approval.message) == (ToolApproval.Status.REJECTED, "No.")


@pytest.mark.django_db(transaction=True)
def test_of_two_people_at_once_one_decides() -> None:
    with model_server([CANCEL]) as server:
        _, _, approval = park(server)
    people = [make_user(name=name) for name in ("Ada", "Mia")]
    outcomes: list[str] = []

    def decide(person: int) -> None:
        try:
            approve_call(approval=approval, by=people[person])
            outcomes.append("decided")
        except AlreadyDecidedError as error:
            outcomes.append(str(error))
        connection.close()

    threads = [threading.Thread(target=decide, args=[person]) for person in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("decided") == 1
    assert any("was faster" in outcome for outcome in outcomes)


def write_decision(approval: ToolApproval, **values: Any) -> None:
    """Decide behind the domain's back."""
    with transaction.atomic():
        ToolApproval.objects.filter(pk=approval.pk).update(
            decided_by=make_user(), decided_at=approval.created_at, **values
        )


def _expire(approval: ToolApproval) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE agents_toolapproval SET expires_at = clock_timestamp() - interval '1 s' "
            "WHERE id = %s",
            [approval.pk],
        )
