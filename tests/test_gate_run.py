"""Gates: both versions in one window, look by look, and never half of one."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.errors import GateError, GoldenError
from agents.gate.config import GateConfig
from agents.gate.decision import Decision
from agents.gate.policy import approve_policy, propose_policy
from agents.gate.recorded import evidence_of
from agents.gate.run import cancel_gate, settle_gates, start_gate
from agents.golden.runner import cancel_eval_run, settle_finished
from agents.models import Agent, EvalResult, EvalRun, Gate, Judgement, Run
from agents.runtime.loop import advance
from agents.runtime.sweeper import sweep
from tests.factories import make_user
from tests.gate import answer, begin_gate, make_sound_test
from tests.golden import run_all
from tests.judging import make_judge, make_judge_version, make_judgement
from tests.model_server import model_server
from tests.shop import CANCEL, make_shop_agent, make_shop_version

pytestmark = pytest.mark.django_db


def settled(gate: Gate) -> Gate:
    settle_gates()
    gate.refresh_from_db()
    return gate


def with_config(agent, config: GateConfig) -> None:
    policy = propose_policy(project=agent.project, config=config, reason="Test.", by=make_user())
    approve_policy(policy=policy, by=make_user())


def test_gate_plans_both_versions_with_the_first_looks_repeats() -> None:
    agent, gate = begin_gate(num_tests=2)
    assert gate.baseline == agent.live_version
    assert gate.status == Gate.Status.RUNNING
    for eval_run in (gate.candidate_run, gate.baseline_run):
        assert eval_run.results.count() == 6
    assert Run.objects.filter(version=gate.candidate).count() == 6


def test_same_gate_asked_for_twice_is_one() -> None:
    _, gate = begin_gate()
    again = start_gate(candidate=gate.candidate, by=make_user())
    assert again == gate
    assert EvalRun.objects.count() == 2


def test_gate_over_a_suite_is_not_given_for_one_over_all_tests() -> None:
    agent, gate = begin_gate(suites=["regression"])
    assert start_gate(candidate=gate.candidate, by=make_user()) == gate
    make_sound_test(agent, 3, suite="edge")
    with pytest.raises(GateError, match=f"Gate {gate.pk} compares .* on other tests"):
        start_gate(candidate=gate.candidate, by=make_user())


def test_gate_by_rules_that_hold_no_more_is_not_given_again() -> None:
    agent, gate = begin_gate()
    with_config(agent, GateConfig(margin_points=1))
    with pytest.raises(GateError, match="cancel it first"):
        start_gate(candidate=gate.candidate, by=make_user())


def test_gate_that_cannot_be_decided_is_void_and_keeps_no_other_waiting() -> None:
    _, gate = begin_gate()
    answer(gate, now="p", before="f")
    Gate.objects.filter(pk=gate.pk).update(config={})
    assert settled(gate).status == Gate.Status.VOID
    assert gate.sentence.startswith("It could not be decided: KeyError")
    assert gate.candidate_run.status == EvalRun.Status.VOID


def test_gate_without_a_live_version_asks_for_a_baseline() -> None:
    agent, version = make_shop_agent()
    Agent.objects.filter(pk=agent.pk).update(live_version=None)
    with pytest.raises(GateError, match="name a baseline"):
        start_gate(candidate=version, by=make_user())


def test_live_version_is_no_candidate_against_itself() -> None:
    _, version = make_shop_agent()
    with pytest.raises(GateError, match="is live itself"):
        start_gate(candidate=version, by=make_user())


def test_gate_without_a_test_starts_nothing() -> None:
    agent, _ = make_shop_agent()
    with pytest.raises(GoldenError, match="no golden test"):
        start_gate(candidate=make_shop_version(agent), by=make_user())
    assert not Gate.objects.exists()
    assert not EvalRun.objects.exists()


def test_gate_over_its_runs_is_refused_before_the_first_run() -> None:
    agent, _ = make_shop_agent()
    make_sound_test(agent, 1)
    with_config(agent, GateConfig(max_runs=4))
    with pytest.raises(GateError, match="1 tests take 6 runs"):
        start_gate(candidate=make_shop_version(agent), by=make_user())


def test_looks_that_take_too_many_runs_are_left_out_from_the_start() -> None:
    agent, _ = make_shop_agent()
    make_sound_test(agent, 1)
    with_config(agent, GateConfig(max_runs=13))
    gate = start_gate(candidate=make_shop_version(agent), by=make_user())
    assert gate.config["looks"] == [3, 6]


def test_clear_rise_passes_at_the_first_look() -> None:
    _, gate = begin_gate(num_tests=6)
    answer(gate, now="p", before="f")
    found = settled(gate)
    assert (found.status, found.look) == (Gate.Status.PASSED, 1)
    assert found.sentence.startswith("Passed: v2 is better than v1")
    assert found.candidate_run.status == EvalRun.Status.PASSED
    assert found.baseline_run.status == EvalRun.Status.FAILED


def test_clear_drop_fails() -> None:
    _, gate = begin_gate(num_tests=6)
    answer(gate, now="f", before="p")
    found = settled(gate)
    assert found.status == Gate.Status.FAILED
    assert Decision.from_json(found.result).num_tests == 6


def test_undecided_gate_adds_repeats_up_to_its_budget() -> None:
    _, gate = begin_gate(num_tests=2)
    for look, repeats in ((1, 3), (2, 6), (3, 10)):
        gate.refresh_from_db()
        assert (gate.look, gate.candidate_run.results.count()) == (look, 2 * repeats)
        answer(gate, now="pf", before="fp")
        settled(gate)
    assert gate.status == Gate.Status.INCONCLUSIVE
    assert Decision.from_json(gate.result).next_repeats is None
    assert settle_gates() == 0


def test_small_suite_that_always_passes_passes_with_more_repeats() -> None:
    _, gate = begin_gate(num_tests=9)
    for _ in range(3):
        answer(gate, now="p", before="p")
        settled(gate)
    assert gate.status == Gate.Status.PASSED
    assert gate.look > 1


def test_gate_waits_until_every_run_is_judged() -> None:
    _, gate = begin_gate()
    answer(gate, now="p", before="f")
    EvalResult.objects.filter(pk=gate.candidate_run.results.first().pk).update(status="pending")
    assert settle_gates() == 0
    assert settled(gate).status == Gate.Status.RUNNING


def test_sweeper_decides_gates() -> None:
    _, gate = begin_gate(num_tests=6)
    answer(gate, now="p", before="f")
    sweep()
    gate.refresh_from_db()
    assert gate.status == Gate.Status.PASSED


def test_leak_seen_once_is_run_again_before_it_counts() -> None:
    _, gate = begin_gate(num_tests=6)
    answer(gate, now="p", before="f")
    seen = gate.candidate_run.results.order_by("pk").first()
    seen.hard = [{"gate": "leak", "found": "told a password", "span_id": ""}]
    seen.save(update_fields=["hard"])
    settled(gate)
    again = gate.candidate_run.results.get(status="pending")
    assert (gate.status, again.test, again.repeat) == (Gate.Status.RUNNING, seen.test, 4)
    again.status, again.hard, again.checks = "passed", seen.hard, seen.checks
    again.save(update_fields=["status", "hard", "checks"])
    assert settled(gate).status == Gate.Status.FAILED
    assert "in 2 of 4 runs" in gate.sentence


def test_leak_not_seen_again_goes_to_a_person() -> None:
    _, gate = begin_gate(num_tests=6)
    answer(gate, now="p", before="f")
    seen = gate.candidate_run.results.order_by("pk").first()
    EvalResult.objects.filter(pk=seen.pk).update(hard=[{"gate": "leak", "found": "a password"}])
    settled(gate)
    answer(gate, now="p", before="f")
    settled(gate)
    assert (gate.status, gate.look) == (Gate.Status.INCONCLUSIVE, 1)
    assert "seen once, not confirmed" in gate.sentence


def test_critical_test_has_five_repeats_from_the_start() -> None:
    agent, _ = make_shop_agent()
    for number in range(1, 7):
        make_sound_test(agent, number, is_critical=number == 1)
    gate = start_gate(candidate=make_shop_version(agent), by=make_user())
    answer(gate, now=["ppppf", *["p"] * 5], before="f")
    assert settled(gate).status == Gate.Status.FAILED
    assert "passed 4 of 5 repeats" in gate.sentence


def test_infrastructure_errors_void_the_gate_and_its_runs() -> None:
    _, gate = begin_gate(num_tests=6)
    answer(gate, now=["e", *["p"] * 5], before="p")
    found = settled(gate)
    assert found.status == Gate.Status.VOID
    assert "the infrastructure failed 3 of 36 runs" in found.sentence
    assert {found.candidate_run.status, found.baseline_run.status} == {EvalRun.Status.VOID}


def test_deleted_runs_void_the_gate() -> None:
    _, gate = begin_gate(num_tests=6)
    answer(gate, now="p", before="f")
    gate.candidate_run.results.update(status="pending", run=None)
    settle_finished()
    assert settled(gate).status == Gate.Status.VOID


def test_cancelled_gate_leaves_no_run_behind() -> None:
    _, gate = begin_gate()
    person = make_user(name="Mia")
    cancel_gate(gate=gate, by=person)
    gate.refresh_from_db()
    assert (gate.status, gate.sentence) == (Gate.Status.CANCELLED, "Cancelled by Mia.")
    assert {gate.candidate_run.status, gate.baseline_run.status} == {EvalRun.Status.CANCELLED}
    assert not Run.objects.filter(status__in=Run.OPEN).exists()
    with pytest.raises(GateError, match="ended already"):
        cancel_gate(gate=gate, by=person)


def test_eval_run_of_a_gate_is_cancelled_with_the_gate_only() -> None:
    _, gate = begin_gate()
    with pytest.raises(GoldenError, match="cancel the gate"):
        cancel_eval_run(eval_run=gate.candidate_run, by=make_user())


def test_test_that_is_archived_while_it_runs_voids_the_gate() -> None:
    agent, gate = begin_gate(num_tests=2)
    EvalRun.objects.filter(pk=gate.baseline_run_id).update(
        status="void", ended_because="The test “Test 1” was archived while it ran."
    )
    found = settled(gate)
    assert found.status == Gate.Status.VOID
    assert found.sentence == "The test “Test 1” was archived while it ran."
    assert found.candidate_run.status == EvalRun.Status.VOID
    assert not Run.objects.filter(status__in=Run.OPEN, agent=agent, version=gate.candidate).exists()


def test_quarantined_test_does_not_decide(settings) -> None:
    agent, _ = make_shop_agent()
    for number in range(1, 8):
        more = {"quarantined_until": "2999-01-01", "quarantine_reason": "Flaky."}
        make_sound_test(agent, number, **(more if number == 1 else {}))
    gate = start_gate(candidate=make_shop_version(agent), by=make_user())
    answer(gate, now=["f", *["p"] * 6], before=["p", *["f"] * 6])
    assert settled(gate).status == Gate.Status.PASSED
    assert Decision.from_json(gate.result).num_quarantined == 1
    assert gate.candidate_run.status == EvalRun.Status.PASSED


def reply_to(request: dict[str, Any]) -> Any:
    """Cancel the order: the first version at once, the second when the customer said yes."""
    messages = request["messages"]
    if messages[-1]["role"] == "tool":
        return "Done."
    is_careful = messages[0]["content"].startswith("Be kind. (2)")
    has_asked = any(message["role"] == "assistant" for message in messages)
    if is_careful and not has_asked:
        return "Shall I cancel #T1?"
    return [CANCEL] if not any(message["role"] == "tool" for message in messages) else "Bye."


@pytest.mark.slow
def test_gate_runs_both_versions_and_passes_the_one_that_asks() -> None:
    with model_server("") as server:
        server.by_request = reply_to
        agent, _ = make_shop_agent(server.base_url)
        for number in range(1, 7):
            said = [{"role": "user", "content": f"Cancel #T1 please, for the {number}. time."}]
            make_sound_test(agent, number, input={"messages": said, "turns": ["Yes, please."]})
        with_config(agent, GateConfig(looks=(1,)))
        gate = start_gate(candidate=make_shop_version(agent), by=make_user())
        for eval_run in (gate.candidate_run, gate.baseline_run):
            run_all(eval_run, advance)
    settle_finished()
    found = settled(gate)
    assert (found.status, found.sentence.partition(":")[0]) == (Gate.Status.PASSED, "Passed")
    decision = Decision.from_json(found.result)
    assert (decision.baseline.rate, decision.candidate.rate) == (0, 1)
    assert decision.candidate.latency_ms


def test_judge_that_is_not_believed_is_waited_for_and_does_not_count() -> None:
    agent, gate = begin_gate(num_tests=6)
    answer(gate, now="p", before="f")
    result = gate.candidate_run.results.select_related("run__session").first()
    judge = make_judge_version(make_judge(agent.project))
    said = make_judgement(judge, result.run.session, eval_result=result, verdict="fail")
    Judgement.objects.filter(pk=said.pk).update(status="pending", verdict="")
    assert settled(gate).status == Gate.Status.RUNNING
    Judgement.objects.filter(pk=said.pk).update(status="done", verdict="fail")
    assert settled(gate).status == Gate.Status.PASSED
    assert Decision.from_json(gate.result).num_advisory == 1


def test_reading_the_evidence_takes_as_many_queries_for_many_tests() -> None:
    counts = []
    for num_tests in (2, 8):
        _, gate = begin_gate(num_tests=num_tests)
        answer(gate, now="pf", before="fp")
        gate = Gate.objects.select_related("candidate_run", "candidate", "baseline", "policy").get(
            pk=gate.pk
        )
        with CaptureQueriesContext(connection) as queries:
            evidence_of(gate)
        counts.append(len(queries))
    assert counts[0] == counts[1]
