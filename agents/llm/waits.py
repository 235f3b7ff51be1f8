"""How long an endpoint asks to be left alone, read from the headers of its refusal.

Sources: RFC 9110, section 10.2.3 (`Retry-After`: seconds or a date); OpenAI's guide to rate limits
(`x-ratelimit-remaining-…`, `x-ratelimit-reset-…` with durations such as `1s`, `6m0s`, `20ms`);
`retry-after-ms` as Azure's endpoints send it. No clock but the one that is passed.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|d|h|m|s)")
_SECONDS = {
    "d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6,
    "ns": 1e-9,
}  # fmt: skip
_MAX_LENGTH = 100


def wait_seconds(headers: Mapping[str, str], *, now: datetime, is_rate_limit: bool) -> float | None:
    """Return how many seconds to wait at least, or None where the headers do not say.

    The endpoint's own word (`retry-after-ms`, `retry-after`) comes before what can be reckoned
    from its limits: of those that are used up, the one that is whole again last.

    Args:
        headers: Of the response; looked up in lower case.
        now: For a `retry-after` that is a date, where the response has none of its own.
        is_rate_limit: Whether it was refused for its rate; limits stand on every response.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    told = headers.get("retry-after")
    seconds = _number(told)
    if seconds is None and told:
        seconds = _until(told, headers.get("date"), now)
    if seconds is not None or not is_rate_limit:
        return seconds
    waits = [_reset(headers, "requests"), _reset(headers, "tokens")]
    return max((wait for wait in waits if wait is not None), default=None)


def duration_seconds(text: str | None) -> float | None:
    """Return a duration such as `1s`, `6m0s`, `20ms` or plain seconds; None where it is none."""
    if not text or len(text) > _MAX_LENGTH:
        return None
    parts = _PART.findall(text.strip().lower())
    if not parts or "".join(number + unit for number, unit in parts) != text.strip().lower():
        return _number(text)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def _reset(headers: Mapping[str, str], what: str) -> float | None:
    # One request is all that a call needs; how many tokens it needs is the endpoint's to say.
    if what == "requests" and (_number(headers.get("x-ratelimit-remaining-requests")) or 0) >= 1:
        return None
    return duration_seconds(headers.get(f"x-ratelimit-reset-{what}"))


def _until(text: str, sent: str | None, now: datetime) -> float | None:
    at = _date(text)
    return max((at - (_date(sent) or now)).total_seconds(), 0.0) if at else None


def _date(text: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(text[:_MAX_LENGTH]) if text else None
    except (ValueError, IndexError, OverflowError):
        return None
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text and len(text) <= _MAX_LENGTH else None
    except ValueError:
        return None
    return value if value is not None and math.isfinite(value) and value >= 0 else None
