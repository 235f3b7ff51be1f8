"""A gate as a release's evidence: what it binds, and what makes it void."""

import pytest

from agents.gate.config import GateConfig
from agents.gate.policy import approve_policy, propose_policy
from agents.gate.run import settle_gates, start_gate
from agents.golden.edit import archive_test
from agents.models import EvalRun, Gate, Release
from agents.releases.candidates import proven_tools
from agents.releases.errors import EvidenceError, EvidenceVoidError
from agents.releases.evidence import what_changed
from agents.releases.propose import approve_release, request_release
from tests.authority import make_step
from tests.factories import make_user
from tests.gate import answer, begin_gate, make_sound_test
from tests.shop import CANCEL, make_live, make_shop_agent, make_shop_version

pytestmark = pytest.mark.django_db


def ended(now: str = "p", before: str = "f", num_tests: int = 6) -> Gate:
    """Run a gate to its end."""
    _, gate = begin_gate(num_tests=num_tests)
    while gate.status == Gate.Status.RUNNING:
        answer(gate, now=now, before=before)
        settle_gates()
        gate.refresh_from_db()
    return gate


def request(gate: Gate) -> Release:
    return request_release(
        version=gate.candidate, eval_run=None, gate=gate, reason="Better.", by=make_user()
    )


def change_policy(gate: Gate) -> None:
    policy = propose_policy(
        project=gate.agent.project,
        config=GateConfig(margin_points=1),
        reason="Stricter.",
        by=make_user(),
    )
    approve_policy(policy=policy, by=make_user())


def test_passed_gate_is_evidence_although_single_repeats_failed() -> None:
    gate = ended(now="ppf", before="f")
    assert gate.candidate_run.status == "failed"
    release = request(gate)
    assert (release.gate, release.eval_run) == (gate, gate.candidate_run)
    assert release.evidence_note == ""
    approve_release(release=release, by=make_user())
    gate.agent.refresh_from_db()
    assert gate.agent.live_version == gate.candidate


def test_failed_gate_is_no_evidence_and_says_why() -> None:
    with pytest.raises(EvidenceError, match=r"is failed; .* Failed: v2 is worse"):
        request(ended(now="f", before="p"))


def test_running_gate_is_no_evidence() -> None:
    _, gate = begin_gate()
    with pytest.raises(EvidenceError, match="is running"):
        request(gate)


def test_inconclusive_gate_goes_to_a_person_and_says_so() -> None:
    release = request(ended(now="pf", before="fp", num_tests=2))
    assert release.evidence_note.startswith("The gate did not decide; a person does.")
    approve_release(release=release, by=make_user())


def test_gate_of_another_version_is_refused() -> None:
    gate = ended()
    other = make_shop_version(gate.agent)
    with pytest.raises(EvidenceError, match="was about v2, not v3"):
        request_release(version=other, eval_run=None, gate=gate, reason="Why.", by=make_user())


def test_gate_over_some_tests_is_no_evidence() -> None:
    agent, _ = make_shop_agent()
    tests = [make_sound_test(agent, number) for number in range(1, 8)]
    candidate = make_shop_version(agent)
    gate = start_gate(candidate=candidate, tests=tests[1:], by=make_user())
    answer(gate, now="p", before="f")
    settle_gates()
    gate.refresh_from_db()
    with pytest.raises(EvidenceError, match="some of the golden tests only"):
        request(gate)


def test_other_thresholds_void_the_evidence() -> None:
    release = request(ended())
    change_policy(release.gate)
    with pytest.raises(EvidenceVoidError, match="thresholds were changed; rules 1 are in force"):
        approve_release(release=release, by=make_user())
    release.refresh_from_db()
    assert release.status == Release.Status.VOID


def test_other_live_version_voids_the_evidence() -> None:
    release = request(ended())
    make_live(make_shop_version(release.agent))
    with pytest.raises(EvidenceVoidError, match="v3 is live now, and it was compared with v1"):
        approve_release(release=release, by=make_user())


def test_archived_test_voids_the_evidence_by_name() -> None:
    gate = ended()
    test = gate.agent.golden_tests.get(slug="test-1")
    archive_test(test=test, by=make_user(), reason="Obsolete.")
    gate.agent.refresh_from_db()
    found = what_changed(agent=gate.agent, eval_run=gate.candidate_run, gate=gate)
    assert found == "golden test archived: test-1"


def test_hash_covers_the_outcome() -> None:
    gate = ended()
    first = request(gate).evidence_hash
    Release.objects.all().delete()
    gate.result["diff"] = 0.5
    gate.save(update_fields=["result"])
    assert request(gate).evidence_hash != first


def test_tools_are_proven_by_tests_that_passed_every_time_in_a_passed_gate() -> None:
    gate = ended(now="p", before="f")
    run = gate.candidate_run.results.select_related("run").first().run
    make_step(run, gate.agent.tools.get(name=CANCEL[0]), 0)
    gate.candidate_run.status = "failed"
    assert proven_tools(gate.candidate_run) == set()
    assert proven_tools(gate.candidate_run, gate) == {CANCEL[0]}


def test_eval_run_of_a_gate_that_failed_is_no_evidence_by_itself() -> None:
    gate = ended(now="p", before="p", num_tests=60)
    assert gate.candidate_run.status == "passed"
    Gate.objects.filter(pk=gate.pk).update(status="failed", sentence="Failed: too dear.")
    with pytest.raises(EvidenceError, match="Failed: too dear"):
        request_release(
            version=gate.candidate, eval_run=gate.candidate_run, reason="Why.", by=make_user()
        )


def test_gate_that_was_written_over_after_the_request_makes_it_void() -> None:
    gate = ended(now="pf", before="fp", num_tests=2)
    release = request(gate)
    Gate.objects.filter(pk=gate.pk).update(status="passed")
    with pytest.raises(EvidenceVoidError, match="not what it was when this was requested"):
        approve_release(release=release, by=make_user())


def test_a_passed_eval_run_does_not_outweigh_the_gate_that_failed() -> None:
    gate = ended(now="p", before="p", num_tests=60)
    Gate.objects.filter(pk=gate.pk).update(status="failed", sentence="Failed: too dear.")
    alone = EvalRun.objects.get(pk=gate.candidate_run_id)
    alone.pk, alone._state.adding = None, True
    alone.save()
    with pytest.raises(
        EvidenceError, match=r"passed, but gate \d+, the last .* run its gate again"
    ):
        request_release(version=gate.candidate, eval_run=alone, reason="Why.", by=make_user())


def test_a_gate_that_fails_later_voids_the_one_that_passed() -> None:
    gate = ended()
    release = request(gate)
    later = start_gate(candidate=gate.candidate, baseline=gate.baseline, by=make_user())
    while later.status == Gate.Status.RUNNING:
        answer(later, now="f", before="p")
        settle_gates()
        later.refresh_from_db()
    assert later.status == Gate.Status.FAILED
    with pytest.raises(EvidenceVoidError, match=f"gate {later.pk}, the last"):
        approve_release(release=release, by=make_user())
