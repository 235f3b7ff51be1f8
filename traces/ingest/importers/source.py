"""A file to import, plain or gzip, read in pieces so that its size does not matter."""

import codecs
import zlib
from collections.abc import Iterator
from pathlib import Path

from traces.errors import BadImportError

# A line or value that is longer is no session that anybody could read.
MAX_VALUE = 1 << 30
_CHUNK = 1 << 20
_HEAD = 1 << 18
_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGIC = b"PK\x03\x04"
_GZIP_WBITS = 31
_BOM = codecs.BOM_UTF8


class Source:
    """A file's contents, once from its beginning to its end.

    Attributes:
        path: Where it lies.
        head: Its first characters, to recognise it by.
        share: How much of the file has been read, 0-1.
        problem: What is wrong with its end; empty until the end is read, or where nothing is.
    """

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            BadImportError: It cannot be opened.
        """
        self.path = path
        self.share = 0.0
        self.problem = ""
        try:
            with path.open("rb") as file:
                start = file.read(4)
            self._size = path.stat().st_size
            self.changed_ns = path.stat().st_mtime_ns
        except OSError as error:
            raise BadImportError(f"{path} cannot be read: {error.strerror or error}.") from error
        self.is_zip = start == _ZIP_MAGIC
        self._is_gzip = start.startswith(_GZIP_MAGIC)
        self.head = self._read_head()

    def chunks(self) -> Iterator[bytes]:
        """Yield what the file holds, inflated, in pieces of about a megabyte."""
        yield from self._inflated() if self._is_gzip else self._plain()
        self.share = 1.0

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the lines with their numbers, from 1; not one that breaks off with the file.

        Raises:
            BadImportError: A line has over `MAX_VALUE` bytes.
        """
        parts: list[bytes] = []
        number, length = 1, 0
        for chunk in self.chunks():
            *whole, rest = chunk.split(b"\n")
            for piece in whole:
                yield number, b"".join([*parts, piece]).removeprefix(_BOM)
                number, parts, length = number + 1, [], 0
            parts.append(rest)
            length += len(rest)
            if length > MAX_VALUE:
                raise BadImportError(f"line {number} has over {MAX_VALUE:,} bytes")
        if length and not self.problem:
            yield number, b"".join(parts).removeprefix(_BOM)

    def text(self) -> Iterator[str]:
        """Yield the contents as text, up to the first byte that is not UTF-8."""
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        num_read = 0
        for chunk in self.chunks():
            try:
                yield decoder.decode(chunk)
            except UnicodeDecodeError as error:
                valid = error.object[: error.start].decode("utf-8-sig")
                place = num_read - (len(error.object) - len(chunk)) + error.start
                self.problem = f"byte {place} is not UTF-8"
                yield valid
                return
            num_read += len(chunk)

    def _read_head(self) -> str:
        parts: list[bytes] = []
        for chunk in self.chunks():
            parts.append(chunk)
            if sum(map(len, parts)) >= _HEAD:
                break
        self.share, self.problem = 0.0, ""
        return b"".join(parts)[:_HEAD].decode("utf-8-sig", errors="replace")

    def _plain(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            while data := file.read(_CHUNK):
                self.share = file.tell() / max(self._size, 1)
                yield data

    def _inflated(self) -> Iterator[bytes]:
        """Yield all that can be inflated; `gzip.open` would drop what came before a broken end."""
        inflater = zlib.decompressobj(wbits=_GZIP_WBITS)
        with self.path.open("rb") as file:
            while data := file.read(_CHUNK):
                self.share = file.tell() / max(self._size, 1)
                try:
                    while data:
                        if inflater.eof:
                            inflater = zlib.decompressobj(wbits=_GZIP_WBITS)
                        yield inflater.decompress(data, _CHUNK)
                        data = inflater.unconsumed_tail or inflater.unused_data
                except zlib.error as error:
                    self.problem = f"the gzip data is damaged ({error})"
                    return
        if not inflater.eof:
            self.problem = "the gzip data breaks off"
