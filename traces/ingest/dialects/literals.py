"""Values that attributes hold as text: JSON, Python's literals, numbers."""

import ast
import json
from decimal import Decimal, InvalidOperation
from typing import Any

# `literal_eval` builds a syntax tree some hundred times the text's size.
MAX_LITERAL = 20_000
MAX_COUNT = 2**31 - 1

_JSON_STARTS = frozenset('{["')
# `json.loads` spends as much time around this as in it.
_scan = json.JSONDecoder().raw_decode


def parsed(value: Any) -> Any:
    """Return the JSON value that text holds, a structured value as it is, else the text itself.

    Python's `repr` of dictionaries and lists, which some frameworks send, is read too, as
    literals only and up to `MAX_LITERAL` characters. Numbers and words stay text.
    """
    if not isinstance(value, str):
        return value
    start = value[:1] if value[:1] > " " else value.lstrip()[:1]
    if start not in _JSON_STARTS:
        return value
    try:
        found, end = _scan(value)
        if end == len(value):
            return found
    except (ValueError, RecursionError):
        pass
    return _parsed(value, start)


def _parsed(value: str, start: str) -> Any:
    """Return JSON with space around it, a literal of Python, or the text."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return _literal(value) if start in "{[" else value


def text_of(value: Any) -> str:
    """Return text as it is, nothing as "", and anything else as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        return ""


def plain(value: Any) -> str:
    """Return text or a number as text; "" for anything else."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def count_of(value: Any) -> int | None:
    """Return a whole number that a token count may have, also from text; else None."""
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdecimal() and len(value) < 12 else None
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= MAX_COUNT else None


def cost_of(value: Any) -> Decimal | None:
    """Return US dollars, 0 to under a million; else None."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        cost = Decimal(str(value)[:40])
    except InvalidOperation:
        return None
    return cost if cost.is_finite() and 0 <= cost < 999_999 else None


def _literal(text: str) -> Any:
    if len(text) > MAX_LITERAL:
        return text
    try:
        value = ast.literal_eval(text)
        json.dumps(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
    return value
