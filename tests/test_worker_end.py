"""A worker's clean stop: what is in progress outside is not cut short, nothing else begins."""

import threading
import time
from collections.abc import Iterator

import pytest

from agents.models import Effect, Run, Step
from agents.runtime import worker
from agents.runtime.claim import claim_due_run, leave
from agents.runtime.loop import advance_claimed, advance_step
from agents.runtime.under_way import let_begin
from tests.model_server import model_server
from tests.outside import till
from tests.test_outside_step import start, step_of


@pytest.fixture(autouse=True)
def _no_crew_is_left() -> Iterator[None]:
    yield
    let_begin(True)
    worker._crews.clear()


@pytest.mark.parametrize(
    ("effect", "status"), [(Effect.UNKEYED, Step.Status.DONE), (Effect.READ, Step.Status.STARTED)]
)
@pytest.mark.django_db(transaction=True)
def test_call_that_may_change_something_comes_to_its_end(
    effect: Effect, status: Step.Status
) -> None:
    has_begun, may_end = threading.Event(), threading.Event()

    def linger() -> None:
        has_begun.set()
        may_end.wait(10)

    with till(effect, time_limit_seconds=15.0) as pay, model_server([pay.call], "Paid.") as server:
        pay.troubles = [("late", linger)]
        run = start(server, pay)
        crew = worker.hire(2)
        crew.engage()
        assert has_begun.wait(20)
        threading.Timer(0.5, may_end.set).start()
        crew.end(0.0, call_seconds=10)
        assert step_of(run).status == status
        leave()
        crew.end(10)
    run.refresh_from_db()
    assert (run.status, len(server.requests)) == (Run.Status.QUEUED, 1)


@pytest.mark.django_db
def test_worker_that_ends_leaves_its_run_to_others_after_the_step() -> None:
    with till() as pay, model_server([pay.call], "Paid.") as server:
        run = start(server, pay)
        claim = claim_due_run(run.pk)
        assert claim
        let_begin(False)
        advance_claimed(claim)
        run.refresh_from_db()
        assert (run.status, run.claimed_by, pay.attempts) == (Run.Status.QUEUED, "", [])
        assert run.next_at
        let_begin(True)
        claim = claim_due_run(run.pk)
        assert claim
        advance_claimed(claim)
    run.refresh_from_db()
    assert (run.status, run.num_recoveries, len(pay.keys)) == (Run.Status.COMPLETED, 0, 1)


@pytest.mark.django_db
def test_call_does_not_begin_in_a_worker_that_ends() -> None:
    with till() as pay, model_server([pay.call], "Paid.") as server:
        run = start(server, pay)
        claim = claim_due_run(run.pk)
        assert claim
        assert advance_step(claim)
        let_begin(False)
        assert advance_step(claim)
    assert (step_of(run).status, pay.attempts) == (Step.Status.WAITING, [])
    assert not run.effect_reviews.exists()


def test_worker_with_nothing_in_progress_ends_at_once() -> None:
    crew = worker.hire(2)
    began = time.monotonic()
    crew.end(5, call_seconds=20)
    assert time.monotonic() - began < 1
