"""What checks are made of: values compared, paths followed, words read and quoted. Pure."""

import re
from typing import Any

from agents.config import canonical_json
from agents.golden.outcome import Call
from traces.redaction.folding import fold

Check = dict[str, Any]
# None: only a judge can say, and has not yet.
Found = tuple[bool | None, str]

# Before the reason, where a check could not be made: such a check never passes.
UNCHECKED = "could not be checked"


class UncheckableError(ValueError):
    """Whether something is so cannot be told of a value; the message says why."""


_YES_FIRST = re.compile(
    r"(yes|yeah|yep|yup|sure|ok|okay|correct|right|confirmed|agreed|absolutely|definitely|fine"
    r"|of course|go ahead|please do|do it|that's (right|correct|fine))\b"
)
_YES_ANYWHERE = re.compile(
    r"\b(yes|i confirm|confirmed|go ahead|please (do|proceed|continue)|sounds good"
    r"|that works|that's (right|correct|fine)|i agree|do it)\b"
)
_NO_FIRST = re.compile(r"(no|nope|not|don't|do not|wait|stop|hold on|actually)\b(?! problem)")
_LONGEST_VALUE = 60
_LONGEST_QUOTE = 160


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
    words = folded(text).replace("\u2019", "'").lstrip("\"'(*- ")
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


def with_arguments(arguments: dict[str, Any]) -> str:
    """Return arguments as the end of a sentence: " with a 1, b 2", or nothing."""
    if not arguments:
        return ""
    return " with " + ", ".join(f"{name} {value_text(value)}" for name, value in arguments.items())


def value_text(value: Any) -> str:
    """Return a JSON value as people read it, on one line, shortened."""
    text = value if isinstance(value, str) and value else canonical_json(value)
    return shorten(text, _LONGEST_VALUE)


def folded(text: str) -> str:
    """Return a text as it is read: case, spaces, unseen and full-width characters evened out."""
    return " ".join(fold(text).casefold().split())


def _plain_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain_numbers(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_numbers(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
