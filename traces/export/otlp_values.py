"""JSON as values of OTLP: https://opentelemetry.io/docs/specs/otlp/, `AnyValue` and `KeyValue`."""

import math
from typing import Any

from traces.clean import is_deeper

Json = dict[str, Any]

_MOST_LEVELS = 20


def pairs_of(attributes: Json) -> list[Json]:
    """Return an object as a list of `KeyValue`."""
    return [{"key": name, "value": value_of(value)} for name, value in attributes.items()]


def value_of(value: Any) -> Json:
    """Return JSON as an `AnyValue`; a whole number that 64 bits cannot hold is text."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)} if _fits(value) else {"stringValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [value_of(item) for item in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": pairs_of(value)}}
    return {}


def is_native(value: Any) -> bool:
    """Say whether the value comes back from `value_of` as it was."""
    return not is_deeper(value, _MOST_LEVELS) and _is_kept(value)


def _is_kept(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_kept(item) for item in value)
    if isinstance(value, dict):
        return all(name and _is_kept(item) for name, item in value.items())
    if isinstance(value, int) and not isinstance(value, bool):
        return _fits(value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is not None


def _fits(value: int) -> bool:
    return -(2**63) <= value < 2**63
