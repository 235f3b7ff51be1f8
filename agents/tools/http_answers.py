"""What an HTTP tool answered: a result, a refusal in its own words, or to be asked again."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from agents.errors import ToolUnavailableError
from agents.tools.contract import ToolError
from traces.clean import is_deeper

MAX_ANSWER = 1_000_000
MAX_WORDS = 500
MAX_DEPTH = 100
MAX_WAIT_SECONDS = 3600.0
# Answers that promise nothing was done: RFC 6585 (429), RFC 8470 (425).
_NOT_DONE = {425, 429}
_MAY_REPEAT = {408, 425, 429}


@dataclass(frozen=True)
class Answer:
    """What a server answered, read whole.

    Attributes:
        is_whole: Whether the body fitted; else it is cut.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool

    @property
    def is_success(self) -> bool:
        """Say whether it is a 2xx."""
        return 200 <= self.status < 300


def result_of(what: str, answer: Answer, *, is_keyed: bool, method: str) -> Any:
    """Return a success's result.

    Raises:
        ToolError: A refusal, in the server's words.
        ToolUnavailableError: The same call may be repeated.
    """
    if answer.is_success:
        return _success(what, answer, is_read=method in {"GET", "HEAD"})
    text = f"{what} answered {status_text(answer.status)}: {words_of(answer)}"
    retry_after = _retry_after(answer.headers.get("retry-after"))
    # The Idempotency-Key draft answers 409 while the first attempt is still at work.
    is_at_work = is_keyed and answer.status == HTTPStatus.CONFLICT and retry_after is not None
    if answer.status >= 500 or answer.status in _MAY_REPEAT or is_at_work:
        is_sent = answer.status not in _NOT_DONE
        raise ToolUnavailableError(text, retry_after, is_sent=is_sent)
    raise ToolError(text)


def _success(what: str, answer: Answer, *, is_read: bool) -> Any:
    """Return a success's JSON or text; one that cannot be read is still a success of a write."""
    if not answer.body:
        return None
    problem = ""
    if not answer.is_whole:
        problem = f"its answer is longer than {MAX_ANSWER:,} bytes"
    elif answer.headers.get("content-encoding", "identity") != "identity":
        problem = "its answer is packed, which was not asked for"
    elif (found := _json_or_text(answer)) is not None:
        return found["value"]
    else:
        problem = "its answer is neither JSON nor text"
    if is_read:
        raise ToolError(f"{what} was read, but {problem}.")
    return {"note": f"{what} did it, but {problem}; the answer was left out."}


def _json_or_text(answer: Answer) -> dict[str, Any] | None:
    try:
        text = answer.body.decode()
    except UnicodeDecodeError:
        return None
    try:
        return {"value": json.loads(text)}
    except (ValueError, RecursionError):
        return None if "\0" in text else {"value": text}


def words_of(answer: Answer) -> str:
    """Return the server's own words about an error, shortened."""
    found = _json_or_text(answer)
    value = found["value"] if found else "(no text)"
    if isinstance(value, dict):
        for key in ("detail", "message", "error_description", "error", "title", "errors"):
            if value.get(key):
                value = value[key]
                break
    text = " ".join(("(no text)" if is_deeper(value, MAX_DEPTH) else as_text(value)).split())
    return text if len(text) <= MAX_WORDS else f"{text[:MAX_WORDS]}…"


def status_text(status: int) -> str:
    """Return a status with its name."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _retry_after(value: str | None) -> float | None:
    """Return the seconds that `Retry-After` asks for, given as seconds or as a date."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return min(max(seconds, 0.0), MAX_WAIT_SECONDS) if seconds == seconds else None


def as_text(value: Any) -> str:
    """Return text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
