"""Conditions on the arguments of a call, one per line, as people write them. Pure.

A line is a path, an operator and a value: `amount <= 50`, `days in 1..30`,
`reason matches late|lost`, `$.items[?@.price > 10].id exists`.
"""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from agents.golden.jsonpath import BadPathError, find
from agents.golden.jsonpath_parser import parse_beginning
from agents.golden.judgements import UncheckableError, folded, is_same, value_at, value_text
from agents.golden.patterns import BadPatternError, compiled, finds

LONGEST_CONDITION = 700
_PLAIN_PATH = re.compile(r"[^\s<>=!$][^\s<>=!]*")
_REST = re.compile(
    r"\s*(<=|>=|!=|==|=|<|>|in\b|matches\b|contains\b|exists\b|is missing\b)\s*(.*)", re.DOTALL
)
_RANGE = re.compile(r"(\S+?)\s*\.\.\s*(\S+)")
_ALONE = frozenset({"exists", "is missing"})
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


class BadConditionError(ValueError):
    """A line is no condition; the message says why."""


@dataclass(frozen=True)
class Condition:
    """One condition.

    Attributes:
        text: As it was written.
        path: An argument's name, a path such as `address.zip`, or a JSONPath.
        operator: One of `= != < <= > >= in matches contains exists` and `is missing`.
        value: What it is compared with; None for those that stand alone.
        most: The upper end of a range.
    """

    text: str
    path: str
    operator: str
    value: Any = None
    most: Any = None

    def holds(self, arguments: dict[str, Any]) -> bool:
        """Say whether it holds: for one of the values that its path names, `!=` for each.

        Raises:
            UncheckableError: It cannot be told: the path looks at too much, or there are only
                values of another kind than it compares with, such as "50 dollars" with 100.
        """
        values = self._values(arguments)
        if self.operator == "is missing":
            return not values
        if self.operator == "exists":
            return bool(values)
        if self.operator == "!=":
            return not any(_is_equal(value, self.value) for value in values)
        if any(self._fits(value) for value in values):
            return True
        if other := [value for value in values if self._is_of_another_kind(value)]:
            raise UncheckableError(f"{self.path} is {value_text(other[0])}: not {self._kinds()}")
        return False

    def found(self, arguments: dict[str, Any]) -> str:
        """Return what stands at its path instead, in words."""
        values = self._values(arguments)
        if not values:
            return f"no {self.path}"
        more = f" and {len(values) - 1} more" if len(values) > 1 else ""
        return f"{self.path} {value_text(values[0])}{more}"

    def _values(self, arguments: dict[str, Any]) -> list[Any]:
        if self.path.startswith("$"):
            return find(self.path, arguments)
        if self.path in arguments:
            return [arguments[self.path]]
        try:
            return [value_at(arguments, self.path)]
        except LookupError:
            return []

    def _fits(self, value: Any) -> bool:
        match self.operator:
            case "=":
                return _is_equal(value, self.value)
            case "matches":
                return finds(self.value, _as_text(value)) is not None
            case "contains":
                return _contains(value, self.value)
            case "in":
                return _is_ordered(">=", value, self.value) and _is_ordered("<=", value, self.most)
        return _is_ordered(self.operator, value, self.value)

    def _is_of_another_kind(self, value: Any) -> bool:
        """Say whether a value stands there that has no order with what it is compared with."""
        if value is None or self.operator not in {*_ORDERS, "in"}:
            return False
        return not all(_has_order(value, bound) for bound in self._bounds())

    def _bounds(self) -> tuple[Any, ...]:
        return (self.value, self.most) if self.operator == "in" else (self.value,)

    def _kinds(self) -> str:
        return "a number" if all(map(_is_number, self._bounds())) else "a text to compare"


@lru_cache(maxsize=1000)
def parsed_condition(text: str) -> Condition:
    """Return the condition that a line says.

    Raises:
        BadConditionError: It is none.
    """
    line = text.strip()
    if len(line) > LONGEST_CONDITION:
        raise BadConditionError(
            f"a condition has {len(line):,} characters; {LONGEST_CONDITION:,} at most"
        )
    path, rest = _split(line)
    found = _REST.fullmatch(rest)
    if found is None:
        raise BadConditionError(
            f"“{line}”: after {path} comes =, !=, <, <=, >, >=, in, matches, contains, exists or "
            "is missing"
        )
    operator, written = "=" if found[1] == "==" else found[1], found[2].strip()
    if (operator in _ALONE) == bool(written):
        wanted = "nothing" if operator in _ALONE else "a value"
        raise BadConditionError(f"“{line}”: after {operator} comes {wanted}")
    return _with_value(line, path, operator, written)


def _split(line: str) -> tuple[str, str]:
    if line.startswith("$"):
        try:
            _, end = parse_beginning(line)
        except BadPathError as error:
            raise BadConditionError(f"“{line}” is no JSONPath: {error}") from error
        return line[:end], line[end:]
    found = _PLAIN_PATH.match(line)
    if found is None:
        raise BadConditionError(f"“{line}”: a condition begins with the name of an argument")
    return found[0], line[found.end() :]


def _with_value(line: str, path: str, operator: str, written: str) -> Condition:
    if operator in _ALONE:
        return Condition(line, path, operator)
    if operator == "matches":
        try:
            compiled(written)
        except BadPatternError as error:
            raise BadConditionError(f"“{line}”: {error}") from error
        return Condition(line, path, operator, written)
    if operator == "in":
        ends = _RANGE.fullmatch(written)
        if ends is None:
            raise BadConditionError(f"“{line}”: a range is written low..high, such as 1..30")
        return Condition(line, path, operator, plain_value(ends[1]), plain_value(ends[2]))
    return Condition(line, path, operator, plain_value(written))


def plain_value(text: str) -> Any:
    """Return the JSON value that a text is, or the text itself."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _is_equal(value: Any, wanted: Any) -> bool:
    is_digits = isinstance(value, str) and isinstance(wanted, int) and value == str(wanted)
    return (is_digits and not isinstance(wanted, bool)) or is_same(value, wanted)


def _is_ordered(operator: str, value: Any, bound: Any) -> bool:
    """Compare numbers as numbers, also one in a text, and other texts as they sort (ISO dates)."""
    if _is_number(bound):
        number = _number(value)
        return number is not None and _ORDERS[operator](number, bound)
    if isinstance(value, str) and isinstance(bound, str):
        return _ORDERS[operator](value, bound)
    return False


def _has_order(value: Any, bound: Any) -> bool:
    if _is_number(bound):
        return _number(value) is not None
    return isinstance(value, str) and isinstance(bound, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> float | None:
    if _is_number(value):
        return float(value) if isinstance(value, float) else value
    try:
        number = float(value) if isinstance(value, str) and len(value) < 40 else math.nan
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _contains(value: Any, part: Any) -> bool:
    if isinstance(value, str):
        return folded(_as_text(part)) in folded(value)
    if isinstance(value, list):
        return any(_is_equal(item, part) for item in value)
    return isinstance(value, dict) and isinstance(part, str) and part in value


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
