"""Members of protobuf's JSON mapping, read whichever way they are written.

https://protobuf.dev/programming-guides/json/. What is absent, or null, is the empty text, 0, the
empty object or list; a member of another type raises `BadPayloadError`.
"""

import base64
import binascii
import re
import reprlib
from collections.abc import Callable
from functools import cache
from typing import Any

from traces.errors import BadPayloadError
from traces.ingest.otlp_protobuf import json_number

# As many as protobuf's parser allows: 100 messages, two of which make a level of values.
MAX_DEPTH = 50
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*")
_WHOLE = re.compile(r"-?[0-9]{1,20}")
Json = dict[str, Any]


def attributes_in(item: Json, name: str = "attributes", depth: int = 0) -> Json:
    """Return a member that is a list of `KeyValue`, as one object."""
    return {
        text_in(pair, "key"): value_of(object_in(pair, "value"), depth)
        for pair in objects_in(item, name)
    }


def value_of(value: Json, depth: int) -> Any:
    """Return an `AnyValue` as JSON; one with no member that is known is null."""
    if depth > MAX_DEPTH:
        raise BadPayloadError(f"a value is nested over {MAX_DEPTH} levels deep.")
    for name, item in value.items():
        if name in _READERS and item is not None:
            return _READERS[name](item, depth)
    return None


def _string_value(item: Any, _: int) -> str:
    if not isinstance(item, str):
        raise _wrong("stringValue", item, "text")
    return item


def _bool_value(item: Any, _: int) -> bool:
    if not isinstance(item, bool):
        raise _wrong("boolValue", item, "true or false")
    return item


def _int_value(item: Any, _: int) -> int:
    return _number_of(item, "intValue", -(2**63), 2**63)


def _double_value(item: Any, _: int) -> float | str:
    if isinstance(item, bool) or not isinstance(item, int | float | str):
        raise _wrong("doubleValue", item, "a number")
    try:
        return json_number(float(item))
    except (ValueError, OverflowError) as error:
        raise _wrong("doubleValue", item, "a number") from error


def _bytes_value(item: Any, _: int) -> str:
    return base64.b64encode(_from_base64(item, "bytesValue")).decode()


def _array_value(item: Any, depth: int) -> list[Any]:
    values = objects_in(checked_object(item, "arrayValue"), "values")
    return [value_of(value, depth + 1) for value in values]


def _kvlist_value(item: Any, depth: int) -> Json:
    return attributes_in(checked_object(item, "kvlistValue"), "values", depth + 1)


_READERS: dict[str, Callable[[Any, int], Any]] = {
    "stringValue": _string_value,
    "string_value": _string_value,
    "boolValue": _bool_value,
    "bool_value": _bool_value,
    "intValue": _int_value,
    "int_value": _int_value,
    "doubleValue": _double_value,
    "double_value": _double_value,
    "bytesValue": _bytes_value,
    "bytes_value": _bytes_value,
    "arrayValue": _array_value,
    "array_value": _array_value,
    "kvlistValue": _kvlist_value,
    "kvlist_value": _kvlist_value,
}


@cache
def _proto_name(name: str) -> str:
    """Return a member's name as in the `.proto` file."""
    return re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name)


def _get(item: Json, name: str) -> Any:
    value = item.get(name)
    return item.get(_proto_name(name)) if value is None else value


def text_in(item: Json, name: str) -> str:
    """Return a member that is text."""
    value = _get(item, name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(name, value, "text")
    return value


def whole_in(item: Json, name: str, bits: int = 64) -> int:
    """Return a member that is an unsigned integer."""
    value = _get(item, name)
    return 0 if value is None else _number_of(value, name, 0, 2**bits)


def _number_of(value: Any, name: str, least: int, end: int) -> int:
    """Return a whole number from a number or text, as protobuf's JSON allows both."""
    number: int | None = None
    if isinstance(value, str):
        number = int(value) if _WHOLE.fullmatch(value) else None
    elif isinstance(value, float):
        number = int(value) if value.is_integer() else None
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    if number is None or not least <= number < end:
        raise _wrong(name, value, f"a whole number from {least} to {end - 1}")
    return number


def enum_in(item: Json, name: str, prefix: str, names: list[str]) -> int:
    """Return an enumeration's number; one that is not known is 0."""
    value = _get(item, name)
    if isinstance(value, str) and not _WHOLE.fullmatch(value):
        short = value.removeprefix(prefix)
        return names.index(short) if short in names else 0
    number = _number_of(value or 0, name, -(2**31), 2**31)
    return number if number in range(len(names)) else 0


def id_in(item: Json, name: str) -> str:
    """Return an id's hex digits in lower case."""
    value = text_in(item, name)
    if _HEX.fullmatch(value):
        return value.lower()
    if value.endswith("="):
        return _from_base64(value, name).hex()
    raise _wrong(name, value, "hex digits")


def _from_base64(value: Any, name: str) -> bytes:
    if not isinstance(value, str):
        raise _wrong(name, value, "base64 text")
    plain = value.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _wrong(name, value, "base64 text") from error


def object_in(item: Json, name: str) -> Json:
    """Return a member that is an object."""
    value = _get(item, name)
    return {} if value is None else checked_object(value, name)


def checked_object(value: Any, name: str) -> Json:
    """Return a value that has to be an object; `name` is for the message."""
    if not isinstance(value, dict):
        raise _wrong(name, value, "an object")
    return value


def objects_in(item: Json, name: str) -> list[Json]:
    """Return a member that is a list of objects."""
    return [checked_object(each, name) for each in list_in(item, name)]


def list_in(item: Json, name: str) -> list[Any]:
    """Return a member that is a list."""
    value = _get(item, name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _wrong(name, value, "a list")
    return value


def _wrong(name: str, value: Any, wanted: str) -> BadPayloadError:
    return BadPayloadError(f"{name} must be {wanted}, and is {reprlib.repr(value)}.")
