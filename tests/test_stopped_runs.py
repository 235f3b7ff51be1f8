"""Kill switches and runs in flight: no effect starts once a stop has committed."""

import threading
import time

import pytest
from django.db import connection

from agents.models import Effect, KillSwitch, Level, Run
from agents.runtime.approvals import approve_call
from agents.runtime.claim import claim_due_run
from agents.runtime.loop import advance, advance_claimed, advance_step
from agents.runtime.start import start_run
from agents.tools import stops
from agents.tools.contract import ToolError
from tests.factories import client_as, make_user
from tests.model_server import model_server
from tests.outside import INPUT, lose_worker, make_payer, till
from tests.shop import CANCEL, LOOK, lift_for, make_shop_agent
from tests.test_outside_step import AWAY, NOT_HELD, again, start, step_of
from traces.models import Session

pytestmark = pytest.mark.django_db
PROJECT, ALL = KillSwitch.Scope.PROJECT, KillSwitch.Stops.ALL


def stop_project(run: Run, what: KillSwitch.Stops = KillSwitch.Stops.WRITES) -> KillSwitch:
    return stops.stop(
        scope=PROJECT, stops=what, project=run.project, reason="Prices are wrong.", by=make_user()
    )


def lift(switch: KillSwitch) -> None:
    stops.lift(switch=switch, reason="Prices are right.", by=make_user())


def test_stopped_run_parks_before_its_next_effect_and_goes_on_when_lifted() -> None:
    with till() as pay, model_server([pay.call], "Paid.") as server:
        run = start(server, pay)
        switch = stop_project(run)
        again(run)
        assert (run.status, run.parked_for) == (Run.Status.WAITING, Run.Parked.STOP)
        assert (pay.attempts, run.claimed_by, run.next_at) == ([], "", None)
        lift(switch)
        assert again(run).status == Run.Status.COMPLETED
    assert len(pay.keys) == 1


def test_stop_of_writes_lets_reads_and_models_go_on() -> None:
    with model_server([LOOK], "Pending.") as server:
        agent, version = make_shop_agent(server.base_url)
        run = start_run(agent=agent, version=version, run_input=INPUT)
        stop_project(run)
        assert again(run).status == Run.Status.COMPLETED


def test_stop_of_all_holds_model_calls_too() -> None:
    with model_server("Hello.") as server:
        agent, version = make_shop_agent(server.base_url)
        run = start_run(agent=agent, version=version, run_input=INPUT)
        switch = stop_project(run, ALL)
        assert again(run).parked_for == Run.Parked.STOP
        assert not server.requests
        lift(switch)
        assert again(run).status == Run.Status.COMPLETED


def test_stop_holds_a_call_in_our_own_database() -> None:
    with model_server([CANCEL], "Done.") as server:
        agent, version = make_shop_agent(server.base_url)
        lift_for(agent)
        run = start_run(agent=agent, version=version, run_input=INPUT)
        stop_project(run)
        assert again(run).parked_for == Run.Parked.STOP
    assert not run.shop_writes.exists()


def test_stop_holds_a_call_that_waits_for_its_next_attempt() -> None:
    with till(Effect.KEYED) as pay, model_server([pay.call], "Paid.") as server:
        pay.troubles = [("early", AWAY)]
        run = again(start(server, pay))
        switch = stop_project(run)
        assert again(run).parked_for == Run.Parked.STOP
        assert len(pay.attempts) == 1
        lift(switch)
        assert again(run).status == Run.Status.COMPLETED


def test_stop_holds_a_call_that_is_approved_meanwhile_and_keeps_the_approval() -> None:
    with till() as pay, model_server([pay.call], "Paid.") as server:
        run = again(start(server, pay, Level.APPROVE))
        switch = stop_project(run)
        approve_call(approval=run.approvals.get(), by=make_user(), hold=NOT_HELD)
        assert again(run).parked_for == Run.Parked.STOP
        assert run.approvals.get().consumed_at is None
        lift(switch)
        assert again(run).status == Run.Status.COMPLETED
    assert len(pay.keys) == 1


def test_stop_holds_a_run_whose_worker_was_lost() -> None:
    with till(Effect.KEYED) as pay, model_server([pay.call], "Paid.") as server:
        run = start(server, pay)
        claim = claim_due_run(run.pk)
        assert claim
        advance_step(claim)
        lose_worker(run)
        switch = stop_project(run)
        assert again(run).parked_for == Run.Parked.STOP
        lift(switch)
        assert again(run).status == Run.Status.COMPLETED


@pytest.mark.django_db(transaction=True)
def test_stop_between_the_start_and_the_call_takes_the_start_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with till() as pay, model_server([pay.call], "Paid.") as server:
        run = start(server, pay)
        switches: list[KillSwitch] = []
        real = stops.stop_for

        def slow(*arguments: object) -> KillSwitch | None:
            if not switches:
                switches.append(stop_project(run))
            return real(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr("agents.runtime.outside_step.stop_for", slow)
        assert again(run).parked_for == Run.Parked.STOP
        assert (pay.attempts, step_of(run).status) == ([], "waiting")
        lift(switches[0])
        assert again(run).status == Run.Status.COMPLETED
    assert (len(pay.keys), step_of(run).num_attempts) == (1, 1)


def test_session_page_and_list_say_that_it_is_stopped() -> None:
    with till() as pay, model_server([pay.call], "Paid.") as server:
        run = start(server, pay)
        stop_project(run)
        again(run)
    assert run.session.status == Session.Status.WAITING
    client = client_as("reviewer", run.project)
    page = client.get(f"/p/{run.project.slug}/sessions/{run.session_id}/").content.decode()
    assert "A kill switch holds this run" in page
    assert "Prices are wrong." in page


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_no_effect_starts_once_a_stop_has_committed() -> None:
    started: list[float] = []

    def note() -> None:
        started.append(time.monotonic())
        raise ToolError("again")

    with (
        till(Effect.UNKEYED) as pay,
        model_server([pay.call], by_request=lambda _: [pay.call]) as server,
    ):
        pay.troubles = [("early", note)] * 10_000
        agent, version = make_payer(server.base_url, pay)
        person = make_user()

        def work() -> None:
            while not is_over.is_set():
                advance()
            connection.close()

        is_over = threading.Event()
        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        late: list[float] = []
        for _ in range(4):
            runs = [start_run(agent=agent, version=version, run_input=INPUT) for _ in range(6)]
            time.sleep(0.5)
            switch = stops.stop(scope=PROJECT, project=agent.project, reason="Now.", by=person)
            stopped = time.monotonic()
            time.sleep(0.5)
            late += [at - stopped for at in started if at > stopped]
            stops.lift(switch=switch, reason="Go on.", by=person)
            assert runs
        is_over.set()
        for thread in threads:
            thread.join()
    assert started
    # A call whose last check came before the commit is under way; it reaches the tool in no time.
    assert all(seconds < 0.25 for seconds in late), late


def test_run_stopped_and_cancelled_ends_at_once() -> None:
    with till() as pay, model_server([pay.call], "Paid.") as server:
        run = start(server, pay)
        stop_project(run)
        again(run)
        claim = claim_due_run(run.pk)
        assert claim is None, "a stopped run holds no worker"
        client = client_as("lead", run.project)
        client.post(f"/p/{run.project.slug}/sessions/{run.session_id}/cancel/")
    run.refresh_from_db()
    assert run.status == Run.Status.CANCELLED
    assert not pay.attempts


def test_golden_test_is_held_by_a_stop_of_everything_alone() -> None:
    with model_server([CANCEL], "Done.") as server:
        agent, version = make_shop_agent(server.base_url)
        run = start_run(agent=agent, version=version, run_input=INPUT, kind=Run.Kind.GOLDEN)
        stop_project(run)
        claim = claim_due_run(run.pk)
        assert claim
        advance_claimed(claim)
    run.refresh_from_db()
    assert run.status == Run.Status.COMPLETED
