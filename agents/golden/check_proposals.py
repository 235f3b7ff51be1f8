"""The checks that a recorded session and its label speak for. Pure.

The cause that a reviewer gave at the first wrong step decides which checks are proposed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from agents.golden.call_checks import confirmed_before
from agents.golden.checks import check_title, judge_outcome
from agents.golden.corrections import corrected_arguments
from agents.golden.judgements import Check, shorten
from agents.golden.outcome import Call, Event, Message, Outcome
from agents.golden.proposals import Proposal, Recording, id_of
from agents.golden.replay import Fixture, without_doubles

_STATE_FIELDS = {"order_id": "order", "user_id": "user"}
_WRITES_WERE_RIGHT = {"P2", "P3", "K2", "O1", "O2", "S2", "B1", "H1"}


def propose_checks(recording: Recording) -> tuple[Proposal, ...]:
    """Return the checks that the recording and its label speak for, none of them twice."""
    rule = _RULES.get(recording.cause, _never_again)
    found = [
        *([] if recording.is_resolved else rule(recording)),
        *_what_was_right(recording),
    ]
    first: dict[str, Proposal] = {}
    for proposal in found:
        first.setdefault(_subject_of(proposal.check), proposal)
    return tuple(_marked(recording, proposal) for proposal in first.values())


def holds_already(recording: Recording, check: Check) -> bool:
    """Say whether the recording itself passes a check, so that repeating it passes, too.

    The records at its end are not recorded; a final state holds if the last call that wrote the
    record returned it.
    """
    if check["kind"] == "final_state":
        return check in _final_states(recording)
    outcome = Outcome(recording.events, recording.num_steps, recording.is_handed_over)
    return judge_outcome([check], outcome)[0].passed is True


def _marked(recording: Recording, proposal: Proposal) -> Proposal:
    if recording.is_resolved or not holds_already(recording, proposal.check):
        return proposal
    return replace(proposal, why=f"{proposal.why} The recording passes this one.")


def _final_states(recording: Recording) -> list[Check]:
    last: dict[str, Check] = {}
    for call in recording.done_writes:
        for proposal in _state_left(call):
            last[_subject_of(proposal.check)] = proposal.check
    return list(last.values())


def _subject_of(check: Check) -> str:
    """Return what no two proposals may be about: a record has one final state."""
    if check["kind"] == "final_state":
        return f"{check['record']} {check['key']} {check['path']}"
    return check_title(check)


def _asked_first(recording: Recording) -> Iterator[Proposal]:
    wrong = recording.wrong_call
    for call in [wrong] if wrong else recording.done_writes:
        yield Proposal(_confirmed(call), f"Step {call.step} was taken without a yes.")
        if call.error is None:
            yield from _still_done(call, "The customer still wants it, once asked.")
        else:
            yield from _never_again(recording)


def _never_again(recording: Recording) -> Iterator[Proposal]:
    if call := recording.wrong_call:
        yield Proposal(
            {"kind": "tool_not_called", "tool": call.tool, "arguments": call.arguments},
            f"Step {call.step} called it, and should not have."
            if call.error is None
            else f"Step {call.step} called it in vain: {shorten(call.error, 80)}",
        )
    elif recording.wrong:
        yield from _not_said(recording)


def _other_arguments(recording: Recording) -> Iterator[Proposal]:
    """Propose that the wrong arguments don't come back, but that the call is still made."""
    calls = _calls_with_wrong_arguments(recording)
    for call in calls:
        yield Proposal(
            {"kind": "tool_not_called", "tool": call.tool, "arguments": call.arguments},
            f"Step {call.step} called it with these arguments, and should not have.",
        )
    for call in calls:
        if right := corrected_arguments(call, recording.comment, recording.events):
            check = {"kind": "tool_called", "tool": call.tool, "arguments": right}
            yield Proposal(check, "With the value that the comment names.")
        elif call.arguments:  # else the two checks could never hold together
            yield Proposal(
                {"kind": "tool_called", "tool": call.tool, "arguments": {}},
                "Name the right arguments here; left empty, any will do.",
            )


def _calls_with_wrong_arguments(recording: Recording) -> list[Call]:
    """Return the wrong call, or the calls that the wrong words led to, or all that wrote."""
    if recording.wrong_call:
        return [recording.wrong_call]
    start = recording.events.index(recording.wrong) if recording.wrong else 0
    later = [call for call in recording.events[start:] if isinstance(call, Call)]
    if isinstance(recording.wrong, Message) and recording.wrong.has_calls:
        return later[:1]
    tried = [call for call in later if recording.writes(call.tool)]
    return [call for call in tried if call.error is None] or tried


def _in_order(recording: Recording) -> Iterator[Proposal]:
    """Propose the read that came too late to be first, if there is one."""
    call = recording.wrong_call
    start = recording.events.index(call) if call else 0
    later = [each for each in recording.events[start:] if isinstance(each, Call)]
    reads = [each.tool for each in later if recording.writes(each.tool) is False]
    for tool in reads:
        check = {"kind": "tools_in_order", "tools": [tool, call.tool if call else ""]}
        if call and tool != call.tool and not holds_already(recording, check):
            yield Proposal(check, f"Step {call.step} came before what it depends on.")
            return
    yield from _never_again(recording)


def _shorter(recording: Recording) -> Iterator[Proposal]:
    distinct = len(without_doubles(Fixture(call.tool, call.arguments) for call in recording.calls))
    repeated = len(recording.calls) - distinct
    shorter = min(recording.num_steps - 1, recording.num_steps - 2 * repeated)
    more = f", {repeated} of them repeated calls" if repeated else ""
    yield Proposal(
        {"kind": "at_most_steps", "limit": max(1, shorter)},
        f"The recording took {recording.num_steps} steps{more}.",
    )


def _not_said(recording: Recording) -> Iterator[Proposal]:
    wrong = recording.wrong if isinstance(recording.wrong, Message) else None
    answers = [
        event
        for event in recording.events
        if isinstance(event, Message) and event.speaker == "agent"
    ]
    message = wrong or (answers[-1] if answers else None)
    if message:
        yield Proposal(
            {"kind": "answer_lacks", "text": _first_sentence(message.content)},
            f"Step {message.step} said it; cut it down to the words that are wrong.",
        )


def _leak(recording: Recording) -> Iterator[Proposal]:
    yield Proposal({"kind": "no_leak"}, "Something was told that was not for these ears.")
    yield from _not_said(recording)


def _beyond_authority(recording: Recording) -> Iterator[Proposal]:
    if any(call.is_refused for call in recording.calls):
        yield Proposal({"kind": "policy_kept"}, "It tried a tool that it may not call.")
    yield from _never_again(recording)


def _other_than_returned(recording: Recording) -> Iterator[Proposal]:
    """Propose that the status which a tool returned is told, if the recording tells another."""
    yield from _not_said(recording)
    start = recording.events.index(recording.wrong) if recording.wrong else len(recording.events)
    read = [event for event in recording.events[:start] if isinstance(event, Call)]
    for call in reversed(read):
        if isinstance(call.result, dict) and isinstance(call.result.get("status"), str):
            check = {"kind": "answer_cites", "tool": call.tool, "path": "$.status"}
            if not holds_already(recording, check):
                status = call.result["status"]
                yield Proposal(check, f"Step {call.step} returned “{shorten(status, 40)}”.")
            return


def _hand_over(recording: Recording) -> Iterator[Proposal]:
    yield Proposal({"kind": "handed_over", "expected": True}, "It should have gone to a person.")


def _keep(recording: Recording) -> Iterator[Proposal]:
    if recording.is_handed_over or recording.cause == "H1":
        yield Proposal({"kind": "handed_over", "expected": False}, "No person was needed.")


def _no_failures(recording: Recording) -> Iterator[Proposal]:
    yield Proposal({"kind": "no_failed_calls"}, "A call failed where none should.")


def _what_was_right(recording: Recording) -> Iterator[Proposal]:
    """Hold what was done before the first wrong step, or all where no write was at fault."""
    events: Sequence[Event] = ()
    if recording.is_resolved:
        events = recording.events
    elif recording.cause in _WRITES_WERE_RIGHT:
        events = [event for event in recording.events if event != recording.wrong]
    elif recording.wrong:
        events = recording.events[: recording.events.index(recording.wrong)]
    writes = [call for call in recording.done_writes if call in events]
    for call in writes:
        if confirmed_before(_confirmed(call), Outcome(recording.events, 0))[0]:
            yield Proposal(_confirmed(call), f"Step {call.step} asked first.")
        yield _called_again(call, f"Step {call.step} did it.")
    for call in reversed(writes):  # what the last one left is what counts
        yield from _state_left(call)
    if recording.is_resolved:
        check = {"kind": "handed_over", "expected": recording.is_handed_over}
        yield Proposal(check, "It ended so.")


def _still_done(call: Call, why: str) -> Iterator[Proposal]:
    yield _called_again(call, why)
    yield from _state_left(call)


def _called_again(call: Call, why: str) -> Proposal:
    check = {"kind": "tool_called", "tool": call.tool, "arguments": call.arguments}
    return Proposal(check, why)


def _state_left(call: Call) -> Iterator[Proposal]:
    """Propose the record's status as the call returned it, and the address if that was set."""
    result = call.result if call.error is None and isinstance(call.result, dict) else {}
    named = (name for name in _STATE_FIELDS if isinstance(result.get(name), str))
    if (name := next(named, None)) is None:
        return
    state = {"kind": "final_state", "record": _STATE_FIELDS[name], "key": result[name]}
    address = result.get("address")
    street = address.get("address1") if isinstance(address, dict) else None
    values = {"status": result.get("status")}
    if street == call.arguments.get("address1"):
        values["address.address1"] = street
    for path, value in values.items():
        if isinstance(value, str):
            yield Proposal(
                {**state, "path": path, "equals": value}, f"So step {call.step} left it."
            )


def _confirmed(call: Call) -> Check:
    return {"kind": "confirmed_before", "tool": call.tool, "mentions": id_of(call.arguments)}


def _first_sentence(text: str) -> str:
    line = shorten(text, 400)
    ends = [line.find(mark) + 1 for mark in (". ", "! ", "? ") if mark in line]
    return shorten(line[: min(ends)] if ends else line, 200).rstrip("…")


_RULES: dict[str, Callable[[Recording], Iterator[Proposal]]] = {
    "T5": _asked_first,
    "T2": _other_arguments,
    "P1": _in_order,
    "V1": _in_order,
    "P2": _shorter,
    "B1": _shorter,
    "P4": _hand_over,
    "P3": _keep,
    "H1": _keep,
    "T3": _other_than_returned,
    "T4": _not_said,
    "K1": _not_said,
    "K2": _not_said,
    "K3": _not_said,
    "O1": _not_said,
    "O2": _not_said,
    "S2": _leak,
    "C2": _beyond_authority,
    "S3": _no_failures,
    "S4": _no_failures,
}
