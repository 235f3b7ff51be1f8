"""Make text and JSON fit for PostgreSQL, which stores neither NUL nor half a character."""

import math
import re
from collections.abc import Iterable
from typing import Any

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def clean_text(value: str) -> str:
    """Return `value` with NUL and lone surrogates replaced by U+FFFD."""
    if "\x00" not in value and (value.isascii() or not _has_half_characters(value)):
        return value
    return _UNSTORABLE.sub(_REPLACEMENT, value)


def clean_json(value: Any) -> Any:
    """Return a JSON value with clean text; NaN and infinities become their names, as text."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(str(key)): clean_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def is_deeper(value: Any, depth: int) -> bool:
    """Say whether lists and objects are nested over `depth` levels, however deep they are."""
    level = _nested([value])
    for _ in range(depth):
        level = _nested(inner for item in level for inner in _inner(item))
    return bool(level)


def _nested(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list)]


def _inner(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _has_half_characters(value: str) -> bool:
    """Say whether lone surrogates are in `value`, which UTF-8 cannot write."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return True
    return False
