"""Runs: the journal, the claim, limits, retries, and what becomes of each tool call."""

import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection

from agents.config import Limits
from agents.errors import ClaimLostError, RunError
from agents.models import Level, Run, ShopWrite, Step, ToolApproval, WorkerHeartbeat
from agents.runtime.claim import (
    beat,
    claim_due_run,
    fenced,
    machine,
    take_back_from_dead_neighbours,
    take_back_lost_runs,
)
from agents.runtime.loop import advance, advance_claimed, advance_step
from agents.runtime.start import continue_run, request_cancel, start_run
from agents.tools.autonomy import database_now
from tests.factories import make_user
from tests.model_server import model_server
from tests.shop import CANCEL, LOOK, lift_for, make_shop_agent, make_shop_version
from traces.models import Session, Span

pytestmark = pytest.mark.django_db


def ask(content: str = "Cancel #T1 please", *turns: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}], "turns": list(turns)}


def test_run_calls_tools_and_answers() -> None:
    with model_server([LOOK], "It is pending.") as server:
        agent, version = make_shop_agent(server.base_url)
        run = start_run(agent=agent, version=version, run_input=ask("Where is #T1?"))
        assert advance(run.pk)
    run.refresh_from_db()
    assert run.status == Run.Status.COMPLETED
    assert [step.kind for step in run.steps.order_by("index")] == ["model", "tool", "model"]
    told = server.requests[1]["messages"]
    assert [message["role"] for message in told] == ["system", "user", "assistant", "tool"]
    assert '"status":"pending"' in told[3]["content"]


def test_session_has_the_run_as_spans_and_totals() -> None:
    with model_server([LOOK], "It is pending.") as server:
        agent, version = make_shop_agent(server.base_url)
        run = start_run(agent=agent, version=version, run_input=ask("Where is #T1?"))
        advance(run.pk)
    session = run.session
    session.refresh_from_db()
    assert (session.status, session.title) == (Session.Status.COMPLETED, "Where is #T1?")
    assert (session.num_spans, session.num_steps, session.num_errors) == (5, 3, 0)
    assert (session.input_tokens, session.output_tokens) == (200, 20)
    assert session.cost_usd is None, "the price of test-model is unknown, not zero"
    assert session.tools == ["get_order_details"]
    kinds = Span.objects.filter(session=session).order_by("start_ns").values_list("kind", flat=True)
    assert list(kinds) == ["agent", "customer", "model", "tool", "model"]


def test_turns_are_told_after_each_answer() -> None:
    with model_server("Which order?", "Thanks.") as server:
        agent, version = make_shop_agent(server.base_url)
        run = start_run(agent=agent, version=version, run_input=ask("Hello", "#T1"))
        advance(run.pk)
    assert [m["content"] for m in server.requests[1]["messages"][1:]] == [
        "Hello",
        "Which order?",
        "#T1",
    ]


def test_completed_run_can_be_continued() -> None:
    with model_server("Which order?", "Thanks.") as server:
        agent, version = make_shop_agent(server.base_url)
        run = start_run(agent=agent, version=version, run_input=ask("Hello"))
        advance(run.pk)
        continue_run(run=run, content="#T1")
        advance(run.pk)
    run.refresh_from_db()
    assert run.status == Run.Status.COMPLETED
    assert len(server.requests) == 2


def test_irreversible_tool_is_capped_at_approve_without_a_lift() -> None:
    with model_server([CANCEL], "Done.") as server:
        agent, version = make_shop_agent(server.base_url)
        run = start_run(agent=agent, version=version, run_input=ask())
        advance(run.pk)
    run.refresh_from_db()
    assert run.status == Run.Status.WAITING
    assert run.approvals.get().why == "tier write that cannot be undone"
    assert not ShopWrite.objects.exists()


def test_lifted_tool_acts_alone_until_the_lift_ends() -> None:
    with model_server([CANCEL], "Done.", [CANCEL], "Done.") as server:
        agent, version = make_shop_agent(server.base_url)
        lift = lift_for(agent)
        run = start_run(agent=agent, version=version, run_input=ask())
        advance(run.pk)
        run.refresh_from_db()
        assert run.status == Run.Status.COMPLETED
        assert ShopWrite.objects.filter(run=run, kind="order").count() == 1
        type(lift).objects.filter(pk=lift.pk).update(
            created_at=lift.created_at - timedelta(days=3),
            expires_at=lift.created_at - timedelta(days=1),
        )
        later = start_run(agent=agent, version=version, run_input=ask())
        advance(later.pk)
    later.refresh_from_db()
    assert later.status == Run.Status.WAITING


def test_each_run_has_its_own_copy_of_the_shop() -> None:
    with model_server([CANCEL], "Done.", [LOOK], "Still pending.") as server:
        agent, version = make_shop_agent(server.base_url)
        lift_for(agent)
        advance(start_run(agent=agent, version=version, run_input=ask()).pk)
        other = start_run(agent=agent, version=version, run_input=ask("Where is #T1?"))
        advance(other.pk)
    assert other.steps.get(kind="tool").response["result"]["status"] == "pending"


def test_tool_that_is_off_is_neither_offered_nor_done() -> None:
    with model_server([LOOK], "I cannot look.") as server:
        agent, version = make_shop_agent(server.base_url, get_order_details=Level.OFF)
        run = start_run(agent=agent, version=version, run_input=ask())
        advance(run.pk)
    offered = [tool["function"]["name"] for tool in server.requests[0]["tools"]]
    assert offered == ["cancel_pending_order"]
    step = run.steps.get(kind="tool")
    assert step.response == {"error": "the tool get_order_details may not be used: it is off"}
    span = Span.objects.get(session=run.session, kind="tool")
    assert (span.status, span.attributes["is_policy_violation"]) == ("error", True)


def test_suggested_call_is_not_executed_and_the_model_is_told() -> None:
    with model_server([CANCEL], "I proposed it.") as server:
        agent, version = make_shop_agent(server.base_url, cancel_pending_order=Level.SUGGEST)
        run = start_run(agent=agent, version=version, run_input=ask())
        advance(run.pk)
    run.refresh_from_db()
    assert run.status == Run.Status.COMPLETED
    assert run.approvals.get().kind == ToolApproval.Kind.SUGGESTION
    assert server.requests[1]["messages"][-1]["content"].startswith("Not executed")
    assert not ShopWrite.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("{not json", "the arguments are not a JSON object: {not json"),
        ({"order_id": 7}, "order_id is 7, integer, not string"),
        ({"order_id": "#T1", "x": 1}, "the call has unknown x; allowed: order_id"),
    ],
)
def test_invalid_arguments_go_back_to_the_model(arguments: Any, problem: str) -> None:
    with model_server([("get_order_details", arguments)], "Sorry.") as server:
        agent, version = make_shop_agent(server.base_url)
        run = start_run(agent=agent, version=version, run_input=ask())
        advance(run.pk)
    assert problem in server.requests[1]["messages"][-1]["content"]
    assert run.steps.get(kind="tool").status == Step.Status.FAILED


def test_tool_error_leaves_nothing_behind_and_is_told() -> None:
    bad = ("cancel_pending_order", {"order_id": "#T9", "reason": "no longer needed"})
    with model_server([bad], "There is no such order.") as server:
        agent, version = make_shop_agent(server.base_url)
        lift_for(agent)
        run = start_run(agent=agent, version=version, run_input=ask())
        advance(run.pk)
    assert server.requests[1]["messages"][-1]["content"] == "Error: Order not found"
    assert not ShopWrite.objects.exists()


def test_endpoint_that_is_away_is_tried_again_later() -> None:
    with model_server((503, "busy"), "Hello.") as server:
        agent, version = make_shop_agent(server.base_url)
        run = start_run(agent=agent, version=version, run_input=ask())
        advance(run.pk)
        run.refresh_from_db()
        assert (run.status, run.num_retries) == (Run.Status.QUEUED, 1)
        Run.objects.filter(pk=run.pk).update(next_at=run.created_at)
        advance(run.pk)
    run.refresh_from_db()
    assert (run.status, run.num_retries) == (Run.Status.COMPLETED, 0)
    failed = Span.objects.get(session=run.session, status="error")
    assert (failed.attributes["attempt"], failed.attributes["will_retry"]) == (1, True)


def test_endpoint_that_stays_away_fails_the_run_as_the_models_fault() -> None:
    with model_server((500, "down")) as server:
        agent, version = make_shop_agent(server.base_url)
        run = start_run(agent=agent, version=version, run_input=ask())
        for _ in range(6):
            Run.objects.filter(pk=run.pk, status="queued").update(next_at=run.created_at)
            advance(run.pk)
    run.refresh_from_db()
    assert (run.status, run.failure) == (Run.Status.FAILED, Run.Failure.MODEL)
    assert "500" in run.error
    assert len(server.requests) == 6


def test_refused_call_fails_at_once() -> None:
    with model_server((400, "no such model")) as server:
        agent, version = make_shop_agent(server.base_url)
        run = start_run(agent=agent, version=version, run_input=ask())
        advance(run.pk)
    run.refresh_from_db()
    assert (run.status, run.failure) == (Run.Status.FAILED, Run.Failure.MODEL)
    assert len(server.requests) == 1


def test_run_over_its_steps_ends_and_says_so() -> None:
    with model_server([LOOK]) as server:
        agent, _ = make_shop_agent(server.base_url)
        version = make_shop_version(agent, limits=Limits(max_steps=4))
        run = start_run(agent=agent, version=version, run_input=ask())
        advance(run.pk)
    run.refresh_from_db()
    assert (run.failure, run.error) == (Run.Failure.LIMIT, "over its limit of 4 steps")
    assert run.steps.count() == 4


def test_queued_run_is_cancelled_before_anything_is_done() -> None:
    with model_server("Hello.") as server:
        agent, version = make_shop_agent(server.base_url)
        run = start_run(agent=agent, version=version, run_input=ask())
        request_cancel(run=run, by=make_user(name="Jo"))
        advance(run.pk)
    run.refresh_from_db()
    assert (run.status, run.error) == (Run.Status.CANCELLED, "cancelled by Jo")
    assert not server.requests


def test_cancelling_a_parked_run_voids_its_approval() -> None:
    with model_server([CANCEL]) as server:
        agent, version = make_shop_agent(server.base_url)
        run = start_run(agent=agent, version=version, run_input=ask())
        advance(run.pk)
        request_cancel(run=run, by=make_user())
        advance(run.pk)
    assert run.approvals.get().status == ToolApproval.Status.VOID
    run.refresh_from_db()
    assert run.status == Run.Status.CANCELLED
    assert not ShopWrite.objects.exists()


def test_claim_is_given_once() -> None:
    agent, version = make_shop_agent()
    run = start_run(agent=agent, version=version, run_input=ask())
    assert claim_due_run(run.pk) is not None
    assert claim_due_run(run.pk) is None


def test_worker_that_was_overtaken_writes_nothing() -> None:
    agent, version = make_shop_agent()
    run = start_run(agent=agent, version=version, run_input=ask())
    old = claim_due_run(run.pk)
    assert old
    _end_lease(run)
    assert take_back_lost_runs() == 1
    assert claim_due_run(run.pk)
    with pytest.raises(ClaimLostError), fenced(old):
        pytest.fail("the old token opened the run")


def test_lost_run_goes_on_where_its_journal_ends() -> None:
    with model_server([CANCEL], "Done.") as server:
        agent, version = make_shop_agent(server.base_url)
        lift_for(agent)
        run = start_run(agent=agent, version=version, run_input=ask())
        _advance_and_crash_before_step(run, 2)
        assert ShopWrite.objects.filter(kind="order").count() == 1
        advance(run.pk)
    run.refresh_from_db()
    assert (run.status, run.num_recoveries) == (Run.Status.COMPLETED, 1)
    assert ShopWrite.objects.filter(kind="order").count() == 1


@pytest.mark.django_db(transaction=True)
def test_run_whose_connection_broke_goes_on_and_is_not_called_a_defect() -> None:
    with model_server([CANCEL], [CANCEL], "Done.") as server:
        agent, version = make_shop_agent(server.base_url)
        lift_for(agent)
        run = start_run(agent=agent, version=version, run_input=ask())
        claim = claim_due_run(run.pk)
        assert claim
        with connection.execute_wrapper(_break_at_first_tool_step):
            advance_claimed(claim)
        connection.close()
        run.refresh_from_db()
        assert (run.status, run.error) == (Run.Status.RUNNING, "")
        _end_lease(run)
        beat()
        assert take_back_lost_runs() == 1
        advance(run.pk)
    run.refresh_from_db()
    assert run.status == Run.Status.COMPLETED
    assert ShopWrite.objects.filter(run=run, kind="order").count() == 1


@pytest.mark.django_db(transaction=True)
def test_beat_waits_for_no_run_that_is_being_ended() -> None:
    agent, version = make_shop_agent()
    locked, other = (start_run(agent=agent, version=version, run_input=ask()) for _ in range(2))
    for run in (locked, other):
        claim_due_run(run.pk)
    before = dict(Run.objects.values_list("pk", "lease_until"))
    with psycopg.connect(**connection.get_connection_params()) as ending:
        ending.execute("SELECT id FROM agents_run WHERE id = %s FOR UPDATE", [locked.pk])
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
        beat()
    after = dict(Run.objects.values_list("pk", "lease_until"))
    assert after[locked.pk] == before[locked.pk]
    assert after[other.pk] > before[other.pk]


def test_run_of_a_dead_neighbour_is_taken_back_at_once() -> None:
    agent, version = make_shop_agent()
    run = start_run(agent=agent, version=version, run_input=ask())
    claim_due_run(run.pk)
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True
    )
    Run.objects.filter(pk=run.pk).update(claimed_by="gone")
    now = database_now()
    values = {"hostname": machine(), "started_at": now, "seen_at": now}
    WorkerHeartbeat.objects.create(worker="gone", process=int(gone.stdout), **values)
    WorkerHeartbeat.objects.create(worker="here", process=os.getpid(), **values)
    assert take_back_from_dead_neighbours() == 1
    run.refresh_from_db()
    assert (run.status, run.num_recoveries) == (Run.Status.QUEUED, 1)
    assert list(WorkerHeartbeat.objects.values_list("worker", flat=True)) == ["here"]


def test_run_that_is_lost_too_often_is_given_up() -> None:
    agent, version = make_shop_agent()
    run = start_run(agent=agent, version=version, run_input=ask())
    Run.objects.filter(pk=run.pk).update(
        num_recoveries=6, num_lost_in_row=6, lost_since=run.created_at - timedelta(hours=1)
    )
    advance(run.pk)
    run.refresh_from_db()
    assert (run.status, run.failure) == (Run.Status.FAILED, Run.Failure.LOST)


def test_same_idempotency_key_starts_one_run() -> None:
    agent, version = make_shop_agent()
    first = start_run(agent=agent, version=version, run_input=ask(), idempotency_key="k1")
    again = start_run(agent=agent, version=version, run_input=ask(), idempotency_key="k1")
    assert first.pk == again.pk
    with pytest.raises(RunError, match="'k1' was used for another run"):
        start_run(agent=agent, version=version, run_input=ask("Other"), idempotency_key="k1")


@pytest.mark.parametrize(
    ("run_input", "message"),
    [
        ({}, "at least one message"),
        ({"messages": [{"role": "system", "content": "x"}]}, "role"),
        ({"messages": [{"role": "user", "content": " "}]}, "Message 1"),
        ({"messages": [{"role": "assistant", "content": "Hi"}]}, "customer's"),
        ({"messages": [{"role": "user", "content": "Hi"}], "turns": [1]}, "'turns'"),
    ],
)
def test_bad_input_is_refused_with_a_reason(run_input: dict[str, Any], message: str) -> None:
    agent, version = make_shop_agent()
    with pytest.raises(RunError, match=message):
        start_run(agent=agent, version=version, run_input=run_input)
    assert not Run.objects.exists()
    assert not Session.objects.exists()


def test_agent_without_live_version_needs_one_named() -> None:
    agent, _ = make_shop_agent()
    agent.live_version = None
    with pytest.raises(RunError, match="no live version"):
        start_run(agent=agent, run_input=ask())


def test_hostile_text_is_stored_and_told() -> None:
    with model_server("a\x00b \ud800 🎈 <script>") as server:
        agent, version = make_shop_agent(server.base_url)
        run = start_run(agent=agent, version=version, run_input=ask("x\x00y"))
        advance(run.pk)
    run.refresh_from_db()
    assert run.status == Run.Status.COMPLETED
    assert run.steps.get().response["content"] == "a�b � 🎈 <script>"


def _break_at_first_tool_step(
    execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    """End this connection right before a tool's step is written, as a crash of the server does."""
    if "INSERT INTO agents_step" in sql and params["step_kind"] == "tool":
        with psycopg.connect(**connection.get_connection_params()) as other:
            other.execute(
                "SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid]
            )
    return execute(sql, params, many, context)


def _end_lease(run: Run) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE agents_run SET lease_until = clock_timestamp() - interval '1 s' WHERE id = %s",
            [run.pk],
        )


def _advance_and_crash_before_step(run: Run, index: int) -> None:
    """Advance as a worker does until `index` would be written, then lose the worker."""
    claim = claim_due_run(run.pk)
    assert claim
    while run.steps.count() < index:
        advance_step(claim)
    _end_lease(run)
    take_back_lost_runs()
