"""Runs that were lost again and again are claimed few at a time, and trusted after a step."""

import pytest

from agents.models import Run
from agents.runtime.claim import MAX_SUSPECTS, SUSPECT_AFTER, claim_due_runs, let_go
from agents.runtime.ending import note_progress
from agents.runtime.start import start_run
from tests.shop import make_shop_agent

INPUT = {"messages": [{"role": "user", "content": "Hello"}], "turns": []}


def some_runs(number: int, num_lost: int) -> list[Run]:
    agent, version = make_shop_agent()
    runs = [start_run(agent=agent, version=version, run_input=INPUT) for _ in range(number)]
    Run.objects.update(num_lost_in_row=num_lost)
    return runs


@pytest.mark.django_db
def test_process_claims_few_of_the_runs_that_may_kill_it() -> None:
    some_runs(MAX_SUSPECTS + 3, SUSPECT_AFTER)
    claims = claim_due_runs(limit=20)
    assert len(claims) == MAX_SUSPECTS
    assert claim_due_runs(limit=20) == []
    left = Run.objects.filter(status=Run.Status.QUEUED)
    assert left.count() == 3
    assert not left.exclude(num_lost_in_row=SUSPECT_AFTER, next_at__isnull=False).exists()
    for claim in claims:
        let_go(claim)
    assert len(claim_due_runs(limit=20)) == 3


@pytest.mark.django_db
def test_step_that_was_done_makes_room_for_another_suspect() -> None:
    some_runs(MAX_SUSPECTS + 1, SUSPECT_AFTER)
    claims = claim_due_runs(limit=20)
    note_progress(Run.objects.get(pk=claims[0].run_id))
    more = claim_due_runs(limit=20)
    assert len(more) == 1
    for claim in [*claims, *more]:
        let_go(claim)


@pytest.mark.django_db
def test_run_that_was_lost_once_is_claimed_like_any_other() -> None:
    some_runs(MAX_SUSPECTS + 3, SUSPECT_AFTER - 1)
    claims = claim_due_runs(limit=20)
    assert len(claims) == MAX_SUSPECTS + 3
    for claim in claims:
        let_go(claim)
