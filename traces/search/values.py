"""Values of the filter language: checked, in one spelling, and as numbers and days. Pure."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from traces.search.fields import Field, Kind

_NUMBER = re.compile(r"\$?(\d{1,15}(?:\.\d{0,10})?|\.\d{1,10})([kKmM]?)")
_DURATION = re.compile(r"(\d{1,12}(?:\.\d{0,6})?)(ms|min|s|m|h|d|w)")
_UNITS_MS = {
    "ms": 1,
    "s": 1000,
    "m": 60_000,
    "min": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
}
_SCALES = {"": 1, "k": 1000, "m": 1_000_000}
# A score's name, and what its value is compared with or its label is.
_SCORE = re.compile(r"([^<>=]+)(?:(<=|>=|[<>=])(.*))?", re.DOTALL)
_SCORE_VALUE = re.compile(r"-?\d{1,15}(?:\.\d{0,10})?|-?\.\d{1,10}")
# The database's columns hold less than this, and no session has more of anything.
_LARGEST = Decimal(10) ** 15
_ALIASES = {
    "no-label": "none",
    "unlabelled": "none",
    "not-labelled": "none",
    "disagreement": "disagree",
    "disagreements": "disagree",
}


class ValueProblemError(ValueError):
    """A value that cannot be used; the message says how to write it."""


def check_value(field: Field, value: str) -> str:
    """Return the value in its canonical spelling.

    Raises:
        ValueProblemError: It is not a value of this field.
    """
    match field.kind:
        case Kind.CHOICE:
            return _choice(field, value)
        case Kind.NUMBER | Kind.MONEY:
            number_of(value, field)
            return value.lower().lstrip("$")
        case Kind.DURATION:
            duration_ms(value, field)
            return value.lower()
        case Kind.DAY:
            return day_of(value, field).isoformat()
    if field.name == "score":
        score_of(value, field)
    return value.upper() if field.name == "cause" else value


def number_of(value: str, field: Field | None = None) -> Decimal:
    """Return the number that `value` writes (k is thousand, M is million)."""
    match = _NUMBER.fullmatch(value)
    number = Decimal(match[1]) * _SCALES[match[2].lower()] if match else _LARGEST
    if number >= _LARGEST:
        raise ValueProblemError(_how(value, field, Kind.NUMBER))
    return number


def duration_ms(value: str, field: Field | None = None) -> int:
    """Return the duration that `value` writes, in milliseconds."""
    match = _DURATION.fullmatch(value.lower())
    number = Decimal(match[1]) * _UNITS_MS[match[2]] if match else Decimal(10) ** 13
    if number >= Decimal(10) ** 13:
        raise ValueProblemError(_how(value, field, Kind.DURATION))
    return int(number)


def day_of(value: str, field: Field | None = None) -> date:
    """Return the day that `value` writes."""
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueProblemError(_how(value, field, Kind.DAY)) from None


@dataclass(frozen=True)
class ScoreSought:
    """A score as a term asks for it.

    Attributes:
        op: "" (any of this name), "<", "<=", ">", ">=" or "=".
        number: What its value is compared with; None where no number was written.
        label: What its label must be, after "=".
    """

    name: str
    op: str = ""
    number: float | None = None
    label: str = ""


def score_of(value: str, field: Field | None = None) -> ScoreSought:
    """Return the score that `value` asks for: `name`, `name=label`, `name<0.5`."""
    match = _SCORE.fullmatch(value)
    name, op, sought = match.groups() if match else ("", "", "")
    number = float(sought) if _SCORE_VALUE.fullmatch(sought or "") else None
    if not name or (op and not sought) or (op not in (None, "", "=") and number is None):
        example = f"; write for instance {field.example}" if field else ""
        raise ValueProblemError(
            f"{value!r} cannot be used, it takes a score's name, and =label or a number "
            f"after < <= > >={example}."
        )
    return ScoreSought(name, op or "", number, (sought or "") if op == "=" else "")


def _choice(field: Field, value: str) -> str:
    name = value.lower().replace("_", "-")
    name = _ALIASES.get(name, name) if field.name == "outcome" else name
    # A label set may have outcomes of its own.
    if name in field.choices or (field.name == "outcome" and re.fullmatch(r"[\w*-]+", name)):
        return name
    raise ValueProblemError(f"{value!r} is none of {', '.join(field.choices)}.")


def _how(value: str, field: Field | None, kind: Kind) -> str:
    if field is None:
        return f"{value!r} is not {kind}."
    return f"{value!r} cannot be used, it takes {field.kind}; write for instance {field.example}."
