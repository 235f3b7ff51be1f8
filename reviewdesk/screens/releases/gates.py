"""What the Releases screen shows of gates: a version's newest one, and what it proves."""

from dataclasses import dataclass

from agents.gate.decision import Decision
from agents.models import Agent, Gate, Release, Version
from agents.releases.evidence import what_changed
from agents.releases.gate_evidence import PROVING
from reviewdesk.screens.golden.gate_pages import GatePage, read_gate


@dataclass(frozen=True)
class VersionGate:
    """A version's newest gate.

    Attributes:
        void_because: What made it void since it ended, in words; empty while it holds.
    """

    gate: Gate
    decision: Decision | None
    void_because: str

    @property
    def is_proof(self) -> bool:
        """Say whether a release can be requested on it."""
        return self.gate.status in PROVING and not self.void_because

    @property
    def is_undecided(self) -> bool:
        """Say whether it leaves the decision to a person."""
        return self.gate.status == Gate.Status.INCONCLUSIVE


def version_gate(agent: Agent, version: Version) -> VersionGate | None:
    """Return a version's newest gate that was not cancelled. At most eight queries."""
    found = Gate.objects.filter(candidate=version).exclude(status=Gate.Status.CANCELLED)
    gate = (
        found.select_related("candidate_run__version", "baseline_run", "baseline", "policy")
        .order_by("-pk")
        .first()
    )
    if gate is None:
        return None
    gate.agent, gate.candidate = agent, version
    is_proving = gate.status in PROVING
    return VersionGate(
        gate=gate,
        decision=Decision.from_json(gate.result) if gate.result else None,
        void_because=what_changed(agent=agent, eval_run=None, gate=gate) if is_proving else "",
    )


def release_gate(release: Release) -> GatePage | None:
    """Return the gate that a release rests on, as its own page shows it. At most three queries."""
    gate = release.gate
    if gate is None:
        return None
    gate.agent, gate.candidate = release.agent, release.version
    return read_gate(gate)
