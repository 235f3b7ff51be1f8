"""Reading JSON files row by row, so that each row is known by its line and its share of the file.

A file that breaks off keeps its rows up to there: the reader raises only when it gets there.
"""

import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from traces.errors import BadImportError

_CHUNK = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WBITS = 31
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Row:
    """One element of the array.

    Attributes:
        line: Line of the file in which it begins, from 1.
        share: How much of the file lies before it, 0-1.
        header: The object's members before the array; the same dictionary for all rows.
    """

    line: int
    share: float
    value: Any
    header: dict[str, Any]


@dataclass(frozen=True)
class BadRow:
    """A row that cannot become a session, and why; `line` as in `Row`."""

    line: int
    reason: str


def read_text(path: Path) -> tuple[str, str]:
    """Return a file's text, plain or gzip, and what is wrong with its end (empty: nothing).

    Raises:
        BadImportError: The file cannot be opened.
    """
    try:
        with path.open("rb") as file:
            is_gzip = file.read(2) == _GZIP_MAGIC
        data, problem = _inflate(path) if is_gzip else (path.read_bytes(), "")
    except OSError as error:
        raise BadImportError(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        return data.decode("utf-8-sig"), problem
    except UnicodeDecodeError as error:
        return data[: error.start].decode("utf-8-sig"), f"byte {error.start} is not UTF-8"


def rows_of(text: str, key: str) -> Iterator[Row]:
    """Yield the elements of the array under `key` of the object that `text` holds.

    Raises:
        BadImportError: `text` is not such an object, or breaks off; names the line.
    """
    cursor = _Cursor(text)
    cursor.expect("{", "a JSON object")
    header: dict[str, Any] = {}
    has_rows = False
    while not cursor.take("}"):
        name = cursor.value()
        cursor.expect(":", "a colon")
        if name == key and cursor.take("["):
            has_rows = True
            yield from _elements(cursor, header)
        else:
            header[str(name)] = cursor.value()
        if not cursor.take(","):
            cursor.expect("}", "a comma or the end of the object")
            break
    if not has_rows:
        raise BadImportError(f"the file holds no array {key!r}")
    cursor.end()


def _elements(cursor: "_Cursor", header: dict[str, Any]) -> Iterator[Row]:
    while not cursor.take("]"):
        line, share = cursor.line(), cursor.position / max(len(cursor.text), 1)
        yield Row(line, share, cursor.value(), header)
        if not cursor.take(","):
            cursor.expect("]", "a comma or the end of the array")
            break


class _Cursor:
    """A place in a JSON text that only moves forward."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self._counted = 0
        self._line = 1

    def line(self) -> int:
        """Return the line of the next token."""
        self._skip_space()
        self._line += self.text.count("\n", self._counted, self.position)
        self._counted = self.position
        return self._line

    def take(self, token: str) -> bool:
        """Move over `token` if it is next, and say whether it was."""
        self._skip_space()
        if not self.text.startswith(token, self.position):
            return False
        self.position += len(token)
        return True

    def expect(self, token: str, meaning: str) -> None:
        """Move over `token`, which must be next."""
        if not self.take(token):
            raise BadImportError(f"line {self.line()}: {meaning} was expected, {self._found()}")

    def value(self) -> Any:
        """Move over the next JSON value and return it."""
        self._skip_space()
        try:
            value, self.position = _DECODER.raw_decode(self.text, self.position)
        except json.JSONDecodeError as error:
            raise BadImportError(f"line {error.lineno}: {error.msg}") from error
        except (RecursionError, ValueError) as error:
            raise BadImportError(f"line {self.line()}: {error}") from error
        return value

    def end(self) -> None:
        """Check that nothing follows."""
        self._skip_space()
        if self.position < len(self.text):
            raise BadImportError(f"line {self.line()}: text follows the end of the object")

    def _skip_space(self) -> None:
        match = _SPACE.match(self.text, self.position)
        self.position = match.end() if match else self.position

    def _found(self) -> str:
        found = self.text[self.position : self.position + 20]
        return f"{found!r} stands there" if found else "the file ends there"


def _inflate(path: Path) -> tuple[bytes, str]:
    """Return all that can be inflated; `gzip.open` would drop what came before a broken end."""
    inflater = zlib.decompressobj(wbits=_GZIP_WBITS)
    chunks: list[bytes] = []
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            try:
                while data:
                    if inflater.eof:
                        inflater = zlib.decompressobj(wbits=_GZIP_WBITS)
                    chunks.append(inflater.decompress(data))
                    data = inflater.unused_data
            except zlib.error as error:
                return b"".join(chunks), f"the gzip data is damaged ({error})"
    return b"".join(chunks), "" if inflater.eof else "the gzip data breaks off"
