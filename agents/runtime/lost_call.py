"""What to do about a call outside whose worker never said how it ended.

| effect | what a resumed run does |
|---|---|
| read, idempotent | calls again |
| keyed | looks its key up where the tool can; else sends the same key again |
| unkeyed | asks a person |

A call that may have changed something is never answered otherwise: where the authority to make it
again is gone, a person is asked too.
"""

from dataclasses import dataclass

from agents.models import Effect, Step
from agents.runtime.calls import CallOutcome, Decided
from agents.tools.contract import ToolContract


@dataclass(frozen=True)
class LookUp:
    """Ask the tool what became of a step's key before anything else."""

    contract: ToolContract


def recover(step: Step, contract: ToolContract | None) -> LookUp | str | None:
    """Return how to find out about a lost call; None: decide about it again and call again.

    A text says why only a person can find out.
    """
    lost = f"The worker was lost in the middle of {step.name}"
    if contract is None:
        return f"{lost}, and the tool is not there any more."
    if contract.is_inside or contract.effect == Effect.READ:
        return None
    if contract.withdrawn:
        return f"{lost}, and it cannot be called any more: {contract.withdrawn}."
    if contract.version != step.tool_version:
        return (
            f"{lost}; it was called at version {step.tool_version or '?'} of its contract, which "
            f"is at {contract.version} now."
        )
    if contract.effect == Effect.UNKEYED:
        return f"{lost}, and each call of it is done anew: calling again could do it twice."
    if contract.effect == Effect.KEYED and contract.has_lookup:
        return LookUp(contract)
    return None


def may_not_be_repeated(contract: ToolContract, decided: Decided) -> str:
    """Say why a call that may have happened cannot be repeated; empty: it can, or only reads."""
    if contract.is_inside or contract.is_read or not isinstance(decided, CallOutcome):
        return ""
    if decided.made_with is not None:
        return ""
    refusal = str((decided.response or {}).get("error", "")) or "it needs a person's decision now"
    return f"{contract.name} may have happened and cannot be called again to find out: {refusal}"
