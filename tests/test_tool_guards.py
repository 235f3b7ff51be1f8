"""Breaker, concurrency and rate of a tool's calls, over all workers."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from agents.errors import AutonomyError
from agents.models import Agent, Message, Run, Tier, ToolGuard, ToolSlot, Webhook
from agents.runtime.start import start_run
from agents.tools.autonomy import database_now
from agents.tools.breaker import close_breaker, open_breaker
from agents.tools.contract import CallPolicy, ToolContract, ToolKind
from agents.tools.guards import (
    Admission,
    Outcome,
    admit,
    guard_of,
    lapse_slots,
    settle,
    tokens_now,
)
from tests.factories import make_user
from tests.shop import make_shop_agent

INPUT = {"messages": [{"role": "user", "content": "Pay"}], "turns": []}
NOW = datetime.fromisoformat("2026-05-01T10:00:00Z")


def a_tool(tier: Tier = Tier.MONEY, **policy: Any) -> ToolContract:
    return ToolContract(
        name="pay",
        version="1",
        description="Pay.",
        parameters={"type": "object"},
        tier=tier,
        kind=ToolKind.HTTP,
        policy=CallPolicy(**{"breaker_failures": 2, "breaker_seconds": 30, **policy}),
    )


def a_run() -> Run:
    agent = Agent.objects.filter(slug="shop").first()
    version = agent.versions.get() if agent else None
    if agent is None or version is None:
        agent, version = make_shop_agent()
    return start_run(agent=agent, version=version, run_input=INPUT)


def ask(
    run: Run, tool: ToolContract, key: str = "k", *, after: float = 0, is_repeat: bool = False
) -> Admission:
    now = NOW + timedelta(seconds=after)
    with transaction.atomic():
        return admit(run=run, contract=tool, effect_key=key, now=now, is_repeat=is_repeat)


def end(
    run: Run,
    tool: ToolContract,
    key: str = "k",
    outcome: Outcome = Outcome.OK,
    *,
    after: float = 0,
) -> None:
    now = NOW + timedelta(seconds=after)
    with transaction.atomic():
        settle(run=run, contract=tool, effect_key=key, outcome=outcome, error="504", now=now)


def fail(run: Run, tool: ToolContract, times: int, *, after: float = 0) -> None:
    for _ in range(times):
        end(run, tool, outcome=Outcome.UNAVAILABLE, after=after)


@pytest.mark.django_db
def test_tool_without_bounds_costs_one_query_and_takes_no_lock() -> None:
    run, tool = a_run(), a_tool()
    with CaptureQueriesContext(connection) as queries:
        assert admit(run=run, contract=tool, effect_key="k", now=NOW).is_admitted
        settle(run=run, contract=tool, effect_key="k", outcome=Outcome.OK, now=NOW)
    assert len(queries) == 2
    assert not any("FOR UPDATE" in query["sql"] for query in queries)
    assert not ToolGuard.objects.exists()


@pytest.mark.django_db
def test_failures_in_a_row_open_the_breaker_and_a_refusal_in_between_closes_the_row() -> None:
    run, tool = a_run(), a_tool()
    fail(run, tool, 1)
    end(run, tool, outcome=Outcome.REFUSED)
    fail(run, tool, 1)
    assert guard_of(run.project_id, "pay").breaker == "closed"
    fail(run, tool, 1)
    guard = guard_of(run.project_id, "pay")
    assert guard.breaker == "open"
    assert guard.probe_at == NOW + timedelta(seconds=30)
    assert guard.last_error == "504"


@pytest.mark.django_db
def test_open_breaker_lets_a_call_wait_for_a_near_probe() -> None:
    run, tool = a_run(), a_tool()
    fail(run, tool, 2)
    admission = ask(run, tool, after=10)
    assert not admission.is_admitted
    assert admission.wait_seconds is not None
    assert 20 <= admission.wait_seconds <= 22
    assert admission.attributes == {"breaker": "open"}


@pytest.mark.django_db
def test_open_breaker_refuses_in_words_where_the_probe_is_far() -> None:
    run, tool = a_run(), a_tool(breaker_seconds=600)
    fail(run, tool, 2)
    admission = ask(run, tool)
    assert admission.wait_seconds is None
    assert admission.refusal == (
        "the tool pay is out of order after 2 failures in a row; it is tried again in 600 s; "
        "do without it"
    )


@pytest.mark.django_db
def test_open_breaker_answers_with_the_fallback_of_the_contract() -> None:
    run, tool = a_run(), a_tool(fallback={"result": "unknown"})
    fail(run, tool, 2)
    admission = ask(run, tool)
    assert admission.fallback == {"result": "unknown"}
    assert admission.attributes == {"breaker": "open", "fallback": "tool"}


@pytest.mark.django_db
def test_call_that_may_have_reached_the_tool_only_waits_while_it_is_away() -> None:
    run, tool = a_run(), a_tool(breaker_seconds=600, fallback={"result": "unknown"})
    fail(run, tool, 2)
    admission = ask(run, tool, is_repeat=True)
    assert admission.fallback is None
    assert admission.wait_seconds is not None
    assert 600 <= admission.wait_seconds <= 602


@pytest.mark.django_db
def test_one_call_tries_whether_the_tool_is_back_and_closes_the_breaker() -> None:
    run, tool = a_run(), a_tool()
    fail(run, tool, 2)
    assert ask(run, tool, "probe", after=31).is_admitted
    assert not ask(run, tool, "other", after=31).is_admitted
    assert guard_of(run.project_id, "pay").breaker == "half_open"
    end(run, tool, "probe", after=32)
    guard = guard_of(run.project_id, "pay")
    assert (guard.breaker, guard.num_failures, guard.num_opened) == ("closed", 0, 0)
    assert not ToolSlot.objects.exists()


@pytest.mark.django_db
def test_each_failed_probe_doubles_the_wait_up_to_sixteen_times() -> None:
    run, tool = a_run(), a_tool()
    fail(run, tool, 2)
    after, waits = 0.0, []
    for _ in range(6):
        probe_at = guard_of(run.project_id, "pay").probe_at
        assert probe_at is not None
        waits.append((probe_at - NOW).total_seconds() - after)
        after = (probe_at - NOW).total_seconds()
        assert ask(run, tool, "probe", after=after).is_admitted
        end(run, tool, "probe", Outcome.UNAVAILABLE, after=after)
    assert waits == [30, 60, 120, 240, 480, 480]


@pytest.mark.django_db
def test_straggler_neither_closes_an_open_breaker_nor_makes_it_wait_longer() -> None:
    run, tool = a_run(), a_tool()
    fail(run, tool, 2)
    end(run, tool, "late")
    end(run, tool, "later", Outcome.UNAVAILABLE, after=20)
    guard = guard_of(run.project_id, "pay")
    assert guard.breaker == "open"
    assert guard.probe_at == NOW + timedelta(seconds=30)


@pytest.mark.django_db
def test_lost_probe_lapses_and_another_call_tries() -> None:
    run, tool = a_run(), a_tool(time_limit_seconds=5)
    fail(run, tool, 2)
    assert ask(run, tool, "lost", after=31).is_admitted
    assert not ask(run, tool, "next", after=45).is_admitted
    assert ask(run, tool, "next", after=52).is_admitted
    assert ToolSlot.objects.get().effect_key == "next"


@pytest.mark.django_db
def test_only_so_many_calls_at_once_and_the_same_call_again_takes_no_second_slot() -> None:
    run, tool = a_run(), a_tool(max_concurrent=2)
    assert ask(run, tool, "a").is_admitted
    assert ask(run, tool, "b").is_admitted
    assert ask(run, tool, "a", is_repeat=True).is_admitted
    assert not ask(run, tool, "c").is_admitted
    end(run, tool, "a")
    assert ask(run, tool, "c").is_admitted
    assert ToolSlot.objects.count() == 2


@pytest.mark.django_db
def test_slot_of_a_lost_worker_lapses() -> None:
    run, tool = a_run(), a_tool(max_concurrent=1, time_limit_seconds=1)
    assert ask(run, tool, "a").is_admitted
    assert not ask(run, tool, "b", after=15).is_admitted
    assert ask(run, tool, "b", after=17).is_admitted


@pytest.mark.django_db
def test_sweeper_deletes_slots_that_lapsed() -> None:
    run, tool = a_run(), a_tool(max_concurrent=5)
    ask(run, tool, "old")
    with transaction.atomic():
        admit(run=run, contract=tool, effect_key="new", now=database_now() + timedelta(hours=1))
    ToolSlot.objects.filter(effect_key="new").update(until=database_now() + timedelta(hours=1))
    ToolSlot.objects.get_or_create(
        effect_key="lost",
        defaults={"project": run.project, "tool": "pay", "run": run, "until": NOW},
    )
    assert lapse_slots() == 1
    assert ToolSlot.objects.get().effect_key == "new"


@pytest.mark.django_db
def test_calls_per_minute_are_a_bucket_that_fills_by_the_clock() -> None:
    run, tool = a_run(), a_tool(rate_per_minute=3)
    assert [ask(run, tool, f"k{n}").is_admitted for n in range(4)] == [True, True, True, False]
    admission = ask(run, tool, after=5)
    assert admission.wait_seconds is not None
    # A third of a minute makes one token; 5 of its 20 seconds have passed.
    assert admission.wait_seconds >= 15
    assert ask(run, tool, after=20).is_admitted
    guard = guard_of(run.project_id, "pay")
    assert tokens_now(guard, 3, NOW + timedelta(minutes=9)) == 3


def ask_at_once(run: Run, tool: ToolContract, number: int, *, after: float = 0) -> int:
    """Ask for so many calls from as many connections; return how many are admitted."""
    barrier = threading.Barrier(number)

    def one(place: int) -> bool:
        try:
            barrier.wait()
            return ask(run, tool, f"call-{place}", after=after).is_admitted
        finally:
            connection.close()

    with ThreadPoolExecutor(number) as pool:
        return sum(pool.map(one, range(number)))


@pytest.mark.django_db(transaction=True)
def test_limits_hold_however_many_ask_at_the_same_moment() -> None:
    run = a_run()
    assert ask_at_once(run, a_tool(max_concurrent=3), 8) == 3
    ToolSlot.objects.all().delete()
    assert ask_at_once(run, a_tool(rate_per_minute=4), 8) == 4


@pytest.mark.django_db(transaction=True)
def test_of_all_that_ask_at_the_same_moment_one_probes() -> None:
    run, tool = a_run(), a_tool()
    fail(run, tool, 2)
    assert ask_at_once(run, tool, 8, after=31) == 1
    assert ToolSlot.objects.get().is_probe


@pytest.mark.django_db
def test_person_holds_a_breaker_open_until_a_person_closes_it() -> None:
    run, tool = a_run(), a_tool()
    lead = make_user("lead", run.project)
    open_breaker(project=run.project, tool="pay", reason="Double charges.", by=lead)
    admission = ask(run, tool, after=9_000)
    assert admission.refusal == "the tool pay was switched off by a person; do without it"
    close_breaker(project=run.project, tool="pay", reason="Repaired.", by=lead)
    assert ask(run, tool, after=9_000).is_admitted


@pytest.mark.django_db
def test_probe_under_way_does_not_close_what_a_person_opened_meanwhile() -> None:
    run, tool = a_run(), a_tool()
    fail(run, tool, 2)
    assert ask(run, tool, "probe", after=31).is_admitted
    lead = make_user("lead", run.project)
    open_breaker(project=run.project, tool="pay", reason="Double charges.", by=lead)
    end(run, tool, "probe", after=32)
    assert guard_of(run.project_id, "pay").breaker == "open"


@pytest.mark.django_db
def test_breaker_is_not_moved_by_hand_without_reason_or_twice() -> None:
    run = a_run()
    lead = make_user("lead", run.project)
    with pytest.raises(AutonomyError, match="at least 3 characters; this has 1"):
        open_breaker(project=run.project, tool="pay", reason="x", by=lead)
    with pytest.raises(AutonomyError, match="closed already"):
        close_breaker(project=run.project, tool="pay", reason="Fine.", by=lead)


@pytest.mark.django_db
def test_who_wants_to_know_is_told_once_that_a_breaker_opened() -> None:
    run, tool = a_run(), a_tool()
    Webhook.objects.create(project=run.project, name="ops", url="https://ops.example.com/")
    fail(run, tool, 2)
    assert ask(run, tool, "probe", after=31).is_admitted
    end(run, tool, "probe", Outcome.UNAVAILABLE, after=32)
    message = Message.objects.get(event="breaker_opened")
    assert message.payload["title"] == ("The circuit breaker of pay opened: 2 failures in a row")


@pytest.mark.django_db
def test_every_move_of_a_breaker_is_kept_with_who_moved_it() -> None:
    run, tool = a_run(), a_tool()
    fail(run, tool, 2)
    lead = make_user("lead", run.project)
    open_breaker(project=run.project, tool="pay", reason="Double charges.", by=lead)
    close_breaker(project=run.project, tool="pay", reason="Repaired.", by=lead)
    events = ToolGuard.pgh_event_model.objects.order_by("pgh_id")
    assert list(events.values_list("breaker", flat=True)) == ["open", "open", "closed"]
    assert events.last().pgh_context.metadata["reason"] == "Repaired."
    assert events.last().pgh_context.metadata["user"] == lead.pk
