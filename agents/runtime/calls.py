"""One tool call under the authority that holds now: refused, proposed, parked, or done.

Everything here happens in the transaction that holds the run's row; levels, lifts and ceilings
are read and locked in it, so a change of authority either precedes the effect or waits for it.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from agents.config import config_from_json, content_hash
from agents.models import Level, Run, Step, ToolApproval
from agents.runtime.journal import CallTool
from agents.tools.autonomy import EffectiveLevel, level_for_effect
from agents.tools.contract import ToolContract
from agents.tools.executor import (
    CallResult,
    answer_recorded,
    argument_problems,
    execute,
    failed,
)
from agents.tools.registry import UnknownToolError, contract_for

SUGGESTED = (
    "Not executed: this tool may only be proposed here. The proposal was passed to a person; "
    "do not claim that it was done."
)


@dataclass(frozen=True)
class CallOutcome:
    """What to write for a call.

    Attributes:
        status: The step's status.
        response: The step's response; None while it waits.
        attributes: For the span.
        approval: A row to create with the step, or None.
    """

    status: Step.Status
    response: dict[str, Any] | None
    attributes: dict[str, Any] = field(default_factory=dict)
    approval: ToolApproval | None = None


def perform_call(*, run: Run, action: CallTool, now: datetime) -> CallOutcome:
    """Decide and, where allowed, do a call; call it inside `fenced` only."""
    try:
        contract = contract_for(action.name)
    except UnknownToolError:
        return _without_contract(run, action)
    level = level_for_effect(agent=run.agent, tool=action.name, now=now)
    tools = config_from_json(run.version.config).tools
    if level is None or action.name not in tools or level.level is Level.OFF:
        if action.step:
            _void(action.step, f"{action.name} was turned off before the call")
        return _done(_refused(action.name, level))
    if action.arguments is None:
        return _done(failed(f"the arguments are not a JSON object: {action.raw_arguments[:200]}"))
    if problems := argument_problems(contract, action.arguments):
        return _done(failed(f"the arguments do not fit the tool: {'; '.join(problems)}"))
    if action.step:
        return _after_decision(run, action, contract, level, now)
    if run.kind == Run.Kind.GOLDEN or level.level is Level.AUTONOMOUS:
        return _execute(run, action, contract, action.arguments, {"level": "autonomous"})
    kind = (
        ToolApproval.Kind.APPROVAL if level.level is Level.APPROVE else ToolApproval.Kind.SUGGESTION
    )
    return _ask(run, action.arguments, contract, level, kind, now)


def effect_key(run: Run, action: CallTool) -> str:
    """Return the call's idempotency key: the same at every attempt of the same step."""
    return f"{run.pk}:{action.index}"


def _ask(
    run: Run,
    arguments: dict[str, Any],
    contract: ToolContract,
    level: EffectiveLevel,
    kind: ToolApproval.Kind,
    now: datetime,
) -> CallOutcome:
    is_approval = kind is ToolApproval.Kind.APPROVAL
    minutes = config_from_json(run.version.config).limits.approval_minutes
    approval = ToolApproval(
        run=run,
        kind=kind,
        tool=contract.name,
        tool_version=contract.version,
        arguments=arguments,
        arguments_hash=content_hash(arguments),
        why=level.why,
        expires_at=now + timedelta(minutes=minutes) if is_approval else None,
    )
    attributes = {"level": str(level.level), "bound_by": level.why}
    if is_approval:
        return CallOutcome(Step.Status.WAITING, None, attributes, approval)
    return CallOutcome(
        Step.Status.DONE, {"result": SUGGESTED, "is_suggestion": True}, attributes, approval
    )


def _after_decision(
    run: Run, action: CallTool, contract: ToolContract, level: EffectiveLevel, now: datetime
) -> CallOutcome:
    approval = ToolApproval.objects.select_for_update().get(step=action.step)
    status = ToolApproval.Status(approval.status)
    if status is ToolApproval.Status.WAITING:
        return CallOutcome(Step.Status.WAITING, None, {"level": str(level.level)})
    if status is ToolApproval.Status.REJECTED:
        return _done(
            failed(f"a person rejected this call: {approval.message}", decision="rejected")
        )
    if status is ToolApproval.Status.EXPIRED:
        text = "nobody decided in time whether this call may be made, so it was not made"
        return _done(failed(text, decision="expired"))
    if problem := _binding_problem(approval, action, contract, level):
        _void(approval.step, problem)
        return _done(failed(f"the approval is void: {problem}", decision="void"))
    approval.consumed_at = now
    approval.save(update_fields=["consumed_at"])
    decided: Any = approval.decided_arguments
    return _execute(run, action, contract, decided, {"decision": str(status)})


def _binding_problem(
    approval: ToolApproval, action: CallTool, contract: ToolContract, level: EffectiveLevel
) -> str:
    if approval.status == ToolApproval.Status.VOID:
        return approval.message or "it was withdrawn"
    if approval.consumed_at is not None:
        return "it was used already"
    if approval.tool != contract.name or approval.tool_version != contract.version:
        return f"{contract.name} is at version {contract.version} now"
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


def _execute(
    run: Run,
    action: CallTool,
    contract: ToolContract,
    arguments: dict[str, Any],
    attributes: dict[str, Any],
) -> CallOutcome:
    result = execute(
        run=run, contract=contract, arguments=arguments, effect_key=effect_key(run, action)
    )
    if arguments != action.arguments:
        attributes = {**attributes, "executed_arguments": arguments}
    return _done(CallResult(result.response, {**result.attributes, **attributes}))


def _refused(name: str, level: EffectiveLevel | None) -> CallResult:
    reason = "it is off" if level else "it is not given to this agent"
    return failed(f"the tool {name} may not be used: {reason}", is_policy_violation=True)


def _without_contract(run: Run, action: CallTool) -> CallOutcome:
    recorded = answer_recorded(run, action.name, action.arguments or {}) if run.fixtures else None
    return _done(recorded or failed(f"there is no tool called {action.name}"))


def _void(step: Step, reason: str) -> None:
    open_or_granted = [
        ToolApproval.Status.WAITING, ToolApproval.Status.APPROVED, ToolApproval.Status.EDITED,
    ]  # fmt: skip
    ToolApproval.objects.filter(step=step, consumed_at=None, status__in=open_or_granted).update(
        status=ToolApproval.Status.VOID, message=reason[:1000]
    )


def _done(result: CallResult) -> CallOutcome:
    status = Step.Status.FAILED if result.is_failed else Step.Status.DONE
    return CallOutcome(status, result.response, result.attributes)
