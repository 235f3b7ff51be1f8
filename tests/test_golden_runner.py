"""Eval runs: planned in rows, judged once, and void when what they judged has changed."""

import threading
from typing import Any

import pgtrigger
import pytest
from django.db import connection, transaction

from agents.errors import GoldenError
from agents.golden.edit import archive_test, edit_test
from agents.golden.runner import (
    cancel_eval_run,
    is_evidence_valid,
    settle_finished,
    start_eval_run,
)
from agents.models import Agent, EvalResult, EvalRun, Run, ShopWrite, Version
from agents.releases.proof import last_finished
from agents.runtime.loop import advance
from tests.factories import make_user
from tests.golden import ASKS_FIRST, CALLS_CANCEL, make_test, run_all
from tests.model_server import model_server
from tests.processes import wait_until
from tests.shop import CANCEL, LOOK, make_shop_agent, make_shop_version
from traces.models import Session, Span

pytestmark = pytest.mark.django_db

HASTY = ([CANCEL], "Done.", "You are welcome.")
CAREFUL = ("Shall I cancel #T1?", [CANCEL], "Done.")


def run_against(*replies: Any, **overrides: Any) -> EvalRun:
    """Run one test against a model that gives these replies."""
    with model_server(*replies) as server:
        agent, version = make_shop_agent(server.base_url)
        make_test(agent, **overrides)
        eval_run = start_eval_run(version=version, by=make_user())
        run_all(eval_run, advance)
    settle_finished()
    eval_run.refresh_from_db()
    return eval_run


def plan(num_tests: int = 2, **overrides: Any) -> tuple[Agent, Version, EvalRun]:
    agent, version = make_shop_agent()
    for _ in range(num_tests):
        make_test(agent)
    return agent, version, start_eval_run(version=version, by=make_user(), **overrides)


def finish(eval_run: EvalRun, status: str = "completed", **fields: Any) -> None:
    Run.objects.filter(eval_result__eval_run=eval_run).update(
        status=status, finished_at="2026-11-16T12:00:00Z", **fields
    )


def edit(test: Any) -> None:
    edit_test(
        test=test, title="Other", checks=[CALLS_CANCEL], severity="minor", tags=[], reason="Why.",
        by=make_user(),
    )  # fmt: skip


def test_agent_that_asks_first_passes() -> None:
    eval_run = run_against(*CAREFUL)
    (result,) = eval_run.results.all()
    assert (eval_run.status, result.status) == ("passed", "passed")
    assert [check["found"] for check in result.checks] == ["step 3", "asked before step 3"]
    assert result.run.session.is_golden


def test_hasty_agent_fails_and_the_check_says_what_it_found() -> None:
    eval_run = run_against(*HASTY)
    (result,) = eval_run.results.all()
    assert (eval_run.status, result.status) == ("failed", "failed")
    called, asked = result.checks
    assert called["passed"]
    assert asked["found"] == (
        "step 2: the agent did not ask; the customer's last words were “Cancel #T1 please”"
    )


def test_final_state_is_that_of_the_runs_own_shop() -> None:
    state = {"kind": "final_state", "record": "order", "key": "#T1", "path": "status"}
    checks = [{**state, "equals": "cancelled"}, {**state, "equals": "pending"}]
    (result,) = run_against(*CAREFUL, checks=checks).results.all()
    assert [check["passed"] for check in result.checks] == [True, False]
    assert ShopWrite.objects.filter(run=result.run, kind="order").exists()


def test_recorded_result_answers_until_the_run_has_written() -> None:
    recorded = {"tool": LOOK[0], "arguments": LOOK[1], "result": {"status": "from the recording"}}
    eval_run = run_against([LOOK], [CANCEL], [LOOK], "Done.", fixtures=[recorded])
    spans = Span.objects.filter(session__is_golden=True, name=LOOK[0]).order_by("start_ns")
    before, after = (span.output["result"]["status"] for span in spans)
    assert (before, after) == ("from the recording", "cancelled")
    assert eval_run.status == "failed"


def test_hand_over_is_seen() -> None:
    checks = [{"kind": "handed_over", "expected": False}]
    (result,) = run_against("I cannot help.", checks=checks).results.all()
    assert result.status == EvalResult.Status.PASSED


def test_dead_model_endpoint_is_no_verdict() -> None:
    eval_run = run_against((400, "unknown model"))
    (result,) = eval_run.results.all()
    assert result.status == EvalResult.Status.INFRA_ERROR
    assert "unknown model" in result.error
    assert result.checks == []
    assert eval_run.status == EvalRun.Status.VOID
    assert eval_run.ended_because == (
        "The infrastructure failed its one run: nothing was shown, no pass and no failure. See "
        "what failed the runs; then run the tests again."
    )


def test_run_over_its_limit_is_the_agents_failure() -> None:
    _, _, eval_run = plan(1)
    finish(eval_run, "failed", failure=Run.Failure.LIMIT, error="over its limit of 60 steps")
    settle_finished()
    (result,) = eval_run.results.all()
    assert (result.status, result.error) == ("failed", "over its limit of 60 steps")


def test_settling_twice_changes_nothing() -> None:
    _, _, eval_run = plan()
    finish(eval_run)
    assert settle_finished() == 2
    before = list(eval_run.results.order_by("pk").values())
    assert settle_finished() == 0
    assert list(eval_run.results.order_by("pk").values()) == before


def test_eval_run_ends_with_its_last_result() -> None:
    _, _, eval_run = plan(3)
    first = eval_run.results.order_by("pk")[0]
    Run.objects.filter(pk=first.run_id).update(
        status="failed", failure="lost", finished_at="2026-11-16T12:00:00Z"
    )
    assert settle_finished() == 1
    eval_run.refresh_from_db()
    assert (eval_run.status, eval_run.finished_at) == (EvalRun.Status.RUNNING, None)
    finish(eval_run)
    assert settle_finished() == 2
    eval_run.refresh_from_db()
    assert eval_run.status == EvalRun.Status.FAILED
    assert eval_run.finished_at


def test_plan_is_made_whole_and_queued_at_once(django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        _, version, eval_run = plan(2, num_repeats=3)
    assert len(callbacks) == 1, "one hint, however many runs"
    assert eval_run.results.count() == 6
    runs = Run.objects.filter(eval_result__eval_run=eval_run)
    assert {(run.kind, run.status, run.version_id) for run in runs} == {
        ("golden", "queued", version.pk)
    }


def test_the_same_asked_twice_is_one_eval_run() -> None:
    _, version, eval_run = plan()
    assert start_eval_run(version=version, by=make_user()) == eval_run
    assert start_eval_run(version=version, num_repeats=2, by=make_user()) != eval_run


def test_nothing_to_run_and_too_much_are_refused() -> None:
    agent, version = make_shop_agent()
    with pytest.raises(GoldenError, match="has no golden test to run"):
        start_eval_run(version=version, by=make_user())
    test = make_test(agent)
    with pytest.raises(GoldenError, match="Repeats are 11; choose 1 to 10"):
        start_eval_run(version=version, num_repeats=11, by=make_user())
    archive_test(test=test, reason="Old.", by=make_user())
    with pytest.raises(GoldenError, match="has no golden test"):
        start_eval_run(version=version, tests=[test], by=make_user())


def test_cancelling_stops_the_runs_and_keeps_what_was_judged() -> None:
    agent, _, eval_run = plan()
    first = eval_run.results.order_by("pk")[0]
    Run.objects.filter(pk=first.run_id).update(
        status="completed", finished_at="2026-11-16T12:00:00Z"
    )
    settle_finished()
    cancel_eval_run(eval_run=eval_run, by=make_user())
    run_all(eval_run, advance)
    settle_finished()
    assert list(eval_run.results.order_by("pk").values_list("status", flat=True)) == [
        "failed",
        "pending",
    ]
    assert Session.objects.filter(project=agent.project, status="cancelled").count() == 1
    with pytest.raises(GoldenError, match="ended already: it is cancelled"):
        cancel_eval_run(eval_run=eval_run, by=make_user())


def test_evidence_holds_while_nothing_changes() -> None:
    _, version, eval_run = plan()
    assert is_evidence_valid(eval_run)
    other = make_shop_version(version.agent, system_prompt="Be kind.")
    eval_run.version = other
    assert not is_evidence_valid(eval_run)


@pytest.mark.parametrize("change", ["edited", "archived", "added"])
def test_evidence_is_void_after_a_change_of_the_tests(change: str) -> None:
    agent, _, eval_run = plan()
    test = agent.golden_tests.order_by("pk")[0]
    if change == "edited":
        edit(test)
    elif change == "archived":
        archive_test(test=test, reason="Old.", by=make_user())
    else:
        make_test(agent, checks=[ASKS_FIRST])
    assert not is_evidence_valid(eval_run)


def test_part_of_the_tests_is_no_evidence_for_all() -> None:
    agent, version, _ = plan()
    whole = start_eval_run(version=version, tests=list(agent.golden_tests.all()), by=make_user())
    part = start_eval_run(version=version, tests=[agent.golden_tests.all()[0]], by=make_user())
    assert (whole.is_partial, part.is_partial) == (False, True)
    assert not is_evidence_valid(part)


def test_a_run_of_one_test_does_not_hide_the_run_of_all() -> None:
    agent, version, whole = plan()
    finish(whole)
    settle_finished()
    part = start_eval_run(version=version, tests=[agent.golden_tests.all()[0]], by=make_user())
    finish(part)
    settle_finished()
    assert last_finished(version) == whole


def test_edit_of_a_running_test_voids_the_eval_run() -> None:
    agent, _, eval_run = plan()
    edit(agent.golden_tests.order_by("pk")[0])
    eval_run.refresh_from_db()
    assert eval_run.status == EvalRun.Status.VOID
    assert not Run.objects.filter(eval_result__eval_run=eval_run, cancel_requested_at=None).exists()


def test_result_of_an_edited_test_is_not_judged_by_the_new_checks() -> None:
    agent, _, eval_run = plan(1)
    agent.golden_tests.update(content_hash="0" * 64)
    finish(eval_run)
    settle_finished()
    eval_run.refresh_from_db()
    assert eval_run.status == EvalRun.Status.VOID
    assert eval_run.results.get().status == EvalResult.Status.PENDING


def test_eval_run_that_cannot_be_judged_is_void_and_keeps_no_other_waiting() -> None:
    _, _, broken = plan(num_tests=1)
    pinned = broken.results.get().test_version
    assert pinned is not None
    with pgtrigger.ignore("agents.GoldenTestVersion:immutable"):
        pinned.content["checks"] = [{"kind": "of_another_time"}]
        pinned.save(update_fields=["content"])
    other = start_eval_run(
        version=make_shop_version(broken.agent), by=make_user(), tests=[make_test(broken.agent)]
    )
    finish(broken)
    finish(other)
    settle_finished()
    broken.refresh_from_db()
    other.refresh_from_db()
    assert broken.status == EvalRun.Status.VOID
    assert "could not be judged: KeyError" in broken.ended_because
    assert other.status == EvalRun.Status.FAILED


@pytest.mark.django_db(transaction=True)
def test_edit_and_whoever_adds_repeats_do_not_wait_for_each_other() -> None:
    _, _, eval_run = plan(num_tests=1)
    result = eval_run.results.get()

    def change() -> None:
        edit(result.test)
        connection.close()

    def is_waiting() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
            return bool(cursor.fetchone()[0])

    thread = threading.Thread(target=change)
    with transaction.atomic():
        EvalRun.objects.select_for_update().get(pk=eval_run.pk)
        thread.start()
        wait_until(is_waiting)
        EvalResult.objects.create(
            eval_run=eval_run, test=result.test, test_hash=result.test_hash, repeat=2
        )
    thread.join()
    eval_run.refresh_from_db()
    assert eval_run.status == EvalRun.Status.VOID
