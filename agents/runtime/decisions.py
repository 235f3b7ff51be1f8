"""What a person's decision about a call comes to: asked for, looked up, used once, or void."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agents.config import config_from_json, content_hash
from agents.models import Level, Run, Step, ToolApproval
from agents.outbox import tell
from agents.runtime.approval_rules import people_needed
from agents.runtime.journal import CallTool
from agents.tools.autonomy import EffectiveLevel
from agents.tools.contract import ToolContract
from agents.tools.executor import argument_problems

# What the model is told of a call that was not made; nobody refused one that expired.
_NOT_MADE = {
    ToolApproval.Status.REJECTED: "a person rejected this call: {}",
    ToolApproval.Status.RESPONDED: (
        "this call was not made; a person read it and answers you instead: {}"
    ),
    ToolApproval.Status.EXPIRED: (
        "nobody decided in time whether this call may be made, so it was not made"
    ),
}


@dataclass(frozen=True)
class Decision:
    """What is known about a call that was asked for.

    Attributes:
        status: The approval's status; `waiting` where nobody has decided, or still may take it
            back.
        arguments: What may run now, once; None where nothing may.
        refusal: What the model is told where nothing may run.
        leaves_at: Until then somebody may take the decision back, and it counts as `waiting`.
    """

    status: ToolApproval.Status
    arguments: dict[str, Any] | None = None
    refusal: str = ""
    leaves_at: datetime | None = None


def make_approval(
    *,
    run: Run,
    contract: ToolContract,
    arguments: dict[str, Any],
    level: EffectiveLevel,
    kind: ToolApproval.Kind,
    now: datetime,
) -> ToolApproval:
    """Return the row that asks people about a call; it is saved with its step.

    Whoever wants to know that a call waits is told in the same transaction.
    """
    is_approval = kind is ToolApproval.Kind.APPROVAL
    minutes = config_from_json(run.version.config).limits.approval_minutes
    asked_hash = content_hash(arguments)
    if is_approval:
        _tell_waiting(run, contract, f"{asked_hash[:12]}:{now.isoformat()}")
    return ToolApproval(
        run=run,
        kind=kind,
        tool=contract.name,
        tool_version=contract.version,
        tier=contract.tier,
        level=level.level,
        contract_hash=contract.policy_hash,
        arguments=arguments,
        arguments_hash=asked_hash,
        why=level.why[:300],
        expires_at=now + timedelta(minutes=minutes) if is_approval else None,
        num_needed=people_needed(run=run, contract=contract, arguments=arguments)
        if is_approval
        else 1,
    )


def take_decision(
    *, action: CallTool, contract: ToolContract, level: EffectiveLevel, now: datetime
) -> Decision:
    """Look up what was decided about a call; a granted one is used up by this."""
    approval = ToolApproval.objects.select_for_update().get(step=action.step)
    status = ToolApproval.Status(approval.status)
    if status is ToolApproval.Status.WAITING:
        return Decision(status)
    if approval.leaves_at is not None and approval.leaves_at > now:
        return Decision(ToolApproval.Status.WAITING, leaves_at=approval.leaves_at)
    if status in _NOT_MADE:
        return Decision(status, None, _NOT_MADE[status].format(approval.message))
    if problem := _binding_problem(approval, action, contract, level):
        void_approval(approval.step, problem)
        return Decision(ToolApproval.Status.VOID, None, f"the approval is void: {problem}")
    approval.consumed_at = now
    approval.save(update_fields=["consumed_at"])
    return Decision(status, approval.decided_arguments)


def void_approval(step: Step, reason: str) -> None:
    """Make what was asked or granted for a step void, unless it was used."""
    open_or_granted = [
        ToolApproval.Status.WAITING, ToolApproval.Status.APPROVED, ToolApproval.Status.EDITED,
    ]  # fmt: skip
    ToolApproval.objects.filter(step=step, consumed_at=None, status__in=open_or_granted).update(
        status=ToolApproval.Status.VOID, message=reason[:1000]
    )


def _tell_waiting(run: Run, contract: ToolContract, key: str) -> None:
    tell(
        project=run.project,
        event="approval_waiting",
        payload={
            "title": f"{run.agent.name} waits for approval of {contract.name}",
            "url": f"/p/{run.project.slug}/approvals/?run={run.pk}",
            "run": str(run.pk),
            "tool": contract.name,
        },
        key=f"approval_waiting:{run.pk}:{contract.name}:{key}",
    )


def _binding_problem(
    approval: ToolApproval, action: CallTool, contract: ToolContract, level: EffectiveLevel
) -> str:
    if approval.status == ToolApproval.Status.VOID:
        return approval.message or "it was withdrawn"
    if approval.consumed_at is not None:
        return "it was used already"
    if approval.tool != contract.name or approval.tool_version != contract.version:
        return f"{contract.name} is at version {contract.version} now"
    if approval.contract_hash and approval.contract_hash != contract.policy_hash:
        return f"the contract of {contract.name} was changed after the call was asked for"
    if approval.arguments_hash != content_hash(action.arguments):
        return "the arguments are not the ones that were asked for"
    if problem := _decision_problem(approval, contract):
        return problem
    if level.level.rank < Level.APPROVE.rank:
        return f"{contract.name} was lowered to {level.level.label} before the call"
    return ""


def _decision_problem(approval: ToolApproval, contract: ToolContract) -> str:
    """Say why the decision grants no call; the schema may be stricter now than when it was made."""
    granted = {ToolApproval.Status.APPROVED, ToolApproval.Status.EDITED}
    decided: Any = approval.decided_arguments
    if approval.kind != ToolApproval.Kind.APPROVAL or approval.status not in granted:
        return f"it is a {approval.get_kind_display()} that is {approval.get_status_display()}"
    if problems := argument_problems(contract, decided):
        return f"the decided arguments do not fit the tool: {'; '.join(problems)}"
    is_as_asked = content_hash(decided) == approval.arguments_hash
    if approval.status == ToolApproval.Status.APPROVED and not is_as_asked:
        return "it was approved as proposed, with other arguments"
    return ""
