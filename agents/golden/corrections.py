"""Reading the right arguments of a wrong call from a reviewer's comment. Pure."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

from agents.golden.outcome import Call, Event

_TOKEN = re.compile(r"[#\w][\w.-]*[\w]")
_ALIKE = 0.4
_SHORTEST = 3
_DEEPEST = 40


def corrected_arguments(call: Call, comment: str, events: tuple[Event, ...]) -> dict[str, Any]:
    """Return a call's arguments with the value that a comment names instead, or nothing.

    The value must be one that the recording knows, such as an id that a tool returned, and the
    only such in the comment; so "refunded to credit_card_1, the customer chose gift_card_5" says
    which argument is wrong and what it should have been. The argument is the one whose value the
    comment names too, or the one that looks most like the value.
    """
    tokens = set(_TOKEN.findall(comment))
    given = {name: value for name, value in call.arguments.items() if isinstance(value, str)}
    values = {value for event in events for value in _values(event)} & tokens
    right = sorted(values - set(given.values()))
    if len(right) != 1 or not given:
        return {}
    named = [name for name, value in given.items() if value in tokens]
    if len(named) == 1:
        return {**call.arguments, named[0]: right[0]}
    alike = {name: SequenceMatcher(None, value, right[0]).ratio() for name, value in given.items()}
    name = max(alike, key=lambda each: alike[each])
    return {**call.arguments, name: right[0]} if alike[name] >= _ALIKE else {}


def _values(event: Event) -> Iterator[str]:
    if isinstance(event, Call) and event.error is None:
        for value in _texts(event.result, 0):
            # A word of the language stands in many results; an id has a digit or an underscore.
            is_id = any(letter.isdigit() or letter == "_" for letter in value)
            if len(value) >= _SHORTEST and is_id:
                yield value


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict) and depth < _DEEPEST:
        for name, item in value.items():
            yield name
            yield from _texts(item, depth + 1)
    elif isinstance(value, list) and depth < _DEEPEST:
        for item in value:
            yield from _texts(item, depth + 1)
