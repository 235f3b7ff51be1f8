"""The plan of eval runs: pinned versions, chosen tests, pairs in turns, and repeats added later."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.errors import GoldenError
from agents.golden.edit import archive_test
from agents.golden.plan import evidence_hash_of
from agents.golden.runner import (
    add_repeats,
    cancel_eval_run,
    finish,
    is_evidence_valid,
    rerun_tests,
    settle_finished,
    start_eval_run,
    start_pair,
)
from agents.models import Agent, EvalResult, EvalRun, Gate, GoldenTest, Run, Version
from agents.runtime.claim import claim_due_runs
from tests.factories import make_user
from tests.golden import CALLS_CANCEL, INPUT, make_test
from tests.shop import make_shop_agent, make_shop_version
from traces.models import Session, Span
from traces.refresh import drain

pytestmark = pytest.mark.django_db

ENDED = "2026-11-16T12:00:00Z"
HANDED_OVER = [{"kind": "handed_over", "expected": True}]
NOT_HANDED_OVER = [{"kind": "handed_over", "expected": False}]


def end_runs(eval_run: EvalRun, **fields: Any) -> None:
    """End what is open of an eval run, as workers would."""
    open_runs = Run.objects.filter(eval_result__eval_run=eval_run, status="queued")
    open_runs.update(**{"status": "completed", "finished_at": ENDED, **fields})


def quarantine(test: GoldenTest, days: int = 3) -> None:
    GoldenTest.objects.filter(pk=test.pk).update(
        quarantined_until=timezone.now().date() + timedelta(days=days), quarantine_reason="Flaky."
    )


def make_pair(num_tests: int = 3, **options: Any) -> tuple[Agent, EvalRun, EvalRun]:
    agent, baseline = make_shop_agent()
    for _ in range(num_tests):
        make_test(agent)
    candidate = make_shop_version(agent, system_prompt="Be kind.")
    pair = start_pair(
        candidate=candidate, baseline=baseline, num_repeats=1, seed=7, by=make_user(), **options
    )
    return agent, *pair


def test_each_result_is_pinned_to_the_version_of_its_test() -> None:
    agent, version = make_shop_agent()
    test = make_test(agent, on_missing="fail", rules=[{"tool": "x", "where": {}, "result": 1}])
    (result,) = start_eval_run(version=version, by=make_user()).results.all()
    assert result.test_version == test.versions.get()
    assert result.run.input == INPUT
    assert result.run.play == {"on_missing": "fail", "rules": test.rules}


def test_a_planned_run_is_recorded_like_one_that_was_started_alone() -> None:
    agent, version = make_shop_agent()
    make_test(agent)
    eval_run = start_eval_run(version=version, by=make_user())
    session = eval_run.results.get().run.session
    drain()
    session.refresh_from_db()
    spans = list(session_spans(session))
    assert [(span.kind, span.parent_id) for span in spans] == [
        ("agent", ""), ("customer", session.pk.hex[:16]),
    ]  # fmt: skip
    assert (session.status, session.is_golden, session.num_spans) == ("running", True, 2)
    assert session.metadata == {"golden_test": "test-1", "eval_run": eval_run.pk}


def session_spans(session: Session) -> Any:
    return Span.objects.filter(session=session).order_by("start_ns")


def test_planning_takes_as_many_queries_for_many_runs_as_for_few() -> None:
    agent, version = make_shop_agent()
    user = make_user()
    make_test(agent)
    start_eval_run(version=version, by=user)
    counts = []
    for num_repeats in (2, 10):
        for _ in range(num_repeats):
            make_test(agent)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            start_eval_run(version=version, num_repeats=num_repeats, by=user)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_suites_and_tags_choose_the_tests() -> None:
    agent, version = make_shop_agent()
    for suite, tags in (("edge", ["money"]), ("edge", []), ("common", ["money"])):
        make_test(agent, suite=suite, tags=tags)
    both = start_eval_run(version=version, suites=["edge"], tags=["money"], by=make_user())
    assert list(both.results.values_list("test__slug", flat=True)) == ["test-1"]
    assert both.options["suites"] == ["edge"]
    assert both.is_partial
    with pytest.raises(GoldenError, match="There is no suite 'nope'; the suites are common, edge"):
        start_eval_run(version=version, suites=["nope"], by=make_user())
    with pytest.raises(GoldenError, match="has the suite adversarial"):
        start_eval_run(version=version, suites=["adversarial"], by=make_user())


def test_a_critical_test_is_run_five_times() -> None:
    agent, version = make_shop_agent()
    make_test(agent, is_critical=True)
    make_test(agent)
    eval_run = start_eval_run(version=version, num_repeats=2, by=make_user())
    assert eval_run.results.filter(test__slug="test-1").count() == 5
    assert eval_run.results.filter(test__slug="test-2").count() == 2
    assert eval_run.options["critical"] == {"test-1": 5}


def test_a_test_in_quarantine_is_run_and_does_not_count() -> None:
    agent, version = make_shop_agent()
    quarantine(make_test(agent, checks=HANDED_OVER))
    make_test(agent, checks=NOT_HANDED_OVER)
    eval_run = start_eval_run(version=version, by=make_user())
    end_runs(eval_run)
    settle_finished()
    eval_run.refresh_from_db()
    assert list(eval_run.results.order_by("test_id").values_list("status", flat=True)) == [
        "failed", "passed",
    ]  # fmt: skip
    assert eval_run.status == EvalRun.Status.PASSED
    assert is_evidence_valid(eval_run)


def test_evidence_ends_with_the_quarantine() -> None:
    agent, version = make_shop_agent()
    quarantine(make_test(agent))
    make_test(agent)
    eval_run = start_eval_run(version=version, by=make_user())
    assert is_evidence_valid(eval_run)
    quarantine(agent.golden_tests.get(slug="test-1"), days=0)
    assert not is_evidence_valid(eval_run)


def test_an_eval_run_of_nothing_but_quarantine_is_void() -> None:
    agent, version = make_shop_agent()
    quarantine(make_test(agent, checks=NOT_HANDED_OVER))
    eval_run = start_eval_run(version=version, by=make_user())
    end_runs(eval_run)
    settle_finished()
    eval_run.refresh_from_db()
    assert eval_run.status == EvalRun.Status.VOID
    assert (
        eval_run.ended_because
        == "Each of its tests is in quarantine, so that nothing of it counts."
    )


def test_evidence_hash_of_before_is_the_same() -> None:
    _, version = make_shop_agent()
    assert evidence_hash_of(version, ["a"], 1) == evidence_hash_of(version, ["a"], 1, [], [])
    assert evidence_hash_of(version, ["a"], 1) != evidence_hash_of(version, ["a"], 1, ["a"])


def test_a_test_without_checks_starts_nothing() -> None:
    agent, version = make_shop_agent()
    make_test(agent)
    make_test(agent, checks=[])
    with pytest.raises(GoldenError, match="“Test 2” has no check, so that a run of it would prove"):
        start_eval_run(version=version, by=make_user())
    assert not Run.objects.exists()
    assert not EvalRun.objects.exists()


def test_a_deleted_candidate_starts_nothing() -> None:
    agent, _ = make_shop_agent()
    make_test(agent)
    candidate = make_shop_version(agent, system_prompt="Be kind.")
    Version.objects.filter(pk=candidate.pk).delete()
    with pytest.raises(GoldenError, match="v2 was deleted meanwhile: nothing was started"):
        start_eval_run(version=candidate, by=make_user())
    assert not EvalRun.objects.exists()


def test_a_version_on_trial_cannot_be_deleted() -> None:
    agent, version = make_shop_agent()
    make_test(agent)
    start_eval_run(version=version, by=make_user())
    with pytest.raises(ProtectedError):
        version.delete()


def test_pair_is_begun_in_turns_with_the_same_order_for_the_same_seed() -> None:
    _, candidate_run, baseline_run = make_pair()
    runs = Run.objects.order_by("next_at").values_list(
        "eval_result__eval_run_id", "eval_result__test__slug"
    )
    order = list(runs)
    pairs = [order[at : at + 2] for at in range(0, 6, 2)]
    assert all({run for run, _ in pair} == {candidate_run.pk, baseline_run.pk} for pair in pairs)
    assert all(pair[0][1] == pair[1][1] for pair in pairs)
    assert candidate_run.options["pair"] == "candidate"
    assert baseline_run.options["seed"] == 7


def test_runs_are_claimed_in_the_order_of_the_plan() -> None:
    make_pair()
    planned = list(Run.objects.order_by("next_at").values_list("pk", flat=True))
    assert {claim.run_id for claim in claim_due_runs(limit=2)} == set(planned[:2])


def test_a_pair_wants_two_versions_of_one_agent() -> None:
    agent, version = make_shop_agent()
    make_test(agent)
    with pytest.raises(GoldenError, match="v1 cannot be compared with itself"):
        start_pair(candidate=version, baseline=version, num_repeats=1, seed=1, by=None)


def test_repeats_are_added_to_both_in_turns() -> None:
    _, candidate_run, baseline_run = make_pair(2)
    before = candidate_run.evidence_hash
    assert add_repeats(eval_runs=[candidate_run, baseline_run], to=3) == 8
    candidate_run.refresh_from_db()
    assert candidate_run.num_repeats == 3
    assert candidate_run.evidence_hash != before
    assert is_evidence_valid(candidate_run)
    assert set(candidate_run.results.values_list("repeat", flat=True)) == {1, 2, 3}
    assert add_repeats(eval_runs=[candidate_run, baseline_run], to=3) == 0


def test_a_test_is_run_again_as_it_was_pinned() -> None:
    agent, candidate_run, _ = make_pair(2)
    test = agent.golden_tests.get(slug="test-1")
    (again,) = rerun_tests(eval_run=candidate_run, tests=[test])
    assert (again.repeat, again.test_version) == (2, test.versions.get())
    assert candidate_run.results.count() == 3
    other, _ = make_shop_agent()
    with pytest.raises(GoldenError, match="does not hold all of these tests"):
        rerun_tests(eval_run=candidate_run, tests=[make_test(other)])


def test_nothing_is_added_to_what_has_ended() -> None:
    _, candidate_run, baseline_run = make_pair()
    finish(baseline_run, EvalRun.Status.VOID, "A test was edited.")
    with pytest.raises(GoldenError, match="has ended: it is void"):
        add_repeats(eval_runs=[candidate_run, baseline_run], to=3)
    assert candidate_run.results.count() == 3


def test_an_eval_run_of_a_running_gate_is_judged_and_left_to_the_gate() -> None:
    agent, candidate_run, baseline_run = make_pair(1)
    gate = Gate.objects.create(
        agent=agent,
        candidate=candidate_run.version,
        baseline=baseline_run.version,
        candidate_run=candidate_run,
        baseline_run=baseline_run,
        config={},
        seed=7,
    )
    end_runs(candidate_run)
    assert settle_finished() == 1
    candidate_run.refresh_from_db()
    assert candidate_run.status == EvalRun.Status.RUNNING
    with pytest.raises(GoldenError, match=f"part of gate {gate.pk}: cancel the gate"):
        cancel_eval_run(eval_run=candidate_run, by=make_user())


def test_a_pair_is_not_taken_for_what_somebody_asks_for() -> None:
    _, candidate_run, _ = make_pair(1)
    assert start_eval_run(version=candidate_run.version, by=make_user()) != candidate_run


def test_finishing_stops_what_has_not_begun_and_says_why() -> None:
    _, candidate_run, _ = make_pair()
    finish(candidate_run, EvalRun.Status.VOID, "The other side broke.")
    runs = Run.objects.filter(eval_result__eval_run=candidate_run)
    assert {(run.status, run.error) for run in runs} == {("cancelled", "The other side broke.")}
    sessions = Session.objects.filter(pk__in=[run.session_id for run in runs])
    assert {session.status for session in sessions} == {"cancelled"}
    assert all(session.ended_at for session in sessions)
    root = Span.objects.filter(session=sessions[0], kind="agent").get()
    assert root.status == "ok"


def test_finishing_lets_a_worker_come_to_the_end_of_its_step() -> None:
    _, candidate_run, _ = make_pair(1)
    run = candidate_run.results.get().run
    (claim,) = claim_due_runs(limit=1, run_id=run.pk)
    finish(candidate_run, EvalRun.Status.CANCELLED, "Enough.")
    run.refresh_from_db()
    assert (run.status, run.claim_token) == ("running", claim.token)
    assert run.cancel_requested_at


def test_finishing_twice_changes_nothing() -> None:
    _, candidate_run, _ = make_pair(1)
    first = finish(candidate_run, EvalRun.Status.VOID, "Once.")
    second = finish(candidate_run, EvalRun.Status.PASSED)
    assert (second.status, second.ended_because) == ("void", "Once.")
    assert second.finished_at == first.finished_at


def test_an_archived_test_voids_the_eval_run_and_stops_it() -> None:
    agent, candidate_run, _ = make_pair(2)
    archive_test(test=agent.golden_tests.get(slug="test-1"), reason="Old.", by=make_user())
    end_runs(candidate_run)
    settle_finished()
    candidate_run.refresh_from_db()
    assert candidate_run.status == EvalRun.Status.VOID
    assert "“Test 1” was archived while it ran" in candidate_run.ended_because
    assert not candidate_run.results.exclude(status=EvalResult.Status.PENDING).exists()


def test_a_deleted_session_is_an_infrastructure_error() -> None:
    agent, version = make_shop_agent()
    make_test(agent)
    eval_run = start_eval_run(version=version, by=make_user())
    eval_run.results.get().run.session.delete()
    settle_finished()
    result = eval_run.results.get()
    assert (result.status, result.error) == ("infra_error", "its run was deleted")


def test_hard_findings_cost_and_time_are_kept_with_the_result() -> None:
    agent, version = make_shop_agent()
    make_test(agent, checks=[CALLS_CANCEL])
    eval_run = start_eval_run(version=version, by=make_user())
    end_runs(eval_run)
    settle_finished()
    result = eval_run.results.get()
    assert (result.hard, result.num_missing) == ([], 0)
    assert (result.cost_usd, result.working_ms) == (None, None)
