"""Decisions that are held, taken back, answered, escalated, or need two people."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction

from agents.config import content_hash
from agents.errors import AlreadyDecidedError, ApprovalError
from agents.models import (
    ApprovalRules,
    ApprovalVote,
    Level,
    Message,
    Run,
    ShopWrite,
    ToolApproval,
    Webhook,
)
from agents.runtime.approval_rules import rules_of, set_rules
from agents.runtime.approvals import (
    approve_call,
    edit_call,
    escalate_call,
    expire_approvals,
    reject_call,
    respond_call,
    take_back,
)
from agents.runtime.loop import advance
from agents.runtime.open_calls import wake_decided
from agents.runtime.reminders import remind_of_waiting
from agents.runtime.start import start_run
from agents.runtime.votes import agreed, take_back_vote
from agents.tools.autonomy import database_now
from agents.tools.evidence import acted
from reviewdesk.people.models import User
from tests.factories import make_user
from tests.model_server import model_server
from tests.shop import CANCEL, make_shop_agent
from traces.models import Session

pytestmark = pytest.mark.django_db
ApprovalVoteEvent = apps.get_model("agents", "ApprovalVoteEvent")

NOT_HELD = timedelta(0)
SHORT = timedelta(milliseconds=400)
INPUT = {"messages": [{"role": "user", "content": "Send #T1 elsewhere"}], "turns": []}
ADDRESS = (
    "modify_pending_order_address",
    {
        "order_id": "#T1",
        "address1": "1 Elm Way",
        "address2": "",
        "city": "Springfield",
        "state": "IL",
        "zip": "62701",
        "country": "USA",
    },
)
RETURN = (
    "return_delivered_order_items",
    {"order_id": "#T1", "item_ids": ["2"], "payment_method_id": "gift_card_1"},
)
Status = ToolApproval.Status


def park(
    call: tuple[str, dict[str, Any]] = ADDRESS, by: User | None = None, answer: str = "Done."
) -> ToolApproval:
    """Start a run that stops at `call`; it goes on with `answer`."""
    with model_server([call]) as server:
        agent, version = make_shop_agent(server.base_url, **{call[0]: Level.APPROVE})
        run = start_run(agent=agent, version=version, run_input=INPUT, started_by=by)
        advance(run.pk)
    return run.approvals.get()


def finish(approval: ToolApproval, *answers: Any) -> list[Any]:
    """Let the run go on; return what the model was told last."""
    with model_server(*(answers or ("Done.",))) as server:
        agent = approval.run.agent
        agent.model_base_url = server.base_url
        agent.save()
        advance(approval.run_id)
        return [request["messages"][-1]["content"] for request in server.requests]


def money(two_people_from: int = 30) -> ToolApproval:
    """Return a waiting refund of $40 in a project where two people agree from that amount."""
    approval = park(RETURN)
    approval.num_needed = 2 if two_people_from <= 40 else 1
    approval.save(update_fields=["num_needed"])
    return approval


def run_of(approval: ToolApproval) -> Run:
    return Run.objects.get(pk=approval.run_id)


def test_decision_is_held_for_five_seconds_and_nothing_happens_before() -> None:
    approval = approve_call(approval=park(), by=make_user())
    assert approval.leaves_at is not None
    assert approval.decided_at is not None
    assert approval.leaves_at - approval.decided_at == timedelta(seconds=5)
    run = run_of(approval)
    assert (run.status, run.next_at) == (Run.Status.QUEUED, approval.leaves_at)
    advance(run.pk)
    assert not ShopWrite.objects.exists()


def test_worker_that_comes_too_early_makes_no_call() -> None:
    approval = approve_call(approval=park(), by=make_user())
    Run.objects.update(next_at=database_now())
    assert finish(approval) == []
    approval.refresh_from_db()
    assert (approval.consumed_at, ShopWrite.objects.count()) == (None, 0)
    assert run_of(approval).status in {Run.Status.QUEUED, Run.Status.WAITING}


def test_decision_that_has_left_is_made() -> None:
    approval = approve_call(approval=park(), by=make_user(), hold=NOT_HELD)
    finish(approval)
    assert run_of(approval).status == Run.Status.COMPLETED
    assert ShopWrite.objects.filter(kind="order").count() == 1


def test_what_cannot_be_undone_leaves_at_once_when_approved() -> None:
    approval = approve_call(approval=park(CANCEL), by=make_user())
    assert approval.leaves_at is None
    assert run_of(approval).next_at is not None


def test_rejection_is_held_whatever_the_tool() -> None:
    approval = reject_call(approval=park(CANCEL), by=make_user(), message="No.")
    assert approval.leaves_at is not None


@pytest.mark.parametrize("decide", [approve_call, reject_call, respond_call])
def test_decision_is_taken_back_with_nothing_of_it_left(decide: Any) -> None:
    by = make_user()
    extra = {} if decide is approve_call else {"message": "Wait."}
    approval = decide(approval=park(), by=by, **extra)
    take_back(approval=approval, by=by)
    approval.refresh_from_db()
    assert (approval.status, approval.decided_by, approval.leaves_at) == ("waiting", None, None)
    assert (approval.message, approval.decided_arguments) == ("", None)
    run = run_of(approval)
    assert (run.status, run.next_at) == (Run.Status.WAITING, None)


def test_call_that_was_taken_back_is_decided_anew() -> None:
    by = make_user()
    approval = approve_call(approval=park(), by=by)
    take_back(approval=approval, by=by)
    reject_call(approval=approval, by=by, message="Wrong address.", hold=NOT_HELD)
    assert "Wrong address." in finish(approval)[0]
    assert not ShopWrite.objects.exists()


def test_only_the_person_who_decided_takes_it_back() -> None:
    approval = approve_call(approval=park(), by=make_user(name="Ada"))
    with pytest.raises(ApprovalError, match="Ada decided this call"):
        take_back(approval=approval, by=make_user())


def test_nothing_is_taken_back_after_it_left() -> None:
    by = make_user()
    approval = approve_call(approval=park(CANCEL), by=by)
    with pytest.raises(AlreadyDecidedError, match="has left already"):
        take_back(approval=approval, by=by)


def test_waiting_call_cannot_be_taken_back() -> None:
    with pytest.raises(ApprovalError, match="is waiting"):
        take_back(approval=park(), by=make_user())


def test_database_takes_nothing_back_after_it_left() -> None:
    approval = approve_call(approval=park(CANCEL), by=make_user())
    with pytest.raises(IntegrityError, match="made once"), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE agents_toolapproval SET status = 'waiting', decided_by_id = NULL,"
            " decided_at = NULL, decided_arguments = NULL WHERE id = %s",
            [approval.pk],
        )


def test_database_takes_back_a_held_decision_and_all_of_it() -> None:
    approval = approve_call(approval=park(), by=make_user(), message="Fine.")
    with (
        pytest.raises(IntegrityError, match="made once"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE agents_toolapproval SET status = 'waiting'")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE agents_toolapproval SET status = 'waiting', decided_by_id = NULL, message = '',"
            " decided_at = NULL, decided_arguments = NULL, leaves_at = NULL WHERE id = %s",
            [approval.pk],
        )


def test_lost_wake_up_is_made_good_by_the_sweeper() -> None:
    approval = approve_call(approval=park(), by=make_user(), hold=NOT_HELD)
    Run.objects.update(status=Run.Status.WAITING, next_at=None)
    assert wake_decided() == 1
    assert run_of(approval).status == Run.Status.QUEUED


def test_sweeper_leaves_held_and_undecided_calls_alone() -> None:
    held, _ = approve_call(approval=park(), by=make_user()), park()
    Run.objects.filter(pk=held.run_id).update(status=Run.Status.WAITING, next_at=None)
    assert wake_decided() == 0


def test_answer_of_a_person_is_told_and_the_call_not_made() -> None:
    approval = park()
    words = "Ask the customer for the street number."
    respond_call(approval=approval, by=make_user(), message=words, hold=NOT_HELD)
    told = finish(approval)[0]
    assert words in told
    assert "not made" in told
    assert "reject" not in told
    assert not ShopWrite.objects.exists()


def test_answer_needs_words() -> None:
    with pytest.raises(ApprovalError, match="is empty"):
        respond_call(approval=park(), by=make_user(), message=" … ")


def test_escalated_call_is_decided_by_a_lead_alone() -> None:
    approval = park()
    escalate_call(approval=approval, by=make_user(name="Jo"), note="Is this a refund?")
    for decide in (approve_call, reject_call, respond_call):
        extra = {} if decide is approve_call else {"message": "No."}
        with pytest.raises(ApprovalError, match="escalated by Jo"):
            decide(approval=approval, by=make_user(), **extra)
    row = approve_call(approval=approval, by=make_user(), is_lead=True)
    assert row.status == Status.APPROVED
    assert row.escalation_note == "Is this a refund?"


def test_escalation_needs_a_note_and_happens_once() -> None:
    approval = park()
    with pytest.raises(ApprovalError, match="note is empty"):
        escalate_call(approval=approval, by=make_user(), note=" ")
    escalate_call(approval=approval, by=make_user(), note="Please look.")
    with pytest.raises(AlreadyDecidedError, match="with the leads already"):
        escalate_call(approval=approval, by=make_user(), note="Please look.")


def test_webhooks_are_told_of_waiting_reminded_and_escalated_calls_once() -> None:
    with model_server([ADDRESS]) as server:
        agent, version = make_shop_agent(server.base_url, **{ADDRESS[0]: Level.APPROVE})
        Webhook.objects.create(project=agent.project, name="w", url="https://example.com/w")
        run = start_run(agent=agent, version=version, run_input=INPUT)
        advance(run.pk)
    approval = run.approvals.get()
    assert remind_of_waiting() == 0
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE agents_toolapproval SET created_at = created_at - interval '31 minutes',"
            " expires_at = expires_at - interval '31 minutes'"
        )
    assert (remind_of_waiting(), remind_of_waiting()) == (1, 0)
    escalate_call(approval=approval, by=make_user(), note="Please look.")
    events = list(Message.objects.order_by("pk").values_list("event", flat=True))
    assert events == ["approval_waiting", "approval_reminder", "approval_escalated"]
    assert "Tia" not in str(list(Message.objects.values_list("payload", flat=True)))


def test_call_above_the_threshold_needs_two_people_by_itself() -> None:
    with model_server([RETURN]) as server:
        agent, version = make_shop_agent(server.base_url, **{RETURN[0]: Level.APPROVE})
        ApprovalRules.objects.create(project=agent.project, two_people_from_usd=40)
        run = start_run(agent=agent, version=version, run_input=INPUT)
        advance(run.pk)
    assert run.approvals.get().num_needed == 2


def test_call_under_the_threshold_and_of_another_tier_needs_one() -> None:
    assert park(RETURN).num_needed == 1
    assert park(CANCEL).num_needed == 1


def test_money_of_unknown_amount_needs_two_people() -> None:
    assert park((RETURN[0], RETURN[1] | {"order_id": "#nowhere"})).num_needed == 2


def test_two_people_agree_and_the_call_is_made_once() -> None:
    approval, first, second = money(), make_user(), make_user()
    assert approve_call(approval=approval, by=first).status == Status.WAITING
    assert run_of(approval).status == Run.Status.WAITING
    row = approve_call(approval=approval, by=second)
    assert (row.status, row.decided_by_id, row.leaves_at) == (Status.APPROVED, second.pk, None)


def test_the_same_person_never_counts_twice() -> None:
    approval, person = money(), make_user()
    approve_call(approval=approval, by=person)
    with pytest.raises(ApprovalError, match="needs another person"):
        approve_call(approval=approval, by=person)
    assert ApprovalVote.objects.count() == 1


def test_vote_is_taken_back_while_the_second_is_missing() -> None:
    approval, first, second = money(), make_user(), make_user()
    approve_call(approval=approval, by=first)
    take_back_vote(approval=approval, by=first)
    assert not agreed(approval)
    approve_call(approval=approval, by=second)
    approval.refresh_from_db()
    assert approval.status == Status.WAITING
    trail = ApprovalVoteEvent.objects.filter(by_id=first.pk).order_by("pgh_id")
    assert [each.pgh_label for each in trail] == ["insert", "delete"]
    assert trail[1].pgh_context.metadata["user"] == first.pk


def test_edit_that_nobody_stands_by_any_more_is_gone() -> None:
    approval, first, second = money(), make_user(), make_user()
    approve_call(approval=approval, by=first)
    edit_call(approval=approval, by=second, arguments={**RETURN[1], "item_ids": ["3"]})
    take_back_vote(approval=approval, by=second)
    approval.refresh_from_db()
    assert (approval.decided_arguments, [each.by_id for each in agreed(approval)]) == (
        None,
        [first.pk],
    )


def test_nobody_takes_back_what_they_did_not_say_or_what_is_decided() -> None:
    approval, first, second = money(), make_user(), make_user()
    approve_call(approval=approval, by=first)
    with pytest.raises(ApprovalError, match="You did not agree"):
        take_back_vote(approval=approval, by=second)
    approve_call(approval=approval, by=second)
    with pytest.raises(AlreadyDecidedError, match="was faster"):
        take_back_vote(approval=approval, by=first)


def test_starter_of_a_run_is_none_of_the_two() -> None:
    starter = make_user()
    approval = park(RETURN, by=starter)
    ToolApproval.objects.update(num_needed=2)
    with pytest.raises(ApprovalError, match="You started this run"):
        approve_call(approval=approval, by=starter)
    reject_call(approval=approval, by=starter, message="I was wrong to start it.")


def test_edit_by_the_second_person_needs_another() -> None:
    approval, first, second = money(), make_user(), make_user()
    approve_call(approval=approval, by=first)
    edited = RETURN[1] | {"payment_method_id": "card_2"}
    row = edit_call(approval=approval, by=second, arguments=edited)
    assert (row.status, row.decided_arguments) == (Status.WAITING, edited)
    done = approve_call(approval=approval, by=first, seen=content_hash(edited))
    assert (done.status, done.decided_arguments) == (Status.EDITED, edited)


def test_edit_to_more_money_needs_more_people() -> None:
    approval = money(two_people_from=100)
    ApprovalRules.objects.create(project=approval.run.project, two_people_from_usd=40)
    edited = RETURN[1] | {"payment_method_id": "card_2"}
    row = edit_call(approval=approval, by=make_user(), arguments=edited)
    assert (row.status, row.num_needed) == (Status.WAITING, 2)


def test_nobody_agrees_to_what_they_did_not_read() -> None:
    approval = money()
    seen = content_hash(approval.arguments)
    edit_call(
        approval=approval, by=make_user(), arguments=RETURN[1] | {"payment_method_id": "card_2"}
    )
    with pytest.raises(AlreadyDecidedError, match="read it again"):
        approve_call(approval=approval, by=make_user(), seen=seen)


def _grant(approval: ToolApproval, by: User, status: str = "approved") -> None:
    """Decide behind the domain's back."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE agents_toolapproval SET status = %s, decided_by_id = %s, decided_at = now(),"
            " decided_arguments = arguments WHERE id = %s",
            [status, by.pk, approval.pk],
        )


def test_database_refuses_a_grant_without_its_votes() -> None:
    approval, person = money(), make_user()
    approve_call(approval=approval, by=person)
    with pytest.raises(IntegrityError, match="needs 2 people, 1 agreed"):
        _grant(approval, person)


def test_database_counts_only_votes_for_what_runs() -> None:
    approval, person = money(), make_user()
    approve_call(approval=approval, by=person)
    ApprovalVote.objects.create(approval=approval, by=make_user(), arguments_hash="other")
    with pytest.raises(IntegrityError, match="1 agreed"):
        _grant(approval, person)


def test_database_refuses_a_grant_of_other_arguments_than_were_agreed() -> None:
    approval, people = money(), [make_user(), make_user()]
    for person in people:
        ApprovalVote.objects.create(approval=approval, by=person, arguments_hash="other")
    with pytest.raises(IntegrityError, match="agreed to what would run"):
        _grant(approval, people[0])


def test_database_refuses_a_vote_of_the_starter() -> None:
    starter = make_user()
    approval = park(RETURN, by=starter)
    with pytest.raises(IntegrityError, match="started the run"):
        ApprovalVote.objects.create(approval=approval, by=starter, arguments_hash="x")


def test_database_refuses_a_vote_after_the_decision() -> None:
    approval = reject_call(approval=money(), by=make_user(), message="No.")
    with pytest.raises(IntegrityError, match="nobody votes on it any more"):
        ApprovalVote.objects.create(approval=approval, by=make_user(), arguments_hash="x")


def test_approval_is_void_once_the_contract_is_another() -> None:
    approval = park()
    ToolApproval.objects.update(contract_hash="another")
    approve_call(approval=approval, by=make_user(), hold=NOT_HELD)
    told = finish(approval)[0]
    assert "the approval is void" in told
    assert "contract" in told
    assert not ShopWrite.objects.exists()


def test_expired_call_of_two_people_is_expired_with_one_vote() -> None:
    approval = money()
    approve_call(approval=approval, by=make_user())
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE agents_toolapproval SET expires_at = clock_timestamp() - interval '1 s'"
        )
    assert expire_approvals() == 1
    assert "nobody decided in time" in finish(approval)[0]


def test_rules_are_set_with_a_reason_and_hold_for_later_calls() -> None:
    approval, by = park(RETURN), make_user()
    project = approval.run.project
    with pytest.raises(ApprovalError, match="needs a reason"):
        set_rules(project=project, two_people_from_usd=1, canaries_per_week=0, reason="", by=by)
    set_rules(project=project, two_people_from_usd=1, canaries_per_week=0, reason="A trial.", by=by)
    approval.refresh_from_db()
    assert approval.num_needed == 1
    assert rules_of(project.pk).canaries_per_week == 0


@pytest.mark.django_db(transaction=True)
def test_of_two_second_people_at_once_one_is_second() -> None:
    approval = money()
    approve_call(approval=approval, by=make_user())
    people = [make_user(), make_user()]
    outcomes: list[str] = []

    def decide(number: int) -> None:
        try:
            outcomes.append(approve_call(approval=approval, by=people[number]).status)
        except AlreadyDecidedError:
            outcomes.append("late")
        connection.close()

    _at_once(decide)
    assert sorted(outcomes) == ["approved", "late"]
    assert ApprovalVote.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_take_back_and_the_worker_at_once_have_one_outcome() -> None:
    by = make_user()
    approval = approve_call(approval=park(), by=by, hold=SHORT)
    taken: list[bool] = []
    stop = threading.Event()

    def work(number: int) -> None:
        if number == 0:
            while not stop.is_set():
                finish(approval, "Done.")
        else:
            stop.wait(SHORT.total_seconds() - 0.02)
            try:
                take_back(approval=approval, by=by)
                taken.append(True)
            except AlreadyDecidedError:
                taken.append(False)
            stop.wait(0.3)
            stop.set()
        connection.close()

    _at_once(work)
    approval.refresh_from_db()
    assert (approval.status == Status.WAITING) == taken[0]
    assert ShopWrite.objects.filter(kind="order").count() == (0 if taken[0] else 1)


def _at_once(work: Any) -> None:
    threads = [threading.Thread(target=work, args=[number]) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def park_handover(level: Level) -> Run:
    """Start a run whose only call hands over to a person."""
    call = ("transfer_to_human_agents", {"summary": "A refund is wanted."})
    with model_server([call], "Can I help otherwise?") as server:
        agent, version = make_shop_agent(server.base_url, transfer_to_human_agents=level)
        run = start_run(agent=agent, version=version, run_input=INPUT)
        advance(run.pk)
    return run


@pytest.mark.parametrize("decide", [reject_call, respond_call])
def test_handover_that_was_not_made_is_none(decide: Any) -> None:
    run = park_handover(Level.APPROVE)
    approval = run.approvals.get()
    decide(approval=approval, by=make_user(), message="Ask for the order.", hold=NOT_HELD)
    finish(approval)
    run.session.refresh_from_db()
    assert run.session.status == Session.Status.COMPLETED


def test_handover_that_was_only_suggested_is_none_and_one_approved_is() -> None:
    suggested = park_handover(Level.SUGGEST)
    suggested.session.refresh_from_db()
    assert suggested.session.status == Session.Status.COMPLETED
    approval = park_handover(Level.APPROVE).approvals.get()
    approve_call(approval=approval, by=make_user(), hold=NOT_HELD)
    finish(approval)
    approval.run.session.refresh_from_db()
    assert approval.run.session.status == Session.Status.HANDED_OVER


def test_call_that_a_person_answered_is_no_evidence_of_acting() -> None:
    approval = park()
    respond_call(approval=approval, by=make_user(), message="Ask again.", hold=NOT_HELD)
    finish(approval)
    assert not acted(approval.run.agent_id, approval.tool).exists()


def test_database_takes_back_neither_the_second_person_nor_a_planting() -> None:
    approval = money()
    with pytest.raises(IntegrityError, match="neither is taken back"), transaction.atomic():
        ToolApproval.objects.update(num_needed=1)
    ToolApproval.objects.update(is_canary=True, canary_why="Wrong card.")
    with pytest.raises(IntegrityError, match="neither is taken back"), transaction.atomic():
        ToolApproval.objects.update(is_canary=False)
    approval.refresh_from_db()
    approval.pk, approval.step, approval.is_canary = None, None, False
    approval.status, approval.decided_arguments = "approved", approval.arguments
    approval.decided_by, approval.decided_at = make_user(), database_now()
    with pytest.raises(IntegrityError), transaction.atomic():
        approval.save(force_insert=True)
