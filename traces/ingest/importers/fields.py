"""Reading one value of foreign JSON, or saying which one is wrong."""

import json
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from traces.errors import BadRecordError


def object_at(value: Any, what: str) -> dict[str, Any]:
    """Return a JSON object."""
    if not isinstance(value, dict):
        raise BadRecordError(f"{what} is no object")
    return value


def list_at(value: dict[str, Any], name: str, what: str) -> list[Any]:
    """Return a member's list, empty where it is missing or null."""
    found = value.get(name)
    if found is not None and not isinstance(found, list):
        raise BadRecordError(f"{what} has {name} {found!r:.60}, which is no list")
    return found or []


def text_at(value: dict[str, Any], name: str) -> str:
    """Return a member's text, empty where it is missing or null."""
    found = value.get(name)
    if found is not None and not isinstance(found, str):
        raise BadRecordError(f"{name} is {found!r:.60}, which is no text")
    return found or ""


def count_at(value: dict[str, Any], name: str, what: str) -> int | None:
    """Return a member's whole number, None where it is missing or null."""
    found = value.get(name)
    if found is not None and (not isinstance(found, int) or isinstance(found, bool)):
        raise BadRecordError(f"{what} has {name} {found!r:.60}, which is no count")
    return found


def decimal_of(value: Any, what: str) -> Decimal:
    """Return a number exactly as it is written."""
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise BadRecordError(f"{what} is {value!r:.60}, which is no number") from None


def time_of(value: Any, what: str) -> datetime | None:
    """Return an ISO 8601 time, naive or aware as it is written; None for null."""
    if value is None:
        return None
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise BadRecordError(f"{what} is {value!r:.60}, which is no ISO 8601 time") from None


def json_or_text(text: str) -> Any:
    """Return the JSON value that `text` holds, or `text` itself."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
