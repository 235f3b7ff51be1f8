"""Taking back a call that was made at `act_with_undo`, within its window."""

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.urls import reverse

from agents.errors import ToolUnavailableError, UndoError
from agents.models import AgentTool, Effect, Run, Step, UndoableCall
from agents.outbox import tell
from agents.runtime.undo_trace import note_undo
from agents.tools.autonomy import database_now
from agents.tools.contract import ToolContract, ToolError
from agents.tools.executor import argument_problems, execute
from agents.tools.outside import perform
from agents.tools.registry import UnknownToolError, contract_for
from traces.queues import add_to_queue

MAX_REASON = 1000
REVIEW_QUEUE = "Made with undo"
# An attempt that ended no sooner than this after its time limit has ended without a word.
_MARGIN = timedelta(seconds=30)
# How long after its window a lost undo is sent again to a tool that stays away.
_PATIENCE = timedelta(days=1)


@dataclass(frozen=True)
class _Undo:
    """What is needed to take a call back."""

    call: UndoableCall
    contract: ToolContract
    effect_key: str


def offer_undo(
    *,
    run: Run,
    step: Step,
    contract: ToolContract,
    arguments: dict[str, Any],
    result: Any,
    now: datetime,
) -> UndoableCall | None:
    """Note that a call was made that may be taken back, announce it, and ask for its review.

    Called in the transaction that stores the result of a call made at `act_with_undo`. None where
    nothing can be taken back: a read, or a tool without an undo tool.
    """
    if contract.is_read or not contract.policy.undo_tool:
        return None
    agent_tool = AgentTool.objects.filter(agent_id=run.agent_id, name=contract.name).first()
    if agent_tool is None:
        return None
    call = UndoableCall.objects.create(
        run=run,
        step=step,
        agent_tool=agent_tool,
        undo_tool=contract.policy.undo_tool,
        undo_arguments=undo_arguments(contract, arguments, result, effect_key_of(step)),
        until=now + timedelta(minutes=contract.policy.undo_minutes),
    )
    sessions = [run.session_id]
    add_to_queue(project=run.project, name=REVIEW_QUEUE, session_ids=sessions, by=None)
    payload = {
        "title": f"{contract.name} was called; it may be undone until {call.until:%H:%M} UTC.",
        "url": reverse("sessions:detail", args=[run.project.slug, run.session_id]),
        "call": call.pk,
    }
    tell(
        project=run.project, event="call_made_with_undo", payload=payload, key=f"undoable:{call.pk}"
    )
    return call


def undo_arguments(
    contract: ToolContract, arguments: dict[str, Any], result: Any, effect_key: str
) -> dict[str, Any]:
    """Return the arguments of the undo call, as the contract's policy maps them.

    A path is `arguments.NAME…`, `result.NAME…` or `call.effect_key`; anything else, and what a
    path does not lead to, is taken as it is or left out.
    """
    known = {"arguments": arguments, "result": result, "call": {"effect_key": effect_key}}
    mapped: dict[str, Any] = {}
    for name, path in contract.policy.undo_arguments.items():
        root, *parts = path.split(".") if isinstance(path, str) else [""]
        if root not in known or not parts:
            mapped[name] = path
            continue
        found = _follow(known[root], parts)
        if found is not None:
            mapped[name] = found
    return mapped


def effect_key_of(step: Step) -> str:
    """Return the idempotency key of a step's call."""
    return step.effect_key or f"{step.run_id}:{step.index}"


def undo_call(*, call: UndoableCall, reason: str, by: AbstractBaseUser) -> UndoableCall:
    """Take a call back, exactly once; who may is the caller's to check.

    A tool of our own database is undone in one transaction. A tool outside is called between two:
    the first claims the undo, the second writes what came of it.

    Raises:
        UndoError: It is too late, it was undone already, something was built on it, or the undo
            tool refused or did not answer. Its message says which.
    """
    reason = reason.strip()[:MAX_REASON]
    if len(reason) < 3:
        raise UndoError("To undo a call takes a reason of at least 3 characters.")
    contract = _contract(call)
    if contract.is_inside:
        return _undo_inside(call, contract, reason, by)
    claimed = _claim(call, contract, reason, by)
    try:
        return _carry_out(claimed, reason, by)
    except ToolUnavailableError as error:
        row = _release(claimed, contract, error, reason, by)
        if row.status == UndoableCall.Status.UNDONE:
            return row
        raise UndoError(f"{contract.name} did not answer: {error}") from error


def finish_lost_undos() -> int:
    """Bring undos outside to an end whose process was lost in the middle; return how many.

    Where the same key may be sent again it is; a tool that stays away is tried for a day. Else the
    undo ends as failed and says that nobody knows. Calls tools: not for a sweep, which waits for
    nobody. One query where nothing was lost.
    """
    num = 0
    begun = UndoableCall.objects.filter(
        status=UndoableCall.Status.OPEN, undone_at__lte=database_now() - _MARGIN
    )
    for call in begun.select_related("run", "undone_by").order_by("undone_at")[:20]:
        with contextlib.suppress(UndoError):
            num += _finish(call)
    return num


def settle_undo_windows() -> int:
    """Note the calls that nobody took back in time as kept; return how many. For the sweeper."""
    with pghistory.context(action="kept"):
        return UndoableCall.objects.filter(
            status=UndoableCall.Status.OPEN, until__lte=database_now(), undone_at=None
        ).update(status=UndoableCall.Status.KEPT)


def _undo_inside(
    call: UndoableCall, contract: ToolContract, reason: str, by: AbstractBaseUser
) -> UndoableCall:
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="undo"):
        run, row = _locked(call)
        _check_open(row, contract, database_now())
        if problems := argument_problems(contract, row.undo_arguments):
            raise UndoError(f"{contract.name} cannot be called: {'; '.join(problems)}")
        found = execute(
            run=run,
            contract=contract,
            arguments=row.undo_arguments,
            effect_key=f"{effect_key_of(row.step)}:undo",
        )
        if found.is_failed:
            raise UndoError(f"This call was not undone: {found.response['error']}")
        return _write(run, row, UndoableCall.Status.UNDONE, found.response, reason, by)


def _claim(call: UndoableCall, contract: ToolContract, reason: str, by: AbstractBaseUser) -> _Undo:
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="undo"):
        _, row = _locked(call)
        now = database_now()
        _check_open(row, contract, now)
        if problems := argument_problems(contract, row.undo_arguments):
            raise UndoError(f"{contract.name} cannot be called: {'; '.join(problems)}")
        row.undone_by_id, row.undone_at, row.reason = by.pk, now, reason
        row.save(update_fields=["undone_by", "undone_at", "reason"])
        return _Undo(row, contract, f"{effect_key_of(row.step)}:undo")


def _carry_out(undo: _Undo, reason: str, by: AbstractBaseUser) -> UndoableCall:
    """Call the undo tool outside, and write what it answers.

    Raises:
        UndoError: It refused, which is written too; or it undid a call that another attempt had
            settled otherwise.
        ToolUnavailableError: It did not answer; nothing is written.
    """
    contract = undo.contract
    try:
        result = perform(
            contract=contract,
            arguments=undo.call.undo_arguments,
            effect_key=undo.effect_key,
            project_id=undo.call.run.project_id,
            timeout_seconds=contract.policy.time_limit_seconds,
        )
    except ToolError as error:
        row = _settle(undo, UndoableCall.Status.FAILED, {"error": str(error)}, reason, by)
        if row.status == UndoableCall.Status.UNDONE:
            return row
        raise UndoError(f"{contract.name} refused: {error}") from error
    return _settle(undo, UndoableCall.Status.UNDONE, {"result": result}, reason, by)


def _finish(call: UndoableCall) -> bool:
    """Bring one lost undo to an end; False where it is in progress, or the tool is away."""
    by, when, now = call.undone_by, call.undone_at, database_now()
    contract = _contract(call)
    limit = timedelta(seconds=contract.policy.time_limit_seconds) + _MARGIN
    if by is None or when is None or now < when + limit:
        return False
    undo = _Undo(call, contract, f"{effect_key_of(call.step)}:undo")
    if contract.effect is Effect.UNKEYED:
        _settle(
            undo, UndoableCall.Status.FAILED, {"error": _unknown(contract, when)}, call.reason, by
        )
        return True
    # Whoever moves the time has the undo to itself until the next limit has passed.
    is_mine = UndoableCall.objects.filter(
        pk=call.pk, status=UndoableCall.Status.OPEN, undone_at=when
    ).update(undone_at=now)
    if not is_mine:
        return False
    try:
        _carry_out(undo, call.reason, by)
    except ToolUnavailableError as error:
        if now < call.until + _PATIENCE:
            return False
        _settle(undo, UndoableCall.Status.FAILED, {"error": str(error)}, call.reason, by)
    return True


def _unknown(contract: ToolContract, when: datetime) -> str:
    return (
        f"Nobody knows whether {contract.name} undid this call at {when:%H:%M} UTC: look there "
        "before anything else is done."
    )


def _settle(
    undo: _Undo,
    status: UndoableCall.Status,
    response: dict[str, Any],
    reason: str,
    by: AbstractBaseUser,
) -> UndoableCall:
    """Write what came of an attempt; where another one was sooner, what that one wrote stays.

    Unless that one only gave up: then it is known now that the call was undone.

    Raises:
        UndoError: This attempt undid the call, which was noted as kept meanwhile.
    """
    is_undone = status == UndoableCall.Status.UNDONE
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="undo"):
        run, row = _locked(undo.call)
        is_given_up = row.status == UndoableCall.Status.FAILED
        if row.status == UndoableCall.Status.OPEN or (is_given_up and is_undone):
            return _write(run, row, status, response, reason, by)
    if is_undone and row.status != status:
        raise UndoError(
            f"{undo.contract.name} says only now that it undid this call, which is noted as "
            f"{row.get_status_display()} already: look there before anything else is done."
        )
    return row


def _release(
    undo: _Undo,
    contract: ToolContract,
    error: ToolUnavailableError,
    reason: str,
    by: AbstractBaseUser,
) -> UndoableCall:
    """Let the undo be tried again, unless a second attempt could undo a second time."""
    response = {"error": str(error)}
    if error.is_sent and contract.effect is Effect.UNKEYED:
        return _settle(undo, UndoableCall.Status.FAILED, response, reason, by)
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="undo"):
        _, row = _locked(undo.call)
        # Settled, or begun again by another attempt: it is no longer this one's to release.
        if row.status == UndoableCall.Status.OPEN and row.undone_at == undo.call.undone_at:
            row.undone_by, row.undone_at, row.reason, row.result = None, None, "", response
            row.save(update_fields=["undone_by", "undone_at", "reason", "result"])
        return row


def _write(
    run: Run,
    row: UndoableCall,
    status: UndoableCall.Status,
    response: dict[str, Any],
    reason: str,
    by: AbstractBaseUser,
) -> UndoableCall:
    row.status, row.result, row.reason = status, response, reason
    row.undone_by_id, row.undone_at = by.pk, row.undone_at or database_now()
    row.save(update_fields=["status", "result", "reason", "undone_by", "undone_at"])
    note_undo(run=run, call=row, by=by)
    return row


def _locked(call: UndoableCall) -> tuple[Run, UndoableCall]:
    run = (
        Run.objects.select_for_update(of=("self",))
        .select_related("session", "agent", "project")
        .get(pk=call.run_id)
    )
    rows = UndoableCall.objects.select_for_update(of=("self",)).select_related("step", "undone_by")
    return run, rows.get(pk=call.pk)


def _check_open(row: UndoableCall, contract: ToolContract, now: datetime) -> None:
    when = row.undone_at
    if row.status == UndoableCall.Status.OPEN and when is not None:
        limit = timedelta(seconds=contract.policy.time_limit_seconds) + _MARGIN
        if now < when + limit:
            raise UndoError(f"{row.undone_by} is undoing this call just now.")
        if contract.effect is Effect.UNKEYED:
            raise UndoError(_unknown(contract, when))
        return
    if row.status == UndoableCall.Status.UNDONE:
        raise UndoError(f"{row.undone_by} undid this call already, at {when:%H:%M} UTC.")
    if row.status == UndoableCall.Status.FAILED:
        raise UndoError(f"{row.undo_tool} could not undo this call: {row.result}")
    if row.status == UndoableCall.Status.KEPT or row.until <= now:
        raise UndoError(
            f"It is too late: this call could be undone until {row.until:%d %b, %H:%M} UTC. "
            "Open an incident, or put it right by hand."
        )


def _contract(call: UndoableCall) -> ToolContract:
    try:
        return contract_for(call.undo_tool, call.run.project_id)
    except UnknownToolError as error:
        raise UndoError(f"This call cannot be undone: {error}") from error


def _follow(value: Any, parts: list[str]) -> Any:
    for part in parts:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value
