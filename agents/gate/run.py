"""Running a gate: both versions' eval runs in one window, look by look until it is decided."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from random import SystemRandom
from typing import Any, NotRequired, TypedDict, Unpack

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Exists, OuterRef, Q

from agents.errors import GateError, GoldenError
from agents.gate.config import GateConfig
from agents.gate.decide import decide, to_rerun
from agents.gate.decision import Decision, Outcome
from agents.gate.evidence import Evidence
from agents.gate.parts import note_parts
from agents.gate.policy import config_for
from agents.gate.recorded import evidence_of
from agents.golden.expectations import count_verdicts, waits_for_judges
from agents.golden.plan import chosen_tests, repeats_of
from agents.golden.runner import add_repeats, finish, rerun_tests, start_pair
from agents.golden.settle import shown_by
from agents.models import Agent, EvalResult, EvalRun, Gate, GatePolicy, GoldenTest, Version
from agents.tools.autonomy import database_now
from traces.clean import clean_text

_STATUS = {
    Outcome.PASSED: Gate.Status.PASSED,
    Outcome.FAILED: Gate.Status.FAILED,
    Outcome.INCONCLUSIVE: Gate.Status.INCONCLUSIVE,
    Outcome.VOID: Gate.Status.VOID,
}
_LONGEST_SENTENCE = 1000
_logger = logging.getLogger(__name__)


class Asked(TypedDict):
    """What a gate is asked for with; see `find_or_start_gate`."""

    candidate: Version
    by: AbstractBaseUser | None
    baseline: NotRequired[Version | None]
    tests: NotRequired[Sequence[GoldenTest] | None]
    suites: NotRequired[Collection[str]]
    seed: NotRequired[int | None]


def start_gate(**asked: Unpack[Asked]) -> Gate:
    """Begin a gate, or return the one that answers the same already; see `find_or_start_gate`."""
    return find_or_start_gate(**asked)[0]


def find_or_start_gate(
    *,
    candidate: Version,
    baseline: Version | None = None,
    tests: Sequence[GoldenTest] | None = None,
    suites: Collection[str] = (),
    seed: int | None = None,
    by: AbstractBaseUser | None,
) -> tuple[Gate, bool]:
    """Begin a gate: plan both eval runs and queue their runs, by the thresholds that hold now.

    The same two versions asked for again, on the same tests, while their gate runs give that gate.

    Returns:
        The gate, and whether it was begun here: whoever only found it has no business ending it.

    Args:
        candidate: The version on trial.
        baseline: What it is compared with; None is the live version.
        tests: Only these; None is all of the agent's. A gate over some is no evidence.
        suites: Only tests of these suites; none is all.
        seed: Of the order of runs and of the resampling; None draws one.
        by: Who asked.

    Raises:
        GateError: There is no baseline, the first look alone would take too many runs, or a gate
            of the two versions is running on other tests or by other thresholds.
        GoldenError: As `start_pair`.
    """
    with transaction.atomic():
        agent = _locked_agent(candidate)
        against = _baseline(agent, candidate, baseline)
        same = Gate.objects.filter(
            candidate=candidate, baseline=against, status=Gate.Status.RUNNING
        )
        config, policy = config_for(agent.project_id)
        chosen = chosen_tests(agent, tests=tests, suites=suites)
        if known := same.select_related("candidate_run").first():
            _check_same(known, policy, chosen)
            return known, False
        looks = looks_within(config, chosen)
        seed = SystemRandom().randrange(2**31) if seed is None else seed
        candidate_run, baseline_run = start_pair(
            candidate=candidate,
            baseline=against,
            tests=tests,
            suites=suites,
            num_repeats=looks[0],
            seed=seed,
            by=by,
        )
        note_parts(eval_run=candidate_run, tests=chosen)
        gate = Gate.objects.create(
            agent=agent,
            candidate=candidate,
            baseline=against,
            candidate_run=candidate_run,
            baseline_run=baseline_run,
            policy=policy,
            config=replace(config, looks=looks).to_json(),
            seed=seed,
            requested_by_id=by.pk if by else None,
        )
        return gate, True


def looks_within(config: GateConfig, tests: Sequence[GoldenTest]) -> tuple[int, ...]:
    """Return the looks for which the runs suffice; they are settled before the first run.

    Raises:
        GateError: Not even the first look's runs are allowed.
    """
    taken = {look: 2 * sum(repeats_of(test, look) for test in tests) for look in config.looks}
    looks = tuple(look for look in config.looks if taken[look] <= config.max_runs)
    if not looks:
        raise GateError(
            f"{len(tests):,} tests take {taken[config.looks[0]]:,} runs at the first look, and a "
            f"gate may take {config.max_runs:,}: choose a suite, or raise max_runs in the gate's "
            "thresholds."
        )
    return looks


def cancel_gate(*, gate: Gate, by: AbstractBaseUser | None, because: str = "") -> Gate:
    """Stop a gate with both eval runs; nothing of it is evidence.

    Raises:
        GateError: It has ended already.
    """
    with transaction.atomic():
        row = _locked(gate.pk)
        if row.status != Gate.Status.RUNNING:
            raise GateError(f"This gate has ended already: it is {row.get_status_display()}.")
        why = because or (f"Cancelled by {by}." if by else "Cancelled.")
        return _stop(row, Gate.Status.CANCELLED, why, by)


def settle_gates() -> int:
    """Decide the gates whose runs are all judged, or whose eval runs ended; return how many.

    Safe to call anywhere, often and at once: each gate is settled with its row locked. One that
    cannot be decided becomes void and keeps no other from it.
    """
    pending = EvalResult.objects.filter(
        Q(eval_run=OuterRef("candidate_run")) | Q(eval_run=OuterRef("baseline_run")),
        status=EvalResult.Status.PENDING,
    )
    is_stopped = ~Q(candidate_run__status=EvalRun.Status.RUNNING) | ~Q(
        baseline_run__status=EvalRun.Status.RUNNING
    )
    ready = Gate.objects.filter(is_stopped | ~Exists(pending), status=Gate.Status.RUNNING)
    return sum(_settle_or_void(pk) for pk in ready.order_by("pk").values_list("pk", flat=True))


def _settle_or_void(pk: int) -> bool:
    try:
        return _settle(pk)
    except (InterfaceError, OperationalError):
        raise
    except Exception as error:
        _logger.exception("Gate %s cannot be decided.", pk)
        why = f"It could not be decided: {type(error).__name__}: {clean_text(str(error))}"
        with transaction.atomic():
            gate = _locked(pk)
            if gate.status == Gate.Status.RUNNING:
                _stop(gate, Gate.Status.VOID, why)
        return True


def _settle(pk: int) -> bool:
    with transaction.atomic():
        gate = _locked(pk)
        if gate.status != Gate.Status.RUNNING:
            return False
        if stopped := _stopped_run(gate):
            _stop(gate, Gate.Status(stopped.status), stopped.ended_because)
            return True
        if _is_waiting(gate):
            return False
        _look(gate)
    return True


def _look(gate: Gate) -> None:
    """Decide at this look; add runs where they may change what was decided, else end."""
    config = GateConfig.from_json(gate.config)
    for eval_run in (gate.candidate_run, gate.baseline_run):
        count_verdicts(eval_run)
    evidence = evidence_of(gate)
    decision = decide(evidence, config)
    while _ask_for_more(gate, evidence, decision):
        if _is_waiting(gate):
            _store(gate, decision)
            return
        evidence = evidence_of(gate)
        decision = decide(evidence, config)
    _end(gate, decision)


def _ask_for_more(gate: Gate, evidence: Evidence, decision: Decision) -> bool:
    """Queue confirming re-runs, or the next look's repeats; say whether either was done."""
    if keys := to_rerun(evidence, decision):
        _rerun(gate.candidate_run, keys)
        return True
    if decision.is_final or decision.next_repeats is None:
        return False
    try:
        add_repeats(eval_runs=[gate.candidate_run, gate.baseline_run], to=decision.next_repeats)
    except GoldenError:
        # More runs than one plan may hold: what is known so far is what there is.
        return False
    gate.look += 1
    return True


def _rerun(eval_run: EvalRun, keys: Sequence[str]) -> None:
    """Run tests once more under the candidate, and note it: a finding is confirmed only once."""
    tests = GoldenTest.objects.filter(agent=eval_run.agent_id, slug__in=keys)
    rerun_tests(eval_run=eval_run, tests=list(tests))
    eval_run.options["rerun"] = sorted({*eval_run.options.get("rerun", ()), *keys})
    eval_run.save(update_fields=["options"])


def _end(gate: Gate, decision: Decision) -> None:
    if decision.outcome is Outcome.VOID:
        _store(gate, decision)
        _stop(gate, Gate.Status.VOID, decision.sentence)
        return
    quarantined = gate.candidate_run.options.get("quarantined", [])
    for eval_run in (gate.candidate_run, gate.baseline_run):
        counted = eval_run.results.exclude(test__slug__in=quarantined)
        finish(eval_run, *shown_by(counted))
    gate.status, gate.finished_at = _STATUS[decision.outcome], database_now()
    _store(gate, decision, "status", "finished_at")


def _stop(
    gate: Gate, status: Gate.Status, because: str, by: AbstractBaseUser | None = None
) -> Gate:
    """End a gate without an outcome, and both eval runs with it."""
    for eval_run in (gate.candidate_run, gate.baseline_run):
        finish(eval_run, EvalRun.Status(status), because or f"Gate {gate.pk} has ended.", by)
    gate.status, gate.finished_at = status, database_now()
    gate.sentence = (because or f"It was {status.label}.")[:_LONGEST_SENTENCE]
    gate.save(update_fields=["status", "finished_at", "sentence"])
    return gate


def _store(gate: Gate, decision: Decision, *more: str) -> None:
    gate.result = decision.to_json()
    gate.sentence = decision.sentence[:_LONGEST_SENTENCE]
    gate.save(update_fields=["result", "sentence", "look", *more])


def _stopped_run(gate: Gate) -> EvalRun | None:
    """Return the eval run that ended before its gate, for instance since a test was edited."""
    ended = (EvalRun.Status.VOID, EvalRun.Status.CANCELLED)
    runs = (gate.candidate_run, gate.baseline_run)
    return next((each for each in runs if each.status in ended), None)


def _is_waiting(gate: Gate) -> bool:
    """Say whether a run is still to be judged, by its checks or by a judge."""
    runs: list[EvalRun] = [gate.candidate_run, gate.baseline_run]
    pending = EvalResult.objects.filter(eval_run__in=runs, status=EvalResult.Status.PENDING)
    return pending.exists() or any(waits_for_judges(eval_run) for eval_run in runs)


def _locked(pk: Any) -> Gate:
    """Lock a gate, then its eval runs, and return it with all it takes to decide it."""
    gate = (
        Gate.objects.select_for_update(of=("self",))
        .select_related("candidate", "baseline", "policy")
        .get(pk=pk)
    )
    runs = EvalRun.objects.select_for_update().order_by("pk")
    found = {
        run.pk: run for run in runs.filter(pk__in=[gate.candidate_run_id, gate.baseline_run_id])
    }
    gate.candidate_run = found[gate.candidate_run_id]
    gate.baseline_run = found[gate.baseline_run_id]
    return gate


def _locked_agent(candidate: Version) -> Agent:
    agents = Agent.objects.select_for_update(of=("self",)).select_related("live_version")
    agent = agents.filter(pk=candidate.agent_id, versions=candidate.pk).first()
    if agent is None:
        raise GateError(f"{candidate} was deleted meanwhile: nothing was started.")
    return agent


def _check_same(known: Gate, policy: GatePolicy | None, chosen: Sequence[GoldenTest]) -> None:
    """Raise `GateError` where a gate that is running does not answer what is asked for now."""
    ran = set(known.candidate_run.results.values_list("test_id", flat=True))
    if ran == {test.pk for test in chosen} and known.policy_id == (policy.pk if policy else None):
        return
    raise GateError(
        f"Gate {known.pk} compares {known.candidate} with {known.baseline} already, on other tests "
        "or by thresholds that hold no more: wait for it, or cancel it first."
    )


def _baseline(agent: Agent, candidate: Version, baseline: Version | None) -> Version:
    if baseline is not None:
        return baseline
    if agent.live_version is None:
        raise GateError(
            f"{agent} has no live version to compare {candidate} with: name a baseline."
        )
    if agent.live_version_id == candidate.pk:
        raise GateError(
            f"{candidate} is live itself: choose another candidate, or name another baseline."
        )
    return agent.live_version
