"""Kill switches: what they stop, since when, and what goes on when they are lifted."""

import threading
import time

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction

from agents.errors import StopError
from agents.models import KillSwitch, Message, Run, ShopWrite
from agents.runtime.claim import claim_due_run
from agents.runtime.loop import advance, advance_step
from agents.runtime.start import start_run
from agents.tools import standing
from agents.tools.autonomy import database_now, level_for_effect
from agents.tools.registry import contract_for
from agents.tools.standing import hold_authority
from agents.tools.stops import (
    lift,
    num_parked,
    stop,
    stop_for,
    stops_on,
    wake_unstopped,
)
from tests.factories import make_project, make_user
from tests.model_server import model_server
from tests.shop import CANCEL, LOOK, lift_for, make_shop_agent

SCOPE, STOPS = KillSwitch.Scope, KillSwitch.Stops
INPUT = {"messages": [{"role": "user", "content": "Cancel #T1"}], "turns": []}
WRITE, READ = contract_for("cancel_pending_order"), contract_for("get_order_details")
pytestmark = pytest.mark.django_db


def make_run() -> Run:
    agent, version = make_shop_agent()
    return start_run(agent=agent, version=version, run_input=INPUT)


@pytest.mark.parametrize("scope", list(SCOPE))
def test_every_scope_stops_the_writes_that_it_covers(scope: KillSwitch.Scope) -> None:
    run, other = make_run(), make_run()
    tool = WRITE.name if scope is SCOPE.TOOL else ""
    switch = stop(scope=scope, agent=run.agent, tool=tool, reason="Stop it.", by=make_user())
    assert stop_for(run, WRITE) == switch
    assert (stop_for(other, WRITE) is None) == (scope is not SCOPE.EVERYTHING)
    assert stop_for(run, READ) is None
    assert stop_for(run, None) is None


@pytest.mark.parametrize("scope", [SCOPE.AGENT, SCOPE.PROJECT, SCOPE.EVERYTHING])
def test_stop_of_all_stops_reads_and_models_too(scope: KillSwitch.Scope) -> None:
    run = make_run()
    switch = stop(scope=scope, stops=STOPS.ALL, agent=run.agent, reason="Stop it.", by=make_user())
    assert stop_for(run, READ) == stop_for(run, None) == switch


def test_stop_of_a_tool_can_be_of_one_agent_or_all() -> None:
    run = make_run()
    user, project = make_user(), run.project
    stop(scope=SCOPE.TOOL, project=project, tool=READ.name, stops=STOPS.ALL, reason="Bad.", by=user)
    assert stop_for(run, READ)
    assert stop_for(run, WRITE) is None
    stop(scope=SCOPE.TOOL, agent=run.agent, tool=WRITE.name, reason="Bad.", by=user)
    assert stop_for(run, WRITE)


def test_widest_stop_is_named_first() -> None:
    run, user = make_run(), make_user()
    for scope in (SCOPE.AGENT, SCOPE.EVERYTHING, SCOPE.PROJECT):
        stop(scope=scope, agent=run.agent, reason="Stop it.", by=user)
    found = stop_for(run, WRITE)
    assert found
    assert found.scope == SCOPE.EVERYTHING
    assert [each.scope for each in stops_on(run.project_id)] == ["everything", "project", "agent"]


def test_stop_needs_a_reason_a_target_and_is_on_once() -> None:
    run, user = make_run(), make_user()
    with pytest.raises(StopError, match="3 to 500 characters; this one has 1"):
        stop(scope=SCOPE.AGENT, agent=run.agent, reason="x", by=user)
    with pytest.raises(StopError, match="takes an agent"):
        stop(scope=SCOPE.AGENT, project=run.project, reason="Stop it.", by=user)
    with pytest.raises(StopError, match=f"an agent of {make_project().name[:7]}"):
        stop(scope=SCOPE.AGENT, project=make_project(), agent=run.agent, reason="Why", by=user)
    stop(scope=SCOPE.AGENT, agent=run.agent, reason="Stop it.", by=user)
    with pytest.raises(StopError, match="shop is stopped already"):
        stop(scope=SCOPE.AGENT, agent=run.agent, reason="Again.", by=user)
    wider = stop(scope=SCOPE.AGENT, stops=STOPS.ALL, agent=run.agent, reason="More.", by=user)
    assert KillSwitch.objects.get() == wider


def test_database_refuses_a_second_stop_and_a_lift_without_reason() -> None:
    run, user = make_run(), make_user()
    switch = stop(scope=SCOPE.AGENT, agent=run.agent, reason="Stop it.", by=user)
    with pytest.raises(IntegrityError, match="kill_switch_on_once"), transaction.atomic():
        KillSwitch.objects.create(
            scope="agent", project=run.project, agent=run.agent, reason="Twice.", stopped_by=user
        )
    with pytest.raises(IntegrityError, match="lift_has_who_when_why"), transaction.atomic():
        KillSwitch.objects.filter(pk=switch.pk).update(lifted_at=database_now(), lifted_by=user)


def test_run_in_flight_stops_before_its_next_effect_and_goes_on_after_the_lift() -> None:
    with model_server([LOOK, CANCEL], "Done.") as server:
        agent, version = make_shop_agent(server.base_url)
        lift_for(agent)
        run = start_run(agent=agent, version=version, run_input=INPUT)
        claim = claim_due_run(run.pk)
        assert claim
        advance_step(claim)
        switch = stop(scope=SCOPE.AGENT, agent=agent, reason="Stop it.", by=make_user())
        while advance_step(claim):
            pass
        run.refresh_from_db()
        assert (run.status, run.parked_for) == (Run.Status.WAITING, Run.Parked.STOP)
        assert num_parked(switch) == 1
        assert not ShopWrite.objects.exists()
        lift(switch=switch, reason="It was right.", by=make_user())
        advance(run.pk)
    run.refresh_from_db()
    assert run.status == Run.Status.COMPLETED
    assert ShopWrite.objects.filter(kind="order").count() == 1


def parked_run() -> Run:
    run = make_run()
    run.status, run.parked_for, run.next_at = Run.Status.WAITING, Run.Parked.STOP, None
    run.save()
    return run


def test_lift_wakes_only_what_no_other_stop_holds() -> None:
    run, user = parked_run(), make_user()
    agent_stop = stop(scope=SCOPE.AGENT, agent=run.agent, reason="Stop.", by=user)
    all_stop = stop(scope=SCOPE.EVERYTHING, stops=STOPS.ALL, reason="Stop.", by=user)
    lift(switch=agent_stop, reason="Again.", by=user)
    run.refresh_from_db()
    assert run.status == Run.Status.WAITING
    lift(switch=all_stop, reason="Again.", by=user)
    run.refresh_from_db()
    assert (run.status, run.parked_for) == (Run.Status.QUEUED, "")


def test_a_stop_is_lifted_once() -> None:
    run, user = make_run(), make_user(name="Ada")
    switch = stop(scope=SCOPE.AGENT, agent=run.agent, reason="Stop.", by=user)
    lift(switch=switch, reason="Enough.", by=user)
    with pytest.raises(StopError, match="was lifted by Ada"):
        lift(switch=switch, reason="Enough.", by=user)
    assert stops_on(run.project_id) == []


def test_sweeper_wakes_what_a_lift_has_missed() -> None:
    run = parked_run()
    assert wake_unstopped() == 1
    run.refresh_from_db()
    assert run.status == Run.Status.QUEUED
    held = parked_run()
    stop(scope=SCOPE.AGENT, agent=held.agent, reason="Stop.", by=make_user())
    assert wake_unstopped() == 0


def test_stop_and_lift_stand_in_the_audit_trail_with_who_and_why() -> None:
    run, user = make_run(), make_user()
    switch = stop(scope=SCOPE.AGENT, agent=run.agent, reason="Stop it.", by=user)
    lift(switch=switch, reason="It was right.", by=user)
    events = KillSwitch.pgh_event_model.objects.filter(pgh_obj_id=switch.pk).order_by("pgh_id")
    assert [event.pgh_context.metadata["reason"] for event in events] == [
        "Stop it.",
        "It was right.",
    ]
    assert {event.pgh_context.metadata["user"] for event in events} == {user.pk}
    assert Message.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_stop_waits_for_the_effect_that_has_begun_and_none_begins_after_it() -> None:
    run, user = make_run(), make_user()
    order: list[str] = []

    def flip() -> None:
        stop(scope=SCOPE.EVERYTHING, reason="Stop it.", by=user)
        order.append("stopped")
        connection.close()

    thread = threading.Thread(target=flip)
    with transaction.atomic():
        hold_authority()
        assert stop_for(run, WRITE) is None
        thread.start()
        thread.join(timeout=0.3)
        order.append("effect")
    thread.join(timeout=5)
    assert order == ["effect", "stopped"]
    with transaction.atomic():
        hold_authority()
        assert stop_for(run, WRITE)


@pytest.mark.django_db(transaction=True)
def test_effects_and_flips_at_once_never_leave_an_effect_after_a_stop() -> None:
    run, user = make_run(), make_user()
    effects: list[float] = []
    is_over = threading.Event()

    def act() -> None:
        while not is_over.is_set():
            with transaction.atomic():
                hold_authority()
                if stop_for(run, WRITE) is None:
                    time.sleep(0.002)
                    effects.append(time.monotonic())
        connection.close()

    threads = [threading.Thread(target=act) for _ in range(4)]
    for thread in threads:
        thread.start()
    bad = 0
    try:
        for number in range(10):
            switch = stop(scope=SCOPE.AGENT, agent=run.agent, reason=f"Stop {number}.", by=user)
            since = time.monotonic()
            time.sleep(0.02)
            bad += sum(at > since for at in effects)
            lift(switch=switch, reason="Go on.", by=user)
            time.sleep(0.01)
    finally:
        is_over.set()
        for thread in threads:
            thread.join(timeout=5)
    assert effects
    assert bad == 0


@pytest.mark.django_db(transaction=True)
def test_worker_stopped_in_the_middle_of_its_transaction_holds_no_stop_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(standing, "PATIENCE_MS", 200)
    run, user = make_run(), make_user()
    with psycopg.connect(**connection.get_connection_params()) as stuck:
        stuck.execute("SELECT pg_advisory_xact_lock_shared(%s)", [standing.AUTHORITY_LOCK])
        switch = stop(scope=SCOPE.AGENT, agent=run.agent, reason="Stop it.", by=user)
        assert stop_for(run, WRITE) == switch
        with pytest.raises(psycopg.OperationalError):
            stuck.execute("SELECT 1")


def test_authority_of_an_effect_takes_three_queries(django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    run = make_run()
    run = Run.objects.select_related("agent", "version").get(pk=run.pk)
    now = database_now()
    with django_assert_num_queries(3):
        hold_authority()
        assert stop_for(run, WRITE) is None
        assert level_for_effect(run=run, tool=WRITE.name, now=now, contract=WRITE)
