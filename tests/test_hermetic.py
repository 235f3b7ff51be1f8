"""Golden runs played in memory: written at once, stopped in time, and never written twice."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from agents.config import Limits
from agents.golden.runner import settle_finished, start_eval_run
from agents.models import Agent, KillSwitch, Run, ShopWrite, Spend, Step, Version
from agents.runtime import hermetic
from agents.runtime.claim import claim_due_run, take_back_lost_runs
from agents.runtime.loop import advance, advance_claimed, advance_step
from agents.runtime.many import NewRun, Opening, start_runs
from agents.runtime.start import request_cancel
from agents.runtime.sweeper import sweep
from agents.runtime.under_way import let_begin
from agents.tools.stops import lift, stop
from tests.factories import make_user
from tests.golden import make_test
from tests.model_server import model_server
from tests.shop import CANCEL, LOOK, ORDER, lift_for, make_shop_agent, make_shop_version
from tests.test_kill_worker import Replies, a_worker
from traces.models import Session, Span
from traces.refresh import drain

pytestmark = pytest.mark.django_db
OPENING = Opening(
    title="Where is it?",
    run_input={"messages": [{"role": "user", "content": "Where is #T1?"}], "turns": ["Thanks."]},
    fixtures=[{"tool": LOOK[0], "arguments": LOOK[1], "result": ORDER}],
    play={"on_missing": "fail"},
)
TALK = ([LOOK], "It is pending.", "You are welcome.")
_OWN = {"id", "run_id", "session_id", "span_id", "parent_id", "claim_token", "said_vector"}
_TIMES = {"start_ns", "duration_ns", "started_at", "finished_at", "ended_at", "created_at"}
_MORE = {"first_ns", "last_ns", "working_ns", "next_at", "external_id"}


def golden(agent: Agent, version: Version, opening: Opening = OPENING) -> Run:
    """Queue a golden run as an eval run does."""
    new = NewRun(version=version, opening=opening)
    return start_runs(agent=agent, runs=[new], kind=Run.Kind.GOLDEN, started_by=None)[0]


def again(run: Run) -> Run:
    advance(run.pk)
    run.refresh_from_db()
    return run


def asked(replies: tuple[Any, ...], then: Callable[[int], None]) -> Callable[[dict[str, Any]], Any]:
    """Call first, then answer each turn, after `then` with the request's number in its thread."""
    requests: list[Any] = []

    def reply_to(request: dict[str, Any]) -> Any:
        requests.append(request)
        try:
            then(len(requests))
        finally:
            connection.close()
        roles = [message["role"] for message in request["messages"]]
        return replies[roles.count("user") if "tool" in roles else 0]

    return reply_to


def without(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    left_out = _OWN | _TIMES | _MORE | {*names}
    return {name: value for name, value in row.items() if name not in left_out}


def recorded(run: Run) -> list[Any]:
    """Return journal, trace and session of a run, without what differs between any two."""
    drain()
    steps = [without(step) for step in run.steps.order_by("index").values()]
    spans = list(Span.objects.filter(session=run.session_id).order_by("start_ns").values())
    for span in spans:
        (span["attributes"] or {}).pop("effect_key", None)
    session = Session.objects.filter(pk=run.session_id).values(
        "status", "status_reason", "num_spans", "num_steps", "num_errors", "input_tokens", "said",
        "tools", "model_names", "title",
    )  # fmt: skip
    for step in steps:
        step.pop("effect_key")
    return [steps, [without(span) for span in spans], session[0]]


def test_play_leaves_the_journal_and_the_trace_that_its_steps_would() -> None:
    with model_server(*TALK) as server:
        agent, version = make_shop_agent(server.base_url)
        played, stepped = golden(agent, version), golden(agent, version)
        assert again(played).status == Run.Status.COMPLETED
    with model_server(*TALK) as server:
        Agent.objects.update(model_base_url=server.base_url)
        claim = claim_due_run(stepped.pk)
        assert claim
        while advance_step(claim):
            pass
    assert recorded(played) == recorded(stepped)
    assert [step.kind for step in played.steps.order_by("index")] == [
        "model", "tool", "model", "customer", "model",
    ]  # fmt: skip
    assert not ShopWrite.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_nothing_is_written_before_the_play_ends() -> None:
    found: list[int] = []
    talk = asked(TALK, lambda _: found.append(Step.objects.count()))
    with model_server(by_request=talk) as server:
        run = again(golden(*make_shop_agent(server.base_url)))
    assert (found, run.steps.count()) == ([0, 0, 0], 5)


def test_play_counts_what_it_used() -> None:
    with model_server(*TALK) as server:
        agent, version = make_shop_agent(server.base_url)
        again(golden(agent, version))
    spent = Spend.objects.get(agent=agent)
    assert (spent.runs, spent.steps, spent.tool_calls, spent.tokens) == (1, 4, 1, 330)
    assert spent.num_unpriced == 3


@pytest.mark.django_db(transaction=True)
def test_play_whose_claim_was_lost_writes_nothing_and_starts_over() -> None:
    def lose(number: int) -> None:
        if number == 2:
            Run.objects.update(lease_until=Run.objects.get().created_at - timedelta(hours=1))
            assert take_back_lost_runs() == 1

    with model_server(by_request=asked(TALK, lose)) as server:
        agent, version = make_shop_agent(server.base_url)
        run = again(golden(agent, version))
        assert (run.status, run.steps.count(), Spend.objects.count()) == ("queued", 0, 0)
        assert Span.objects.filter(session=run.session_id).count() == 2
        again(run)
    assert (run.status, run.num_recoveries, run.steps.count()) == ("completed", 1, 5)
    assert Span.objects.filter(session=run.session_id).count() == 7


@pytest.mark.django_db(transaction=True)
def test_cancel_ends_a_play_before_its_next_step() -> None:
    def cancel(number: int) -> None:
        time.sleep(0.6)
        request_cancel(run=Run.objects.get(), by=lead)

    with model_server(by_request=asked(TALK, cancel)) as server:
        agent, version = make_shop_agent(server.base_url)
        lead = make_user("lead", agent.project)
        run = again(golden(agent, version))
    assert (run.status, run.error) == ("cancelled", f"cancelled by {lead}")
    assert [(step.kind, step.status) for step in run.steps.all()] == [("model", "done")]


@pytest.mark.django_db(transaction=True)
def test_kill_switch_parks_a_play_before_its_next_step() -> None:
    def stop_all(number: int) -> None:
        if number == 1:
            time.sleep(0.6)
            stop(scope=KillSwitch.Scope.PROJECT, stops=KillSwitch.Stops.ALL,
                 project=agent.project, reason="Test.", by=lead)  # fmt: skip

    with model_server(by_request=asked(TALK, stop_all)) as server:
        agent, version = make_shop_agent(server.base_url)
        lead = make_user("lead", agent.project)
        run = again(golden(agent, version))
        assert (run.status, run.parked_for) == (Run.Status.WAITING, Run.Parked.STOP)
        assert len(server.requests) == 1
        lift(switch=KillSwitch.objects.get(), reason="Test.", by=lead)
        assert again(run).status == Run.Status.COMPLETED
    assert run.steps.count() == 5


def test_play_over_a_limit_of_its_version_ends_there() -> None:
    with model_server(*TALK) as server:
        agent, _ = make_shop_agent(server.base_url)
        version = make_shop_version(agent, limits=Limits(max_steps=2))
        run = again(golden(agent, version))
    assert (run.status, run.error) == ("over_budget", "over its limit of 2 steps")
    assert (run.steps.count(), Spend.objects.get(agent=agent).over_budget) == (2, 1)


def test_call_that_writes_is_made_by_the_journal() -> None:
    with model_server([LOOK], [CANCEL], [LOOK], "Cancelled.") as server:
        agent, version = make_shop_agent(server.base_url)
        lift_for(agent)
        run = again(golden(agent, version))
    calls = run.steps.filter(kind="tool").order_by("index")
    seen = [(step.name, (step.response or {})["result"]["status"]) for step in calls]
    assert seen == [(LOOK[0], "pending"), (CANCEL[0], "cancelled"), (LOOK[0], "cancelled")]
    assert ShopWrite.objects.filter(run=run, kind="order").count() == 1


def test_model_that_fails_once_is_asked_again_and_counted() -> None:
    with model_server([LOOK], (429, "slow down"), *TALK[1:]) as server:
        agent, version = make_shop_agent(server.base_url)
        run = again(golden(agent, version))
        assert (run.status, run.steps.count()) == (Run.Status.QUEUED, 3)
        Run.objects.update(next_at=run.created_at)
        assert again(run).status == Run.Status.COMPLETED
    assert Span.objects.filter(session=run.session_id, status="error").count() == 1
    assert Spend.objects.get(agent=agent).runs == 1


def test_play_that_lasts_goes_on_by_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hermetic, "MOST_SECONDS", 0.0)
    with model_server(*TALK) as server:
        run = again(golden(*make_shop_agent(server.base_url)))
    assert (run.status, run.steps.count()) == ("completed", 5)


def test_worker_that_ends_leaves_a_play_to_others() -> None:
    with model_server(*TALK) as server:
        run = golden(*make_shop_agent(server.base_url))
        claim = claim_due_run(run.pk)
        assert claim
        let_begin(False)
        try:
            advance_claimed(claim)
        finally:
            let_begin(True)
        run.refresh_from_db()
        assert (run.status, run.claimed_by, len(server.requests)) == ("queued", "", 0)
        assert again(run).status == Run.Status.COMPLETED


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_killed_workers_leave_one_result_of_each_repeat_and_no_step_twice() -> None:
    replies = Replies([[LOOK], [LOOK], "It is pending."])
    with model_server(delay_seconds=0.2, by_request=replies.reply_to) as server:
        agent, version = make_shop_agent(server.base_url)
        fixtures, one = OPENING.fixtures, {**OPENING.run_input, "turns": []}
        checks = [{"kind": "tool_called", "tool": LOOK[0], "arguments": {}}]
        for _ in range(20):
            make_test(agent, input=one, fixtures=fixtures, checks=checks)
        eval_run = start_eval_run(version=version, num_repeats=2, by=None)
        for _ in range(2):
            with a_worker() as worker:
                wait_for(lambda: Run.objects.filter(status="running").exists(), 30)
                time.sleep(0.3)
                os.kill(worker.pid, signal.SIGKILL)
            take_back_lost_runs()
        with a_worker():
            wait_for(lambda: not Run.objects.filter(status__in=Run.OPEN).exists(), 60)
    settle_finished()
    assert set(eval_run.results.values_list("status", flat=True)) == {"passed"}
    assert eval_run.results.count() == Run.objects.count() == 40
    for run in Run.objects.all():
        assert list(run.steps.order_by("index").values_list("index", flat=True)) == [*range(5)]
        assert Span.objects.filter(session=run.session_id).count() == 7
    assert Run.objects.filter(num_recoveries__gt=0).exists(), "no run was ever lost"


def wait_for(is_so: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not is_so() and time.monotonic() < deadline:
        sweep()
        time.sleep(0.05)
