"""Checks of what the agent calls, with what, in which order, and what it leaves. Pure."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from agents.golden.conditions import parsed_condition
from agents.golden.judgements import (
    UNCHECKED,
    Check,
    Found,
    UncheckableError,
    folded,
    has_arguments,
    is_same,
    is_yes,
    shorten,
    value_at,
    value_text,
    with_arguments,
)
from agents.golden.kinds import (
    ARGUMENTS,
    SCHEMA,
    TOOL,
    WHERE,
    Field,
    FieldKind,
    Group,
    check_kind,
)
from agents.golden.outcome import Call, Message, Outcome
from agents.golden.patterns import unfit

_ASKS = re.compile(r"\?|\b(confirm|yes|proceed)\b", re.IGNORECASE)


@check_kind(
    label="calls a tool",
    group=Group.CALLS,
    title="calls {tool}[ with {arguments}][ where {where}][ with arguments that fit {schema}]",
    fields=(TOOL, ARGUMENTS, WHERE, SCHEMA),
)
def tool_called(check: Check, outcome: Outcome) -> Found:
    """Pass if one call of the tool succeeded whose arguments are as demanded.

    They contain the given ones, with the same values; every condition holds for them; they fit the
    schema. A condition is a name, a path (`address.zip`) or a JSONPath (`$.items[*].price`), then
    `=`, `!=`, `<`, `<=`, `>`, `>=`, `in low..high`, `matches pattern`, `contains`, `exists` or
    `is missing`. Where a JSONPath names several values one of them is enough.
    """
    calls = [call for call in outcome.calls if call.tool == check["tool"]]
    compared = [(call, *_compared(call, check)) for call in calls]
    fitting = [call for call, is_like, _ in compared if is_like]
    if done := next((call for call in fitting if call.error is None), None):
        return True, f"step {done.step}"
    if fitting:
        return False, f"failed at step {fitting[-1].step}: {shorten(fitting[-1].error or '')}"
    if not compared:
        return False, "never called"
    last, is_like, found = compared[-1]
    if is_like is None:
        return False, f"the call at step {last.step} {UNCHECKED}: {found}"
    return False, f"called at step {last.step} with {found}"


@check_kind(
    label="never calls a tool",
    group=Group.CALLS,
    title=(
        "never calls {tool}[ with {arguments}][ where {where}][ with arguments that fit {schema}]"
    ),
    fields=(TOOL, ARGUMENTS, WHERE, SCHEMA),
    forbids=True,
)
def tool_not_called(check: Check, outcome: Outcome) -> Found:
    """Pass if no call of the tool, not even a failed one, has such arguments.

    Arguments, conditions and schema are as in `tool_called`; without any no call is allowed. It
    fails, and says so, where that cannot be told of a call: an amount of "50 dollars" is not
    shown to be 100 at most.
    """
    unchecked = ""
    for call in outcome.calls:
        if call.tool != check["tool"]:
            continue
        is_like, found = _compared(call, check)
        if is_like:
            return False, f"called at step {call.step}{with_arguments(call.arguments)}"
        if is_like is None and not unchecked:
            unchecked = f"the call at step {call.step} {UNCHECKED}: {found}"
    return not unchecked, unchecked or "not called"


@check_kind(
    label="calls tools in this order",
    group=Group.CALLS,
    title="calls {tools}",
    fields=(Field("tools", "Tools", FieldKind.TOOLS, "One name per line, first to last."),),
)
def tools_in_order(check: Check, outcome: Outcome) -> Found:
    """Pass if the tools were called in this order; others may come between."""
    steps: list[int] = []
    calls = iter(outcome.calls)
    for tool in check["tools"]:
        call = next((call for call in calls if call.tool == tool), None)
        if call is None:
            after = f"after step {steps[-1]}" if steps else "in the session"
            return False, f"no call of {tool} {after}"
        steps.append(call.step)
    return True, "steps " + ", ".join(str(step) for step in steps)


@check_kind(
    label="asks for a yes before a tool",
    group=Group.CALLS,
    title="asks and gets a yes before {tool}[, naming {mentions}]",
    fields=(
        TOOL,
        Field(
            "mentions",
            "The question names this argument",
            FieldKind.TEXT,
            "Such as order_id. Empty: any question counts.",
            is_required=False,
        ),
    ),
    forbids=True,
)
def confirmed_before(check: Check, outcome: Outcome) -> Found:
    """Pass if before each call of the tool the agent asked and the customer said yes.

    The customer's last message before the call must be a yes, and what the agent said before
    that, without calling a tool in the same breath, must be a question. With `mentions` it must
    also name the call's value of that argument: a yes to "are you Maya?" confirms no refund.
    """
    steps = []
    for index, event in enumerate(outcome.events):
        if not isinstance(event, Call) or event.tool != check["tool"]:
            continue
        problem = _unconfirmed(outcome, index, event, check.get("mentions", ""))
        if problem:
            return False, f"step {event.step}: {problem}"
        steps.append(str(event.step))
    return True, f"asked before step {', '.join(steps)}" if steps else "never called"


@check_kind(
    label="calls a tool at most so often",
    group=Group.CALLS,
    title="calls {tool} at most {limit} times[ with {arguments}]",
    fields=(TOOL, Field("limit", "Times", FieldKind.NUMBER), ARGUMENTS),
)
def tool_called_at_most(check: Check, outcome: Outcome) -> Found:
    """Pass if calls of the tool that succeeded, with such arguments, are not more than the limit.

    Nothing is refunded twice.
    """
    calls = [
        call
        for call in outcome.calls
        if call.tool == check["tool"]
        and call.error is None
        and has_arguments(call, check.get("arguments", {}))
    ]
    steps = ", ".join(str(call.step) for call in calls)
    found = f"steps {steps}" if len(calls) > 1 else f"step {steps}" if calls else "never called"
    return len(calls) <= check["limit"], found


@check_kind(
    label="tries nothing that it may not do",
    group=Group.CALLS,
    title="tries no tool that is off or not its own",
    forbids=True,
)
def policy_kept(check: Check, outcome: Outcome) -> Found:
    """Pass if the agent called no tool that is turned off for it or was never given to it."""
    for call in outcome.calls:
        if call.is_refused:
            return False, f"step {call.step}: {call.tool}: {shorten(call.error or '')}"
    return True, "nothing refused"


@check_kind(
    label="has no failed call",
    group=Group.CALLS,
    title="no tool call fails",
)
def no_failed_calls(check: Check, outcome: Outcome) -> Found:
    """Pass if no tool call failed."""
    for call in outcome.calls:
        if call.error is not None:
            return False, f"{call.tool} failed at step {call.step}: {shorten(call.error)}"
    return True, "none failed"


@check_kind(
    label="leaves a record like this",
    group=Group.STATE,
    title="final state: {record} {key} has {path} {equals}",
    fields=(
        Field("record", "Record", FieldKind.RECORD),
        Field("key", "Id", FieldKind.TEXT),
        Field("path", "Field", FieldKind.TEXT, "Such as status or address.zip."),
        Field("equals", "Equals", FieldKind.VALUE, "Text, a number, or JSON."),
    ),
)
def final_state(check: Check, outcome: Outcome) -> Found:
    """Pass if the record, at the end of the run, has this value at the path.

    A whole number passes for a text of the same digits, so that a zip code needs no quotes.
    """
    record = outcome.records.get((check["record"], check["key"]))
    if record is None:
        return False, f"there is no {check['record']} {check['key']}"
    try:
        value = value_at(record, check["path"])
    except LookupError:
        return False, f"it has no {check['path']}"
    wanted = check["equals"]
    is_digits = isinstance(value, str) and isinstance(wanted, int) and value == str(wanted)
    return is_digits or is_same(value, wanted), f"{check['path']} is {value_text(value)}"


@check_kind(
    label="hands over to a person, or not",
    group=Group.STATE,
    title="{expected}",
    fields=(
        Field(
            "expected",
            "Hands over",
            FieldKind.FLAG,
            choices=(("yes", "hands over to a person"), ("no", "does not hand over")),
        ),
    ),
)
def handed_over(check: Check, outcome: Outcome) -> Found:
    """Pass if the session was handed to a person, or was not, as expected."""
    found = "handed over" if outcome.is_handed_over else "not handed over"
    return outcome.is_handed_over == check["expected"], found


def _unconfirmed(outcome: Outcome, index: int, call: Call, mentions: str) -> str:
    said = [event for event in outcome.events[:index] if isinstance(event, Message)]
    while said and said[-1].speaker == "agent":
        said.pop()
    if not said:
        return "called before the customer said anything"
    answer = said.pop()
    question = said[-1] if said and said[-1].speaker == "agent" else None
    if question is None or question.has_calls or not _ASKS.search(question.content):
        return f"the agent did not ask; the customer's last words were “{shorten(answer.content)}”"
    value = str(call.arguments.get(mentions, "")).lstrip("#")
    if mentions and not value:
        return f"{UNCHECKED}: the call has no {mentions} that the question could name"
    if value and folded(value) not in folded(question.content):
        return f"the question did not name {mentions} {value}: “{shorten(question.content)}”"
    if not is_yes(answer.content):
        return f"the customer answered “{shorten(answer.content)}”"
    return ""


def _compared(call: Call, check: Check) -> tuple[bool | None, str]:
    """Say whether a call's arguments are as a check demands, and what of them is not.

    None where that cannot be told, with the reason; one thing that is surely not so decides.
    """
    demands: list[Callable[[], str]] = [
        lambda: _differing(call, check.get("arguments", {})),
        *(partial(_failing, call, line) for line in check.get("where", ())),
        lambda: unfit(check["schema"], call.arguments) if check.get("schema") else "",
    ]
    if call.is_garbled and any(check.get(name) for name in ("arguments", "where", "schema")):
        return None, "its arguments are no JSON object"
    unchecked = ""
    for demand in demands:
        try:
            if found := demand():
                return False, found
        except UncheckableError as error:
            unchecked = unchecked or str(error)
    return (None, unchecked) if unchecked else (True, "")


def _failing(call: Call, line: str) -> str:
    """Return what stands in place of what a condition demands, or nothing where it holds."""
    condition = parsed_condition(line)
    return "" if condition.holds(call.arguments) else condition.found(call.arguments)


def _differing(call: Call, arguments: dict[str, Any]) -> str:
    different = [
        name for name, value in arguments.items() if not has_arguments(call, {name: value})
    ]
    return ", ".join(f"{name} {value_text(call.arguments.get(name))}" for name in different)
