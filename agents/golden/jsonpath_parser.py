"""Reading JSONPath (RFC 9535) into what `jsonpath` walks. Pure."""

import re
from collections.abc import Callable

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
from agents.golden.patterns import BadPatternError, compiled

LONGEST_PATH = 500
_DEEPEST = 20
_LARGEST = 2**53 - 1


class BadPathError(ValueError):
    """A text is no JSONPath; the message says where."""


_NAME = re.compile(
    r"[A-Za-z_\u0080-\ud7ff\ue000-\U0010ffff][0-9A-Za-z_\u0080-\ud7ff\ue000-\U0010ffff]*"
)
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_FUNCTION = re.compile(r"[a-z][a-z_0-9]*(?=\()")
_OPERATOR = re.compile(r"==|!=|<=|>=|<|>")
_KEYWORD = re.compile(r"(?:true|false|null)(?![0-9A-Za-z_])")
_BLANK = re.compile(r"[ \t\n\r]*")
_HEX = re.compile(r"[0-9A-Fa-f]{4}")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "/": "/", "\\": "\\"}
_WORDS = {"true": True, "false": False, "null": None}
_NUM_ARGUMENTS = {"length": 1, "count": 1, "value": 1, "match": 2, "search": 2}
_LOGICAL = frozenset({"match", "search"})


def parse(text: str) -> Query:
    """Return the query that a text says.

    Raises:
        BadPathError: It is no JSONPath, too long, or nested too deeply.
    """
    query, end = parse_beginning(text)
    if end < len(text):
        reader = _Reader(text)
        reader.at = end
        raise reader.problem("this does not belong to a path")
    return query


def parse_beginning(text: str) -> tuple[Query, int]:
    """Return the query with which a text begins, and where it ends.

    Raises:
        BadPathError: It begins with no JSONPath, is too long, or nested too deeply.
    """
    if len(text) > LONGEST_PATH:
        raise BadPathError(f"it has {len(text):,} characters; {LONGEST_PATH:,} at most")
    reader = _Reader(text)
    if not reader.take("$"):
        raise reader.problem("a path begins with $")
    return Query(True, reader.segments()), reader.at


class _Reader:
    """A text and how far it has been read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def problem(self, why: str) -> BadPathError:
        near = self.text[self.at : self.at + 12]
        where = f"at “{near}”" if near else "at its end"
        return BadPathError(f"{why}, {where} (character {self.at + 1})")

    def take(self, sign: str) -> bool:
        if self.text.startswith(sign, self.at):
            self.at += len(sign)
            return True
        return False

    def match(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[0]

    def blank(self) -> None:
        self.match(_BLANK)

    def segments(self) -> tuple[Segment, ...]:
        found: list[Segment] = []
        while True:
            start = self.at
            self.blank()
            if self.take(".."):
                is_bracket = self.text.startswith("[", self.at)
                selectors = self._bracket() if is_bracket else (self._shorthand(),)
                found.append(Segment(selectors, is_descendant=True))
            elif self.take("."):
                found.append(Segment((self._shorthand(),)))
            elif self.text.startswith("[", self.at):
                found.append(Segment(self._bracket()))
            else:
                self.at = start
                return tuple(found)

    def _shorthand(self) -> Selector:
        if self.take("*"):
            return Wildcard()
        name = self.match(_NAME)
        if name is None:
            raise self.problem("after a dot comes a name or *")
        return Member(name)

    def _bracket(self) -> tuple[Selector, ...]:
        self.take("[")
        found = []
        while True:
            self.blank()
            found.append(self._selector())
            self.blank()
            if self.take("]"):
                return tuple(found)
            if not self.take(","):
                raise self.problem("a bracket is closed by ]")

    def _selector(self) -> Selector:
        if self.take("*"):
            return Wildcard()
        if self.take("?"):
            self.blank()
            return Filter(self._or())
        if self.text[self.at : self.at + 1] in {"'", '"'}:
            return Member(self._string())
        return self._index_or_slice()

    def _index_or_slice(self) -> Selector:
        start = self._integer()
        self.blank() if start is None else None
        before = self.at
        self.blank()
        if not self.take(":"):
            self.at = before
            if start is None:
                raise self.problem("in brackets comes a name in quotes, a number, * or ?")
            return Index(start)
        self.blank()
        stop = self._integer()
        self.blank()
        step = None
        if self.take(":"):
            self.blank()
            step = self._integer()
        return Slice(start, stop, 1 if step is None else step)

    def _integer(self) -> int | None:
        text = self.match(_INTEGER)
        if text is None:
            return None
        number = int(text)
        if text == "-0" or abs(number) > _LARGEST:
            raise self.problem(f"{text} is no place in a list")
        return number

    def _or(self) -> Expression:
        return self._joined("||", self._and, Or)

    def _and(self) -> Expression:
        return self._joined("&&", self._basic, And)

    def _joined(
        self, sign: str, part: Callable[[], Expression], join: type[Or] | type[And]
    ) -> Expression:
        self.depth += 1
        if self.depth > _DEEPEST * 2:
            raise self.problem("it is nested too deeply")
        parts = [part()]
        while True:
            start = self.at
            self.blank()
            if not self.take(sign):
                self.at = start
                break
            self.blank()
            parts.append(part())
        self.depth -= 1
        return parts[0] if len(parts) == 1 else join(tuple(parts))

    def _basic(self) -> Expression:
        if self.take("!"):
            self.blank()
            if self.take("("):
                return Not(self._closed())
            return Not(self._test(self._operand()))
        if self.take("("):
            return self._closed()
        left = self._operand()
        start = self.at
        self.blank()
        operator = self.match(_OPERATOR)
        if operator is None:
            self.at = start
            return self._test(left)
        self.blank()
        return Comparison(operator, self._comparable(left), self._comparable(self._operand()))

    def _closed(self) -> Expression:
        self.blank()
        inner = self._or()
        self.blank()
        if not self.take(")"):
            raise self.problem("a parenthesis is closed by )")
        return inner

    def _test(self, operand: Operand) -> Expression:
        if isinstance(operand, Query):
            return Exists(operand)
        if isinstance(operand, Function) and operand.name in _LOGICAL:
            return operand
        raise self.problem("a value alone is no condition; compare it")

    def _comparable(self, operand: Operand) -> Operand:
        if isinstance(operand, Query) and not operand.is_singular:
            raise self.problem("only a path that names one value can be compared")
        if isinstance(operand, Function) and operand.name in _LOGICAL:
            raise self.problem(f"{operand.name}() is a condition itself; it is not compared")
        return operand

    def _operand(self) -> Operand:
        if self.take("$"):
            return Query(True, self.segments())
        if self.take("@"):
            return Query(False, self.segments())
        if self.text[self.at : self.at + 1] in {"'", '"'}:
            return Literal(self._string())
        if name := self.match(_FUNCTION):
            return self._function(name)
        if word := self.match(_KEYWORD):
            return Literal(_WORDS[word])
        if text := self.match(_NUMBER):
            is_whole = text.lstrip("-").isdecimal()
            return Literal(int(text) if is_whole else float(text))
        raise self.problem("here comes @, $, a value or a function")

    def _function(self, name: str) -> Function:
        if name not in _NUM_ARGUMENTS:
            known = ", ".join(sorted(_NUM_ARGUMENTS))
            raise self.problem(f"there is no function {name}; there are {known}")
        self.take("(")
        arguments: list[Operand] = []
        self.blank()
        while not self.take(")"):
            if arguments:
                if not self.take(","):
                    raise self.problem("arguments are parted by commas")
                self.blank()
            arguments.append(self._operand())
            self.blank()
        if len(arguments) != _NUM_ARGUMENTS[name]:
            raise self.problem(f"{name}() takes {_NUM_ARGUMENTS[name]} arguments")
        if name in _LOGICAL and isinstance(arguments[1], Literal):
            self._refuse_bad_pattern(arguments[1].value)
        takes_nodes = name in {"count", "value"}
        for argument in arguments:
            if takes_nodes and not isinstance(argument, Query):
                raise self.problem(f"{name}() takes a path")
            if not takes_nodes:
                self._comparable(argument)
        return Function(name, tuple(arguments))

    def _refuse_bad_pattern(self, pattern: object) -> None:
        if not isinstance(pattern, str):
            raise self.problem("a pattern is a text")
        try:
            compiled(pattern)
        except BadPatternError as error:
            raise self.problem(str(error)) from error

    def _string(self) -> str:
        quote = self.text[self.at]
        self.at += 1
        parts: list[str] = []
        while True:
            sign = self.text[self.at : self.at + 1]
            if sign == "" or (sign < " " and sign != quote):
                raise self.problem("a text is closed by its quote")
            self.at += 1
            if sign == quote:
                return "".join(parts)
            parts.append(self._escaped(quote) if sign == "\\" else sign)

    def _escaped(self, quote: str) -> str:
        sign = self.text[self.at : self.at + 1]
        self.at += 1
        if sign == quote:
            return quote
        if sign == "u":
            return self._unicode()
        if sign not in _ESCAPES:
            raise self.problem(f"\\{sign} stands for nothing")
        return _ESCAPES[sign]

    def _unicode(self) -> str:
        code = self._hex()
        if 0xDC00 <= code < 0xE000:
            raise self.problem("half a character")
        if 0xD800 <= code < 0xDC00:
            if not self.take("\\u"):
                raise self.problem("half a character")
            low = self._hex()
            if not 0xDC00 <= low < 0xE000:
                raise self.problem("half a character")
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
        return chr(code)

    def _hex(self) -> int:
        digits = self.match(_HEX)
        if digits is None:
            raise self.problem("\\u is followed by four hex digits")
        return int(digits, 16)
