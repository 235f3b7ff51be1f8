"""Taint: a run that has read content of strangers trusts its model less from there on."""

from agents.models import Run, Step
from agents.tools.contract import ToolContract

WHY = "its results hold text that strangers wrote"


def note_result(*, run: Run, step: Step, contract: ToolContract) -> bool:
    """Note that a run has read a tool's result or error; say whether that tainted it.

    Only the first untrusted content is kept. Called inside `fenced`, after that is stored;
    one query where the run becomes tainted, else none.
    """
    if run.taint is not None or not contract.policy.is_untrusted:
        return False
    run.taint = {"step": step.index, "tool": contract.name, "why": WHY}
    run.save(update_fields=["taint"])
    return True
