"""What a golden test could hold, read from a recorded session and its label. Pure.

The checks come from `check_proposals`; the reviewer edits everything before it is saved.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agents.golden.judgements import Check, has_arguments, is_yes, shorten
from agents.golden.outcome import Call, Event, Message
from agents.golden.replay import Fixture, without_doubles

ADDED_YES = "Yes, please go ahead."
_FAULTY_TOOLS = {"S3", "S4"}
# What was wrong shows in how long the whole session is, so that none of it may be left out.
_WHOLE_COURSE = {"P2", "B1"}
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
_RULE = re.compile(r"\b(?:should|shouldn.t|must|mustn.t|ought to)\b", re.IGNORECASE)
_MOST_EXPECTATIONS = 5


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
        comment: What the reviewer wrote.
    """

    events: tuple[Event, ...]
    num_steps: int
    is_handed_over: bool
    wrong: Event | None
    cause: str
    is_resolved: bool
    writes: Callable[[str], bool | None]
    comment: str = ""

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


@dataclass(frozen=True)
class Script:
    """The customer's part of a test.

    Attributes:
        messages: The conversation up to the customer's first message.
        turns: What the customer says then, up to the first wrong step.
        left_out: What the customer said after it: answers to what should not have been.
    """

    messages: list[dict[str, str]]
    turns: tuple[Turn, ...]
    left_out: tuple[str, ...] = ()


def propose_input(recording: Recording, checks: Sequence[Check] = ()) -> Script:
    """Return the customer's part up to the first wrong step.

    It goes on where one of the `checks` demands a call that the recording made later. Messages
    that the customer sent in a row become one turn, because a turn answers an answer.
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
    if not has_begun:
        return Script([], ())
    end = _end_of(recording, checks)
    kept = [turn for turn in turns if turn[0] < end]
    left_out = tuple(content for index, content in turns if index >= end)
    return Script(messages, _with_yes(recording, kept), left_out)


def propose_expectations(comment: str, *, is_resolved: bool) -> list[dict[str, str]]:
    """Return what must, or must not, be, in the words of the reviewer's comment.

    A sentence with "should" or "must" says what must be. Of the others, the first says what went
    wrong, which must not be again.
    """
    sentences = [" ".join(found.split()) for found in _SENTENCE.findall(comment)]
    sentences = [sentence for sentence in sentences if len(sentence) > 2]
    rules = [sentence for sentence in sentences if _RULE.search(sentence)]
    faults = [] if is_resolved else [each for each in sentences if each not in rules][:1]
    return [
        *({"kind": "must_not", "text": sentence} for sentence in faults),
        *({"kind": "must", "text": sentence} for sentence in rules),
    ][:_MOST_EXPECTATIONS]


def propose_title(recording: Recording, cause_title: str, first_words: str) -> str:
    """Return cause and subject: the write that went wrong or was tried, else the first words."""
    tried = [recording.wrong_call] if recording.wrong_call else []
    writes = [call for call in (*tried, *recording.calls) if recording.writes(call.tool)]
    subject = first_words
    if writes:
        about = writes[0].arguments.get(id_of(writes[0].arguments), "")
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


def id_of(arguments: dict[str, Any]) -> str:
    """Return the argument that names what the call is about, such as order_id, or nothing."""
    return "order_id" if isinstance(arguments.get("order_id"), str) else ""


def _end_of(recording: Recording, checks: Sequence[Check]) -> int:
    """Return the place of the first event that the test does not need."""
    if recording.wrong is None or recording.is_resolved or recording.cause in _WHOLE_COURSE:
        return len(recording.events)
    demanded = [check for check in checks if check["kind"] == "tool_called"]
    end = recording.events.index(recording.wrong)
    for index, event in enumerate(recording.events):
        if isinstance(event, Call) and event.error is None and index > end:
            is_demanded = any(
                event.tool == check["tool"] and has_arguments(event, check["arguments"])
                for check in demanded
            )
            end = index if is_demanded else end
    return end


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
