"""One tool call under the authority that holds now: refused, proposed, asked, put off, or begun.

Everything here happens in a transaction that took the authority lock and then the run's row;
levels, lifts, ceilings and stops are read in it, so a change of authority either precedes the
effect or waits for it. A call in our own database is done in it too; one outside is only begun.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from agents.config import config_from_json
from agents.models import Level, Run, Step, ToolApproval
from agents.runtime.decisions import make_approval, take_decision, void_approval
from agents.runtime.journal import CallTool
from agents.tools.autonomy import EffectiveLevel, level_for_effect
from agents.tools.contract import ToolContract
from agents.tools.executor import (
    CallResult,
    answer_by_rule,
    answer_nothing,
    answer_recorded,
    argument_problems,
    execute,
    failed,
    may_ask_real,
)
from agents.tools.guards import Outcome, admit, settle

SUGGESTED = (
    "Not executed: this tool may only be proposed here. The proposal was passed to a person; "
    "do not claim that it was done."
)
# They work on copies of the shop and must reach nothing outside.
_OFFLINE = frozenset({Run.Kind.GOLDEN, Run.Kind.REPLAY})


@dataclass(frozen=True)
class CallOutcome:
    """What to write for a call.

    Attributes:
        status: The step's status.
        response: The step's response; None while it waits.
        attributes: For the span.
        approval: A row to create with the step, or None.
        made_with: The arguments it was made with, where it was made; else None.
        is_undoable: Whether it was made at `act_with_undo`.
    """

    status: Step.Status
    response: dict[str, Any] | None
    attributes: dict[str, Any] = field(default_factory=dict)
    approval: ToolApproval | None = None
    made_with: dict[str, Any] | None = None
    is_undoable: bool = False


@dataclass(frozen=True)
class Attempt:
    """A call outside that may be made now: slots are taken, a decision is used up."""

    contract: ToolContract
    arguments: dict[str, Any]
    effect_key: str
    attributes: dict[str, Any] = field(default_factory=dict)
    is_undoable: bool = False


@dataclass(frozen=True)
class NotYet:
    """The call may not start before `seconds` have passed; nothing was used up.

    Attributes:
        seconds: How long at least.
        attributes: For the span.
        is_for_decision: Whether a decision may still be taken back until then.
    """

    seconds: float
    attributes: dict[str, Any] = field(default_factory=dict)
    is_for_decision: bool = False


Decided = CallOutcome | Attempt | NotYet


def decide_call(
    *, run: Run, action: CallTool, contract: ToolContract, now: datetime, is_repeat: bool = False
) -> Decided:
    """Decide about a call and, in our own database, do it; call it inside `fenced` only.

    Args:
        run: With agent, version and session.
        action: What the model asked for.
        contract: Of its tool, as it is now.
        now: The database's clock.
        is_repeat: An earlier attempt may have reached the tool.
    """
    level = level_for_effect(run=run, tool=action.name, now=now, contract=contract)
    tools = config_from_json(run.version.config).tools
    if level is None or action.name not in tools or level.level is Level.OFF:
        if action.step:
            void_approval(action.step, f"{action.name} was turned off before the call")
        return settled(_refused(action.name, level))
    if contract.withdrawn and run.kind not in _OFFLINE:
        if action.step:
            void_approval(action.step, f"{action.name} cannot be called: {contract.withdrawn}")
        problem = f"the tool {action.name} cannot be called: {contract.withdrawn}"
        return settled(failed(problem))
    if problem := _argument_problem(action, contract):
        return settled(failed(problem, is_invalid_call=True))
    if approval := _approval_of(action.step):
        return _after_decision(run, action, contract, level, now, approval, is_repeat)
    if run.kind == Run.Kind.GOLDEN or level.level.is_acting:
        begun = _Begun(run, contract, now, is_repeat)
        acting = level.level if run.kind != Run.Kind.GOLDEN else Level.AUTONOMOUS
        return begun.make(action, action.arguments or {}, acting, {"bound_by": level.why})
    return _ask(run, action, contract, level, now)


def ask_ahead(*, run: Run, action: CallTool, contract: ToolContract, now: datetime) -> Decided:
    """Ask a person about a later call of the turn, if it needs one; else wait for its place."""
    level = level_for_effect(run=run, tool=action.name, now=now, contract=contract)
    tools = config_from_json(run.version.config).tools
    needs_person = level is not None and level.level is Level.APPROVE and action.name in tools
    is_pointless = contract.withdrawn or _argument_problem(action, contract)
    if level is None or not needs_person or is_pointless:
        return NotYet(0)
    return _ask(run, action, contract, level, now)


def answer_unwritten(
    *, run: Run, action: CallTool, contract: ToolContract, level: EffectiveLevel
) -> CallOutcome | None:
    """Answer a call of a golden run that has made none so far, where that takes no database.

    Returns what `decide_call` would; None where that has to decide: the call changes the run's own
    copy of the shop or reads from it, or may taint the run.

    Args:
        run: Of a test that lets no real tool be asked.
        action: What the model asked for, for the first time.
        contract: Of its tool.
        level: That holds for it.
    """
    name, arguments = action.name, action.arguments or {}
    if level.level is Level.OFF or name not in config_from_json(run.version.config).tools:
        return settled(_refused(name, level))
    if problem := _argument_problem(action, contract):
        return settled(failed(problem, is_invalid_call=True))
    if not contract.is_inside:
        answer = _answer_offline(run, contract, arguments)
        return settled(answer) if answer else None
    if not contract.is_read or _is_limited(contract) or contract.policy.is_untrusted:
        return None
    answer = answer_recorded(run, name, arguments) or answer_by_rule(run, name, arguments)
    attributes = {"level": str(Level.AUTONOMOUS), "bound_by": level.why}
    return _made(answer, arguments, attributes) if answer else None


def effect_key(run: Run, action: CallTool) -> str:
    """Return the call's idempotency key: the same at every attempt of the same step."""
    return f"{run.pk}:{action.index}"


def without_contract(run: Run, action: CallTool) -> CallOutcome:
    """Answer a call of a tool that does not exist (any more)."""
    arguments = action.arguments or {}
    answer = answer_recorded(run, action.name, arguments) if run.fixtures else None
    answer = answer or answer_by_rule(run, action.name, arguments)
    missing = failed(f"there is no tool called {action.name}", is_invalid_call=True)
    return settled(answer or missing)


def settled(result: CallResult) -> CallOutcome:
    """Return a call that has come to its end."""
    status = Step.Status.FAILED if result.is_failed else Step.Status.DONE
    return CallOutcome(status, result.response, result.attributes)


@dataclass(frozen=True)
class _Begun:
    """Making a call that is allowed: what all its ways need."""

    run: Run
    contract: ToolContract
    now: datetime
    is_repeat: bool

    def make(
        self, action: CallTool, arguments: dict[str, Any], level: Level, extra: dict[str, Any]
    ) -> Decided:
        run, contract = self.run, self.contract
        attributes = {"level": str(level), **extra}
        if arguments != action.arguments:
            attributes["executed_arguments"] = arguments
        is_undoable = level is Level.ACT_WITH_UNDO
        if not contract.is_inside and run.kind in _OFFLINE:
            if answer := _answer_offline(run, contract, arguments):
                return settled(answer)
            attributes |= {"answered_by": "tool", "is_missing": True}
        if contract.is_inside and not _is_limited(contract):
            return self._execute(action, arguments, attributes, is_undoable)
        key = effect_key(run, action)
        admission = admit(
            run=run,
            contract=contract,
            effect_key=key,
            now=self.now,
            is_repeat=self.is_repeat,
        )
        attributes |= admission.attributes
        if admission.wait_seconds is not None:
            return NotYet(admission.wait_seconds, attributes)
        if admission.fallback is not None:
            return settled(CallResult(dict(admission.fallback), attributes))
        if not admission.is_admitted:
            return settled(failed(admission.refusal, **attributes))
        if not contract.is_inside:
            return Attempt(contract, arguments, key, attributes, is_undoable)
        done = self._execute(action, arguments, attributes, is_undoable)
        outcome = Outcome.OK if done.status is Step.Status.DONE else Outcome.REFUSED
        settle(run=run, contract=contract, effect_key=key, outcome=outcome, now=self.now)
        return done

    def _execute(
        self,
        action: CallTool,
        arguments: dict[str, Any],
        attributes: dict[str, Any],
        is_undoable: bool,
    ) -> CallOutcome:
        result = execute(
            run=self.run,
            contract=self.contract,
            arguments=arguments,
            effect_key=effect_key(self.run, action),
        )
        return _made(result, arguments, attributes, is_undoable=is_undoable)


def _made(
    result: CallResult,
    arguments: dict[str, Any],
    attributes: dict[str, Any],
    *,
    is_undoable: bool = False,
) -> CallOutcome:
    status = Step.Status.FAILED if result.is_failed else Step.Status.DONE
    return CallOutcome(
        status,
        result.response,
        {**result.attributes, **attributes},
        made_with=arguments,
        is_undoable=is_undoable and not result.is_failed,
    )


def _after_decision(
    run: Run,
    action: CallTool,
    contract: ToolContract,
    level: EffectiveLevel,
    now: datetime,
    approval: ToolApproval,
    is_repeat: bool,
) -> Decided:
    """Make the call that a person decided about; it is used up only if the call starts now."""
    begun = _Begun(run, contract, now, is_repeat)
    if approval.consumed_at is not None and action.step and action.step.effect_key:
        extra = {"decision": str(approval.status)}
        if problem := _changed_since(approval, contract, level):
            return settled(failed(f"the approval is void: {problem}", decision="void"))
        return begun.make(action, approval.decided_arguments or {}, level.level, extra)
    with transaction.atomic():
        decision = take_decision(action=action, contract=contract, level=level, now=now)
        if decision.leaves_at is not None:
            return NotYet((decision.leaves_at - now).total_seconds(), is_for_decision=True)
        if decision.status is ToolApproval.Status.WAITING:
            return CallOutcome(Step.Status.WAITING, None, {"level": str(level.level)})
        extra = {"decision": str(decision.status)}
        if decision.status is ToolApproval.Status.RESPONDED:
            answer = {"result": decision.refusal, "is_answer": True}
            return settled(CallResult(answer, {**extra, "answered_by": "person"}))
        if decision.arguments is None:
            return settled(failed(decision.refusal, **extra))
        made = begun.make(action, decision.arguments, Level.APPROVE, extra)
        is_started = isinstance(made, Attempt) or (
            isinstance(made, CallOutcome) and made.made_with is not None
        )
        if not is_started:
            transaction.set_rollback(True)
    if isinstance(made, CallOutcome) and not is_started:
        void_approval(approval.step, f"{contract.name} was answered without a call")
    return made


def _ask(
    run: Run, action: CallTool, contract: ToolContract, level: EffectiveLevel, now: datetime
) -> CallOutcome:
    is_approval = level.level is Level.APPROVE
    kind = ToolApproval.Kind.APPROVAL if is_approval else ToolApproval.Kind.SUGGESTION
    approval = make_approval(
        run=run,
        contract=contract,
        arguments=action.arguments or {},
        level=level,
        kind=kind,
        now=now,
    )
    attributes: dict[str, Any] = {"level": str(level.level), "bound_by": level.why}
    if is_approval:
        return CallOutcome(Step.Status.WAITING, None, attributes, approval)
    response = {"result": SUGGESTED, "is_suggestion": True}
    attributes["is_suggestion"] = True
    return CallOutcome(Step.Status.DONE, response, attributes, approval)


def _approval_of(step: Step | None) -> ToolApproval | None:
    if step is None:
        return None
    return ToolApproval.objects.select_for_update().filter(step=step).first()


def _changed_since(approval: ToolApproval, contract: ToolContract, level: EffectiveLevel) -> str:
    """Say why a granted call that was attempted before may not be attempted again."""
    if approval.contract_hash and approval.contract_hash != contract.policy_hash:
        return f"the contract of {contract.name} has changed since it was granted"
    if level.level.rank < Level.APPROVE.rank:
        return f"{contract.name} was lowered to {level.level.label} before the next attempt"
    return ""


def _argument_problem(action: CallTool, contract: ToolContract) -> str:
    if action.arguments is None:
        return f"the arguments are not a JSON object: {action.raw_arguments[:200]}"
    if problems := argument_problems(contract, action.arguments):
        return f"the arguments do not fit the tool: {'; '.join(problems)}"
    return ""


def _answer_offline(
    run: Run, contract: ToolContract, arguments: dict[str, Any]
) -> CallResult | None:
    """Answer a call of a tool outside; None where the test lets the real one be asked."""
    name = contract.name
    answer = answer_recorded(run, name, arguments) or answer_by_rule(run, name, arguments)
    if answer is None and not may_ask_real(run, contract):
        return answer_nothing(run, name)
    return answer


def _is_limited(contract: ToolContract) -> bool:
    policy = contract.policy
    return policy.rate_per_minute is not None or policy.max_concurrent is not None


def _refused(name: str, level: EffectiveLevel | None) -> CallResult:
    reason = "it is off" if level else "it is not given to this agent"
    return failed(f"the tool {name} may not be used: {reason}", is_policy_violation=True)
