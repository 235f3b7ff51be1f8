"""What a golden test could hold, read from a recorded session and its label. Pure.

The cause that a reviewer gave at the first wrong step decides which checks are proposed; the
reviewer edits them before anything is saved.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agents.golden.checks import check_title
from agents.golden.judgements import Check, confirmed_before, is_yes, shorten
from agents.golden.outcome import Call, Event, Message, Outcome
from agents.golden.replay import Fixture, without_doubles

ADDED_YES = "Yes, please go ahead."
_FAULTY_TOOLS = {"S3", "S4"}
_STATE_FIELDS = {"order_id": "order", "user_id": "user"}


@dataclass(frozen=True)
class Proposal:
    """A check, and why it is proposed."""

    check: Check
    why: str


@dataclass(frozen=True)
class Turn:
    """What the customer says after one of the agent's answers.

    Attributes:
        content: The words.
        is_added: Not in the recording; the run needs it to get as far as the recording did.
    """

    content: str
    is_added: bool = False


@dataclass(frozen=True)
class Recording:
    """A recorded session as proposals read it.

    Attributes:
        events: Messages and calls in order.
        num_steps: Model calls and tool calls.
        is_handed_over: Whether it ended with a person.
        wrong: The first wrong step as the label names it, or None.
        cause: Code of the label's primary cause, such as "T5"; empty if unknown.
        is_resolved: Whether the label says that all went well.
        writes: Whether a tool changes something; None for a tool that is not known here.
    """

    events: tuple[Event, ...]
    num_steps: int
    is_handed_over: bool
    wrong: Event | None
    cause: str
    is_resolved: bool
    writes: Callable[[str], bool | None]

    @property
    def calls(self) -> list[Call]:
        """Return the tool calls."""
        return [event for event in self.events if isinstance(event, Call)]

    @property
    def done_writes(self) -> list[Call]:
        """Return the calls that changed something."""
        return [call for call in self.calls if call.error is None and self.writes(call.tool)]

    @property
    def wrong_call(self) -> Call | None:
        """Return the wrong call, if the first wrong step is one."""
        return self.wrong if isinstance(self.wrong, Call) else None


def propose_input(recording: Recording) -> tuple[list[dict[str, str]], tuple[Turn, ...]]:
    """Return the conversation up to the customer's first message, and the turns after it.

    Messages that the customer sent in a row become one turn, because a turn answers an answer.
    """
    messages: list[dict[str, str]] = []
    turns: list[tuple[int, str]] = []
    has_begun = is_answered = False
    for index, event in enumerate(recording.events):
        if not isinstance(event, Message):
            continue
        if event.speaker == "agent" and not has_begun:
            messages.append({"role": "assistant", "content": event.content})
        elif event.speaker == "agent":
            is_answered = is_answered or not event.has_calls
        elif has_begun and is_answered:
            turns.append((index, event.content))
            is_answered = False
        elif turns:
            turns[-1] = (turns[-1][0], f"{turns[-1][1]}\n\n{event.content}")
        else:
            messages.append({"role": "user", "content": event.content})
            has_begun = True
    return (messages, _with_yes(recording, turns)) if has_begun else ([], ())


def propose_title(recording: Recording, cause_title: str, first_words: str) -> str:
    """Return cause and subject: the write that went wrong or was tried, else the first words."""
    tried = [recording.wrong_call] if recording.wrong_call else []
    writes = [call for call in (*tried, *recording.calls) if recording.writes(call.tool)]
    subject = first_words
    if writes:
        about = writes[0].arguments.get(_id_of(writes[0].arguments), "")
        subject = f"{writes[0].tool.replace('_', ' ')} {about}".strip()
    title = f"{cause_title}: {subject}" if cause_title else subject
    return shorten(title[:1].upper() + title[1:], 80)


def propose_fixtures(recording: Recording) -> tuple[Fixture, ...]:
    """Return the recorded results that may answer a later run's calls.

    Results of a known tool that reads count until the recording wrote something; a known tool
    that writes is always called for real. Of an unknown tool every result counts. Where tools
    were at fault, their failures are left out: a run that meets them again could not pass.
    """
    fixtures = []
    has_written = False
    for call in recording.calls:
        is_write = recording.writes(call.tool)
        is_faulty = recording.cause in _FAULTY_TOOLS and call.error is not None
        if not is_faulty and (is_write is None or (not is_write and not has_written)):
            fixtures.append(Fixture(call.tool, call.arguments, call.result, call.error))
        has_written = has_written or bool(is_write and call.error is None)
    return without_doubles(fixtures)


def propose_checks(recording: Recording) -> tuple[Proposal, ...]:
    """Return the checks that the recording and its label speak for, none of them twice."""
    rule = _RULES.get(recording.cause, _never_again)
    found = [
        *([] if recording.is_resolved else rule(recording)),
        *_what_was_right(recording),
    ]
    first: dict[str, Proposal] = {}
    for proposal in found:
        first.setdefault(check_title(proposal.check), proposal)
    return tuple(first.values())


def _with_yes(recording: Recording, turns: list[tuple[int, str]]) -> tuple[Turn, ...]:
    """Add the yes that the recording lacks because the agent never asked."""
    said = [Turn(content) for _, content in turns]
    call = recording.wrong_call
    if recording.cause != "T5" or call is None:
        return tuple(said)
    at = recording.events.index(call)
    position = sum(index < at for index, _ in turns)
    if position < len(said) and is_yes(said[position].content):
        return tuple(said)
    return (*said[:position], Turn(ADDED_YES, is_added=True), *said[position:])


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
    yield from _never_again(recording)
    if call := recording.wrong_call:
        yield Proposal(
            {"kind": "tool_called", "tool": call.tool, "arguments": {}},
            "Name the right arguments here.",
        )


def _in_order(recording: Recording) -> Iterator[Proposal]:
    call = recording.wrong_call
    reads = [each.tool for each in recording.calls if recording.writes(each.tool) is False]
    if call and (others := [tool for tool in reads if tool != call.tool]):
        yield Proposal(
            {"kind": "tools_in_order", "tools": [others[-1], call.tool]},
            f"Step {call.step} came before what it depends on.",
        )
    else:
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


def _hand_over(recording: Recording) -> Iterator[Proposal]:
    yield Proposal({"kind": "handed_over", "expected": True}, "It should have gone to a person.")


def _keep(recording: Recording) -> Iterator[Proposal]:
    if recording.is_handed_over or recording.cause == "H1":
        yield Proposal({"kind": "handed_over", "expected": False}, "No person was needed.")


def _no_failures(recording: Recording) -> Iterator[Proposal]:
    yield Proposal({"kind": "no_failed_calls"}, "A call failed where none should.")


def _what_was_right(recording: Recording) -> Iterator[Proposal]:
    """Hold what was done before the first wrong step, or all of a session that went well."""
    events: Sequence[Event] = ()
    if recording.is_resolved:
        events = recording.events
    elif recording.wrong:
        events = recording.events[: recording.events.index(recording.wrong)]
    writes = [call for call in recording.done_writes if call in events]
    for call in writes:
        if confirmed_before(_confirmed(call), Outcome(recording.events, 0))[0]:
            yield Proposal(_confirmed(call), f"Step {call.step} asked first.")
        yield from _still_done(call, f"Step {call.step} did it.")
    if recording.is_resolved:
        check = {"kind": "handed_over", "expected": recording.is_handed_over}
        yield Proposal(check, "It ended so.")


def _still_done(call: Call, why: str) -> Iterator[Proposal]:
    yield Proposal({"kind": "tool_called", "tool": call.tool, "arguments": call.arguments}, why)
    result = call.result if call.error is None and isinstance(call.result, dict) else {}
    for name, record in _STATE_FIELDS.items():
        if isinstance(result.get(name), str) and isinstance(result.get("status"), str):
            state = {"record": record, "key": result[name], "path": "status"}
            check = {"kind": "final_state", **state, "equals": result["status"]}
            yield Proposal(check, f"So step {call.step} left it.")
            return


def _confirmed(call: Call) -> Check:
    return {"kind": "confirmed_before", "tool": call.tool, "mentions": _id_of(call.arguments)}


def _id_of(arguments: dict[str, Any]) -> str:
    """Return the argument that names what the call is about, such as order_id, or nothing."""
    return "order_id" if isinstance(arguments.get("order_id"), str) else ""


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
    "T3": _not_said,
    "T4": _not_said,
    "K1": _not_said,
    "K2": _not_said,
    "K3": _not_said,
    "O1": _not_said,
    "O2": _not_said,
    "S2": _not_said,
    "S3": _no_failures,
    "S4": _no_failures,
}
