"""JSONPath as RFC 9535 defines it: which values of a JSON value a query names. Pure.

Written here because the text that is queried is hostile: patterns match in linear time, and a
query that would visit too much of a value ends with an error instead of taking its time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from agents.golden.jsonpath_parser import BadPathError, parse
from agents.golden.jsonpath_parts import (
    And,
    Comparison,
    Exists,
    Expression,
    Filter,
    Function,
    Index,
    Literal,
    Member,
    Not,
    Operand,
    Or,
    Query,
    Segment,
    Selector,
    Slice,
    Wildcard,
)
from agents.golden.judgements import UncheckableError
from agents.golden.patterns import BadPatternError, finds, fits

__all__ = ["BadPathError", "TooMuchError", "find", "parsed"]

_MOST_VISITS = 100_000
_NOTHING = object()


class TooMuchError(UncheckableError):
    """A query looked at too many values."""


@lru_cache(maxsize=500)
def parsed(path: str) -> Query:
    """Return a query, ready to be used.

    Raises:
        BadPathError: It is no JSONPath; the message says where.
    """
    return parse(path)


def find(path: str, value: Any) -> list[Any]:
    """Return the values that a query names, in the order of the document.

    Raises:
        BadPathError: It is no JSONPath.
        TooMuchError: It looked at more than 100,000 values.
        UncheckableError: A pattern that it takes from the value cannot be used.
    """
    return list(_Walk(value).nodes(parsed(path), value))


@dataclass
class _Walk:
    """One evaluation: the root, and how much has been looked at."""

    root: Any
    num_visits: int = field(default=0)

    def nodes(self, query: Query, current: Any) -> Iterator[Any]:
        values: Iterator[Any] = iter([self.root if query.is_absolute else current])
        for segment in query.segments:
            values = self._segment(segment, values)
        return values

    def _segment(self, segment: Segment, values: Iterator[Any]) -> Iterator[Any]:
        for value in values:
            for each in self._descendants(value) if segment.is_descendant else (value,):
                for selector in segment.selectors:
                    yield from self._select(selector, each)

    def _descendants(self, value: Any) -> Iterator[Any]:
        stack = [value]
        while stack:
            self._visit()
            last = stack.pop()
            yield last
            stack += reversed(_children(last))

    def _select(self, selector: Selector, value: Any) -> Iterator[Any]:
        self._visit()
        match selector:
            case Member(name):
                if isinstance(value, dict) and name in value:
                    yield value[name]
            case Wildcard():
                for each in _children(value):
                    self._visit()
                    yield each
            case Index(number):
                if isinstance(value, list) and -len(value) <= number < len(value):
                    yield value[number]
            case Slice():
                if isinstance(value, list) and selector.step != 0:
                    start, stop, step = selector.start, selector.stop, selector.step
                    for each in value[start:stop:step]:
                        self._visit()
                        yield each
            case Filter(expression):
                for each in _children(value):
                    self._visit()
                    if self._holds(expression, each):
                        yield each

    def _holds(self, expression: Expression, current: Any) -> bool:
        match expression:
            case Or(parts):
                return any(self._holds(part, current) for part in parts)
            case And(parts):
                return all(self._holds(part, current) for part in parts)
            case Not(inner):
                return not self._holds(inner, current)
            case Exists(query):
                return next(self.nodes(query, current), _NOTHING) is not _NOTHING
            case Comparison():
                left = self._value(expression.left, current)
                right = self._value(expression.right, current)
                return _compares(expression.operator, left, right)
            case Function(name, arguments):
                text, pattern = (self._value(each, current) for each in arguments)
                return _matches(text, pattern, is_whole=name == "match")

    def _value(self, operand: Operand, current: Any) -> Any:
        match operand:
            case Literal(value):
                return value
            case Query():
                found = list(self.nodes(operand, current))
                return found[0] if len(found) == 1 else _NOTHING
            case Function("count", (Query() as query,)):
                return sum(1 for _ in self.nodes(query, current))
            case Function("length", (argument,)):
                value = self._value(argument, current)
                return len(value) if isinstance(value, str | list | dict) else _NOTHING
            case Function(_, (argument,)):
                return self._value(argument, current)
        return _NOTHING

    def _visit(self) -> None:
        self.num_visits += 1
        if self.num_visits > _MOST_VISITS:
            raise TooMuchError(f"the path looks at more than {_MOST_VISITS:,} values")


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list) else []


def _matches(text: Any, pattern: Any, *, is_whole: bool) -> bool:
    """Say whether a pattern fits.

    Where RFC 9535 (2.4.6) lets a pattern that cannot be used fit nothing, this cannot be told: it
    comes out of the value, and whoever wrote that would decide what a check sees.
    """
    if not isinstance(text, str) or not isinstance(pattern, str):
        return False
    try:
        return fits(pattern, text) if is_whole else finds(pattern, text) is not None
    except BadPatternError as error:
        raise UncheckableError(str(error)) from error


def _compares(operator: str, left: Any, right: Any) -> bool:
    match operator:
        case "==":
            return _is_equal(left, right)
        case "!=":
            return not _is_equal(left, right)
        case "<":
            return _is_less(left, right)
        case ">":
            return _is_less(right, left)
        case "<=":
            return _is_less(left, right) or _is_equal(left, right)
    return _is_less(right, left) or _is_equal(left, right)


def _is_less(left: Any, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left < right
    return _is_number(left) and _is_number(right) and bool(left < right)


def _is_equal(left: Any, right: Any) -> bool:
    if left is _NOTHING or right is _NOTHING:
        return left is right
    if _is_number(left) and _is_number(right):
        return bool(left == right)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_is_equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_is_equal(left[k], right[k]) for k in left)
    return type(left) is type(right) and bool(left == right)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
