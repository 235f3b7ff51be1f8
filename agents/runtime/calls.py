"""One tool call under the authority that holds now: refused, proposed, parked, or done.

Everything here happens in the transaction that holds the run's row; levels, lifts and ceilings
are read and locked in it, so a change of authority either precedes the effect or waits for it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agents.config import config_from_json
from agents.models import Level, Run, Step, ToolApproval
from agents.runtime.decisions import make_approval, take_decision, void_approval
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
        contract = contract_for(action.name, run.project_id)
    except UnknownToolError:
        return _without_contract(run, action)
    level = level_for_effect(agent=run.agent, tool=action.name, now=now)
    tools = config_from_json(run.version.config).tools
    if level is None or action.name not in tools or level.level is Level.OFF:
        if action.step:
            void_approval(action.step, f"{action.name} was turned off before the call")
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
    approval = make_approval(
        run=run, contract=contract, arguments=action.arguments, level=level, kind=kind, now=now
    )
    attributes = {"level": str(level.level), "bound_by": level.why}
    if kind is ToolApproval.Kind.APPROVAL:
        return CallOutcome(Step.Status.WAITING, None, attributes, approval)
    response = {"result": SUGGESTED, "is_suggestion": True}
    return CallOutcome(Step.Status.DONE, response, attributes, approval)


def effect_key(run: Run, action: CallTool) -> str:
    """Return the call's idempotency key: the same at every attempt of the same step."""
    return f"{run.pk}:{action.index}"


def _after_decision(
    run: Run, action: CallTool, contract: ToolContract, level: EffectiveLevel, now: datetime
) -> CallOutcome:
    decision = take_decision(action=action, contract=contract, level=level, now=now)
    if decision.status is ToolApproval.Status.WAITING:
        return CallOutcome(Step.Status.WAITING, None, {"level": str(level.level)})
    if decision.arguments is None:
        return _done(failed(decision.refusal, decision=str(decision.status)))
    attributes = {"decision": str(decision.status)}
    return _execute(run, action, contract, decision.arguments, attributes)


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


def _done(result: CallResult) -> CallOutcome:
    status = Step.Status.FAILED if result.is_failed else Step.Status.DONE
    return CallOutcome(status, result.response, result.attributes)
