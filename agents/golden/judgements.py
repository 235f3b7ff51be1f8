"""What each kind of check looks for: one function per kind, named as the kind. Pure.

Each takes a stored check and an outcome, and returns whether it passes and what was found, in
words for the person who reads the result.
"""

import re
from typing import Any

from agents.config import canonical_json
from agents.golden.outcome import Call, Message, Outcome

Check = dict[str, Any]
Found = tuple[bool, str]

_YES_FIRST = re.compile(
    r"(yes|yeah|yep|yup|sure|ok|okay|correct|right|confirmed|agreed|absolutely|definitely|fine"
    r"|of course|go ahead|please do|do it|that's (right|correct|fine))\b"
)
_YES_ANYWHERE = re.compile(
    r"\b(yes|i confirm|confirmed|go ahead|please (do|proceed|continue)|sounds good"
    r"|that works|that's (right|correct|fine)|i agree|do it)\b"
)
_NO_FIRST = re.compile(r"(no|nope|not|don't|do not|wait|stop|hold on|actually)\b(?! problem)")
_ASKS = re.compile(r"\?|\b(confirm|yes|proceed)\b", re.IGNORECASE)
_LONGEST_VALUE = 60
_LONGEST_QUOTE = 160


def tool_called(check: Check, outcome: Outcome) -> Found:
    """Pass if one call of the tool succeeded whose arguments contain the given ones."""
    calls = [call for call in outcome.calls if call.tool == check["tool"]]
    fitting = [call for call in calls if has_arguments(call, check["arguments"])]
    if done := next((call for call in fitting if call.error is None), None):
        return True, f"step {done.step}"
    if fitting:
        return False, f"failed at step {fitting[-1].step}: {shorten(fitting[-1].error or '')}"
    if calls:
        last = calls[-1]
        return False, f"called at step {last.step} with {_differing(last, check['arguments'])}"
    return False, "never called"


def tool_not_called(check: Check, outcome: Outcome) -> Found:
    """Pass if no call of the tool, not even a failed one, contains the given arguments."""
    for call in outcome.calls:
        if call.tool == check["tool"] and has_arguments(call, check["arguments"]):
            return False, f"called at step {call.step}{with_arguments(call.arguments)}"
    return True, "not called"


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


def answer_contains(check: Check, outcome: Outcome) -> Found:
    """Pass if one of the agent's messages contains the text; case and spaces don't count."""
    for message in outcome.answers:
        if _folded(check["text"]) in _folded(message.content):
            return True, f"step {message.step}"
    if not outcome.answers:
        return False, "the agent said nothing"
    return False, f"the last answer was “{shorten(outcome.answers[-1].content)}”"


def answer_lacks(check: Check, outcome: Outcome) -> Found:
    """Pass if none of the agent's messages contains the text; case and spaces don't count."""
    for message in outcome.answers:
        if _folded(check["text"]) in _folded(message.content):
            return False, f"step {message.step}: “{shorten(message.content)}”"
    return True, "not said"


def handed_over(check: Check, outcome: Outcome) -> Found:
    """Pass if the session was handed to a person, or was not, as expected."""
    found = "handed over" if outcome.is_handed_over else "not handed over"
    return outcome.is_handed_over == check["expected"], found


def at_most_steps(check: Check, outcome: Outcome) -> Found:
    """Pass if model calls and tool calls together are not more than the limit."""
    return outcome.num_steps <= check["limit"], f"{outcome.num_steps} steps"


def no_failed_calls(check: Check, outcome: Outcome) -> Found:
    """Pass if no tool call failed."""
    for call in outcome.calls:
        if call.error is not None:
            return False, f"{call.tool} failed at step {call.step}: {shorten(call.error)}"
    return True, "none failed"


def has_arguments(call: Call, arguments: dict[str, Any]) -> bool:
    """Say whether the call's arguments contain all of `arguments`, with the same values."""
    return all(
        name in call.arguments and is_same(call.arguments[name], value)
        for name, value in arguments.items()
    )


def is_same(left: Any, right: Any) -> bool:
    """Say whether two JSON values are the same; 5 and 5.0 are, 1 and true are not."""
    return canonical_json(_plain_numbers(left)) == canonical_json(_plain_numbers(right))


def is_yes(text: str) -> bool:
    """Say whether a customer's message agrees to what was asked."""
    words = _folded(text).replace("\u2019", "'").lstrip("\"'(*- ")
    if _NO_FIRST.match(words):
        return False
    return bool(_YES_FIRST.match(words) or _YES_ANYWHERE.search(words))


def value_at(record: Any, path: str) -> Any:
    """Return the value at a path such as `address.zip` or `items.0.price`.

    Raises:
        LookupError: The record has no such path.
    """
    value = record
    for name in path.split("."):
        if isinstance(value, list) and name.isdecimal():
            value = value[int(name)]
        elif isinstance(value, dict):
            value = value[name]
        else:
            raise LookupError(path)
    return value


def shorten(text: str, length: int = _LONGEST_QUOTE) -> str:
    """Return the text on one line, cut with "…" where it is longer than `length`."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


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
    if value and _folded(value) not in _folded(question.content):
        return f"the question did not name {mentions} {value}: “{shorten(question.content)}”"
    if not is_yes(answer.content):
        return f"the customer answered “{shorten(answer.content)}”"
    return ""


def _differing(call: Call, arguments: dict[str, Any]) -> str:
    given = {name: call.arguments.get(name) for name in arguments}
    different = {
        name: value for name, value in given.items() if not is_same(value, arguments[name])
    }
    return ", ".join(f"{name} {value_text(value)}" for name, value in different.items())


def with_arguments(arguments: dict[str, Any]) -> str:
    """Return arguments as the end of a sentence: " with a 1, b 2", or nothing."""
    if not arguments:
        return ""
    return " with " + ", ".join(f"{name} {value_text(value)}" for name, value in arguments.items())


def value_text(value: Any) -> str:
    """Return a JSON value as people read it, on one line, shortened."""
    text = value if isinstance(value, str) and value else canonical_json(value)
    return shorten(text, _LONGEST_VALUE)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _plain_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain_numbers(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_numbers(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
