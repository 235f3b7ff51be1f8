"""What a gate proves of a version, and what made that void since."""

from agents.config import content_hash
from agents.gate.policy import active_policy
from agents.golden.runner import is_evidence_valid
from agents.models import Agent, Gate, Version
from agents.releases.errors import EvidenceError

PROVING = (Gate.Status.PASSED, Gate.Status.INCONCLUSIVE)
_DECIDED = (*PROVING, Gate.Status.FAILED)
LONGEST_NOTE = 300


def checked_gate(*, agent: Agent, version: Version, gate: Gate) -> tuple[str, str]:
    """Return a gate's evidence hash for a request, and a note where it is inconclusive.

    Raises:
        EvidenceError: It is another version's, proves nothing, or holds no more.
    """
    if gate.candidate_id != version.pk:
        raise EvidenceError(f"Gate {gate.pk} was about {gate.candidate}, not {version}.")
    if gate.status not in PROVING:
        raise EvidenceError(
            f"Gate {gate.pk} of {version} is {gate.get_status_display()}; a release needs one that "
            f"passed. {gate.sentence}".rstrip()
        )
    if change := what_changed_since(agent=agent, gate=gate):
        raise EvidenceError(
            f"Gate {gate.pk} proves nothing any more: {change}. Run the gate on {version} again."
        )
    return gate_hash(gate), note_of(gate)


def note_of(gate: Gate) -> str:
    """Return what a release says of a gate that did not pass; empty if it did."""
    if gate.status != Gate.Status.INCONCLUSIVE:
        return ""
    note = f"The gate did not decide; a person does. {gate.sentence}"
    return note if len(note) <= LONGEST_NOTE else f"{note[: LONGEST_NOTE - 1]}…"


def gate_hash(gate: Gate) -> str:
    """Return what binds a gate's outcome: both versions, the tests, the thresholds, the result."""
    return content_hash(
        {
            "gate": gate.pk,
            "candidate": gate.candidate.content_hash,
            "baseline": gate.baseline.content_hash,
            "tests": [gate.candidate_run.evidence_hash, gate.baseline_run.evidence_hash],
            "policy": gate.policy.number if gate.policy else None,
            "config": gate.config,
            "outcome": gate.status,
            "result": gate.result,
        }
    )


def what_changed_since(*, agent: Agent, gate: Gate) -> str:
    """Return what made a gate's evidence void, in words; empty while it holds.

    At most six queries. The tests that changed are the caller's to name.
    """
    if gate.status not in PROVING:
        return f"gate {gate.pk} is {gate.get_status_display()} now"
    if agent.live_version_id not in (None, gate.baseline_id):
        return f"{agent.live_version} is live now, and it was compared with {gate.baseline}"
    policy = active_policy(agent.project_id)
    if (policy.pk if policy else None) != gate.policy_id:
        now = f"rules {policy.number} are" if policy else "the defaults are"
        return f"the gate's thresholds were changed; {now} in force"
    if gate.candidate_run.is_partial:
        return "it is over some of the golden tests only"
    if not is_evidence_valid(gate.candidate_run):
        return "its tests are not the same any more"
    return refuted_by(gate.candidate)


def refuted_by(version: Version) -> str:
    """Return that the last gate decided about a version failed; empty if it did not. One query.

    Neither an earlier gate nor an eval run of its own outweighs that: only another gate does.
    """
    last = version.gates.filter(status__in=_DECIDED).order_by("-finished_at", "-pk").first()
    if last is None or last.status != Gate.Status.FAILED:
        return ""
    return f"gate {last.pk}, the last that was decided about {version}, failed"
