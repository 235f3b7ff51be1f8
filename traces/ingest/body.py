"""The body of a request, read and inflated within bounds."""

import zlib
from contextlib import suppress
from typing import Protocol

from django.http import HttpRequest
from gunicorn.http.errors import ParseException

from traces.errors import BadPayloadError, TooLargeError, UnsupportedTypeError
from traces.ingest.hurry import hurried

# Of a body as it is sent, and again of it inflated.
MAX_BYTES = 20_000_000
# Of a body that is refused, so that its sender gets to the answer: the server closes a connection
# with more unread while the client still writes. OpenTelemetry's SDK sends at most 64 MiB.
MAX_DISCARDED_BYTES = 70_000_000
MAX_SILENCE_SECONDS = 10.0
# In all: OpenTelemetry's SDKs give up after 10 s, and each body that comes keeps a thread.
MAX_SECONDS = 30.0
_DISCARD_SILENCE_SECONDS = 1.0
# Whoever is refused may be a stranger.
_DISCARD_SECONDS = 5.0
_CHUNK = 65_536
# zlib's numbers for its own header and for gzip's.
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


def encoding_of(request: HttpRequest) -> str:
    """Return how the body is compressed: gzip or deflate, empty where it is not.

    Raises:
        UnsupportedTypeError: In another way.
    """
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", *_WINDOW_BITS):
        raise UnsupportedTypeError(
            f"Content-Encoding {encoding[:60]!r} is not read here; send gzip, deflate or none."
        )
    return "" if encoding == "identity" else encoding


def read_body(request: HttpRequest) -> bytes:
    """Return the body as it was sent.

    Raises:
        BadPayloadError: It broke off, or took over `MAX_SECONDS`.
        TooLargeError: It has over `MAX_BYTES`.
    """
    announced = request.META.get("CONTENT_LENGTH") or ""
    length = int(announced) if announced.isdecimal() else None
    if length is not None and length > MAX_BYTES:
        raise TooLargeError(f"The body has {length:,} bytes; {MAX_BYTES:,} are allowed.")
    with hurried(request.META.get("gunicorn.socket"), MAX_SECONDS) as clock:
        body, problem = _read(_stream(request, MAX_SILENCE_SECONDS))
    if clock and clock.is_over:
        raise BadPayloadError(
            f"The body took over {MAX_SECONDS:.0f} s; {len(body):,} bytes had come."
        )
    if problem:
        raise BadPayloadError(problem)
    if length is not None and len(body) < length:
        raise BadPayloadError(f"The body broke off after {len(body):,} of {length:,} bytes.")
    return body


def _read(stream: _Stream) -> tuple[bytes, str]:
    """Return what can be read, and why no more can, if that was not its end."""
    chunks: list[bytes] = []
    size = 0
    problem = ""
    try:
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            if size > MAX_BYTES:
                raise TooLargeError(f"The body has over {MAX_BYTES:,} bytes; send less.")
            chunks.append(chunk)
    except TimeoutError:
        problem = f"The body stopped after {size:,} bytes for {MAX_SILENCE_SECONDS:.0f} s."
    except (OSError, ParseException) as error:
        problem = f"The body cannot be read after {size:,} bytes: {error}."
    return b"".join(chunks), problem


def inflate(body: bytes, encoding: str) -> bytes:
    """Return what was compressed, of which there may be `MAX_BYTES`.

    No more than that, and a byte, is ever made of it.

    Raises:
        BadPayloadError: It is not so compressed, broken off, or followed by something else.
        TooLargeError: There is more.
    """
    if not encoding:
        return body
    inflater = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        inflated = inflater.decompress(body, MAX_BYTES + 1)
    except zlib.error as error:
        raise BadPayloadError(f"The body is not {encoding}: {error}.") from error
    if len(inflated) > MAX_BYTES:
        raise TooLargeError(f"The body has over {MAX_BYTES:,} bytes when inflated; send less.")
    if not inflater.eof:
        raise BadPayloadError(f"The body's {encoding} breaks off before its end.")
    if inflater.unused_data:
        raise BadPayloadError(f"Behind the end of the body's {encoding} stands something else.")
    return inflated


def discard_body(request: HttpRequest) -> None:
    """Read what is left of a body that is refused, up to `MAX_DISCARDED_BYTES`."""
    left = MAX_DISCARDED_BYTES
    stream = _stream(request, _DISCARD_SILENCE_SECONDS)
    with (
        hurried(request.META.get("gunicorn.socket"), _DISCARD_SECONDS),
        suppress(OSError, ParseException),
    ):
        while left > 0 and (read := stream.read(min(left, _CHUNK))):
            left -= len(read)


def _stream(request: HttpRequest, silence_seconds: float) -> _Stream:
    """Return where the body is read from.

    Django reads as much as Content-Length says, and nothing where there is none: of a body that
    comes in chunks the server itself knows the end.
    """
    if connection := request.META.get("gunicorn.socket"):
        connection.settimeout(silence_seconds)
    if request.META.get("wsgi.input_terminated"):
        stream: _Stream = request.META["wsgi.input"]
        return stream
    return request
