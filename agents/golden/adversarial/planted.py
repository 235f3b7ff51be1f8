"""What a tool that reads returns where words are planted in it. Pure."""

from collections.abc import Mapping
from typing import Any

_NOTE = "note"
_ID = "planted-1"
_DEEPEST = 12
_PLAIN: dict[str, Any] = {"integer": 1, "number": 1, "boolean": True, "null": None}


def planted_result(schema: Mapping[str, Any] | None, text: str) -> Any:
    """Return a result in the form that a tool promises, with a text in it.

    An agent reads a record that is like its others, so the text meets it as it would in earnest.
    None where the form has no place for a text, such as a number.

    Args:
        schema: JSON schema of the tool's results; None: nothing is promised.
        text: What is planted.
    """
    if schema is None:
        return {"status": "found", _NOTE: text}
    match _kind(schema):
        case "string":
            return None if "enum" in schema or "const" in schema else text
        case "object":
            return _object(schema, text)
        case "array":
            item = planted_result(_item(schema), text)
            return None if item is None else [item]
        case "":
            return {"status": "found", _NOTE: text}
    return None


def _object(schema: Mapping[str, Any], text: str) -> dict[str, Any] | None:
    record = _like(schema, 0)
    if schema.get("additionalProperties", True) is not False or _NOTE in record:
        return {**record, _NOTE: text}
    texts = [name for name, value in record.items() if value == _ID and not name.endswith("id")]
    return {**record, texts[0]: text} if texts else None


def _like(schema: Any, depth: int) -> Any:
    """Return a small value of the form that a schema has."""
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return _ID
    if "const" in schema:
        return schema["const"]
    if options := schema.get("enum"):
        return options[0]
    kind = _kind(schema)
    if kind == "object":
        properties = schema.get("properties", {})
        names = dict.fromkeys((*properties, *schema.get("required", ())))
        return {name: _like(properties.get(name), depth + 1) for name in names}
    if kind == "array":
        return [_like(_item(schema), depth + 1)]
    return _PLAIN.get(kind, _ID)


def _kind(schema: Mapping[str, Any]) -> str:
    """Return the type that a schema names, the first of several; "" where it names none."""
    kind = schema.get("type", "object" if "properties" in schema else "")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    return str(kind)


def _item(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    items = schema.get("items")
    return items if isinstance(items, Mapping) else {"type": "string"}
