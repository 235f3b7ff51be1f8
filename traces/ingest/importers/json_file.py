"""Reading JSON files row by row, so that each row is known by its line and its share of the file.

A file that breaks off keeps its rows up to there: the reader raises only when it gets there. No
more of a file is held than the row that is being read.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from traces.errors import BadImportError, BadRecordError
from traces.ingest.importers.source import MAX_VALUE, Source
from traces.ingest.store import check_record
from traces.records import SessionRecord

_CHUNK = 1 << 20
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Row:
    """One value of the file that becomes a session, or some.

    Attributes:
        line: Line of the file in which it begins, from 1.
        share: How much of the file lies before it, 0-1.
        header: Of an array's row, the object's members before the array; the same dictionary for
            all rows.
        place: Where it stands, if not in a line: the name of an archive's file.
    """

    line: int
    share: float
    value: Any
    header: dict[str, Any] = field(default_factory=dict)
    place: str = ""


@dataclass(frozen=True)
class BadRow:
    """A row that cannot become a session, and why; `line` and `place` as in `Row`."""

    line: int
    reason: str
    place: str = ""


Found = tuple[Row, SessionRecord | BadRow]


def records_of(
    rows: Iterator[Row | BadRow], read: Callable[[Row], SessionRecord | list[SessionRecord]]
) -> Iterator[Found]:
    """Yield each row as what `read` makes of it, or as the reason why it is left out."""
    for row in rows:
        if isinstance(row, BadRow):
            yield Row(row.line, 0, None, place=row.place), row
            continue
        try:
            found = read(row)
            records = found if isinstance(found, list) else [found]
            for record in records:
                check_record(record)
        except BadRecordError as error:
            yield row, BadRow(row.line, str(error), row.place)
        except RecursionError:
            yield row, BadRow(row.line, "it is nested too deeply", row.place)
        else:
            for record in records:
                yield row, record


def documents_of(source: Source) -> Iterator[Row | BadRow]:
    """Yield a file's JSON values: its lines (JSON Lines), an array's elements, or the one value.

    Raises:
        BadImportError: It is an array or one value, and breaks off; names the line.
    """
    head = source.head.lstrip()
    first, newline, _ = head.partition("\n")
    if not head:
        raise BadImportError("the file is empty")
    if head.startswith("["):
        yield from elements_of(source)
    elif not newline or first.rstrip().endswith("}"):
        yield from _lines(source)
    else:
        cursor = _Cursor(source.text())
        yield Row(cursor.line(), source.share, cursor.value())
        cursor.end()


def elements_of(source: Source) -> Iterator[Row]:
    """Yield the elements of the array that the file is.

    Raises:
        BadImportError: It is no array, or breaks off; names the line.
    """
    cursor = _Cursor(source.text())
    cursor.expect("[", "a JSON array")
    yield from _elements(cursor, source, {})
    cursor.end()


def rows_of(source: Source, key: str) -> Iterator[Row]:
    """Yield the elements of the array under `key` of the object that the file holds.

    Raises:
        BadImportError: The file is not such an object, or breaks off; names the line.
    """
    cursor = _Cursor(source.text())
    cursor.expect("{", "a JSON object")
    header: dict[str, Any] = {}
    has_rows = False
    while not cursor.take("}"):
        name = cursor.value()
        cursor.expect(":", "a colon")
        if name == key and cursor.take("["):
            has_rows = True
            yield from _elements(cursor, source, header)
        else:
            header[str(name)] = cursor.value()
        if not cursor.take(","):
            cursor.expect("}", "a comma or the end of the object")
            break
    if not has_rows:
        raise BadImportError(f"the file holds no array {key!r}")
    cursor.end()


def _lines(source: Source) -> Iterator[Row | BadRow]:
    for number, line in source.lines():
        if not line.strip():
            continue
        try:
            yield Row(number, source.share, json.loads(line.decode()))
        except UnicodeDecodeError as error:
            yield BadRow(number, f"its byte {error.start} is not UTF-8")
        except json.JSONDecodeError as error:
            yield BadRow(number, f"it is no JSON: {error.msg} at character {error.pos + 1}")
        except RecursionError:
            yield BadRow(number, "it is nested too deeply")
        except ValueError as error:
            yield BadRow(number, f"it cannot be read: {error}")


def _elements(cursor: "_Cursor", source: Source, header: dict[str, Any]) -> Iterator[Row]:
    while not cursor.take("]"):
        line, share = cursor.line(), source.share
        yield Row(line, share, cursor.value(), header)
        if not cursor.take(","):
            cursor.expect("]", "a comma or the end of the array")
            break


class _Cursor:
    """A place in a JSON text that only moves forward; what lies behind it is forgotten."""

    def __init__(self, chunks: Iterator[str]) -> None:
        self._chunks = chunks
        self._text = ""
        self._position = 0
        self._counted = 0
        self._line = 1

    def line(self) -> int:
        """Return the line of the next token."""
        self._skip_space()
        return self._line_at(self._position)

    def take(self, token: str) -> bool:
        """Move over `token`, one character, if it is next, and say whether it was."""
        self._skip_space()
        if not self._text.startswith(token, self._position):
            return False
        self._position += len(token)
        return True

    def expect(self, token: str, meaning: str) -> None:
        """Move over `token`, which must be next."""
        if not self.take(token):
            raise BadImportError(f"line {self.line()}: {meaning} was expected, {self._found()}")

    def value(self) -> Any:
        """Move over the next JSON value and return it."""
        self._skip_space()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._position)
            except json.JSONDecodeError as error:
                if self._read_on():
                    continue
                line = self._line_at(min(error.pos, len(self._text)))
                raise BadImportError(f"line {line}: {error.msg}") from error
            except (RecursionError, ValueError) as error:
                raise BadImportError(f"line {self.line()}: {error}") from error
            # Only a number or a word may go on in what has not been read yet.
            if end == len(self._text) and self._text[end - 1] not in '"]}' and self._read_on():
                continue
            self._position = end
            return value

    def end(self) -> None:
        """Check that nothing follows."""
        self._skip_space()
        if self._position < len(self._text):
            raise BadImportError(f"line {self.line()}: text follows the end of the JSON")

    def _read_on(self) -> bool:
        """Read at least as much as is there, so that a long value is not tried over and over."""
        self._line, rest = self._line_at(self._position), self._text[self._position :]
        parts, length = [rest], len(rest)
        wanted = max(2 * length, _CHUNK)
        for chunk in self._chunks:
            parts.append(chunk)
            length += len(chunk)
            if length >= wanted:
                break
        has_more = length > len(rest)
        self._text, self._position, self._counted = "".join(parts), 0, 0
        if length > 2 * MAX_VALUE:
            raise BadImportError(f"line {self._line}: a value has over {MAX_VALUE:,} characters")
        return has_more

    def _line_at(self, position: int) -> int:
        if position >= self._counted:
            self._line += self._text.count("\n", self._counted, position)
            self._counted = position
        return self._line

    def _skip_space(self) -> None:
        while True:
            match = _SPACE.match(self._text, self._position)
            self._position = match.end() if match else self._position
            if self._position < len(self._text) or not self._read_on():
                return

    def _found(self) -> str:
        found = self._text[self._position : self._position + 20]
        return f"{found!r} stands there" if found else "the file ends there"
