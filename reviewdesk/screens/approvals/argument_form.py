"""A form for a tool's arguments, made from its JSON schema."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

PREFIX = "arg-"


class Widget(StrEnum):
    """How an argument is edited."""

    TEXT = "text"
    CHOICE = "choice"
    LINES = "lines"
    NUMBER = "number"
    FLAG = "flag"
    JSON = "json"


@dataclass(frozen=True)
class ArgumentField:
    """One argument.

    Attributes:
        value: As it is typed: text, lines, JSON; `on` or empty for a flag.
        choices: For `Widget.CHOICE`.
        hint: The schema's description.
        errors: A sentence per problem.
    """

    name: str
    widget: Widget
    value: str
    is_required: bool
    choices: tuple[str, ...] = ()
    hint: str = ""
    errors: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Return the argument's name as people read it."""
        words = self.name.replace("_", " ")
        return words[:1].upper() + words[1:]

    @property
    def html_name(self) -> str:
        """Return the name of its control."""
        return PREFIX + self.name

    @property
    def num_rows(self) -> int:
        """Return how high its text area is."""
        return min(max(self.value.count("\n") + 1, 2), 8)


def fields_of(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[ArgumentField]:
    """Return a field per argument of the schema, filled with `arguments`."""
    required = set(schema.get("required", ()))
    return [
        _field(name, part, arguments.get(name), name in required)
        for name, part in schema.get("properties", {}).items()
    ]


def read_fields(
    schema: Mapping[str, Any], arguments: Mapping[str, Any], data: Mapping[str, str]
) -> tuple[dict[str, Any], list[ArgumentField]]:
    """Return the typed arguments, and the fields as typed with what cannot be read.

    Args:
        schema: The tool's.
        arguments: The proposed ones; what the schema does not know is kept of them.
        data: What was posted.
    """
    shown = fields_of(schema, arguments)
    typed = [replace(field, value=data.get(field.html_name, "")) for field in shown]
    known = {field.name for field in typed}
    read = {name: value for name, value in arguments.items() if name not in known}
    for number, field in enumerate(typed):
        if not field.value and not field.is_required and field.name not in arguments:
            continue
        # A form trims and breaks lines its own way: what nobody touched stays as proposed.
        if field.name in arguments and _is_same(field.value, shown[number].value):
            read[field.name] = arguments[field.name]
            continue
        try:
            read[field.name] = _value(field)
        except ValueError as error:
            typed[number] = replace(field, errors=(str(error),))
    return read, typed


def with_problems(
    fields: Sequence[ArgumentField], problems: Sequence[str]
) -> tuple[list[ArgumentField], list[str]]:
    """Put each problem of the schema at the field it begins with; return those without one.

    They are `path: sentence` or a sentence whose first word is the path.
    """
    found = list(fields)
    rest = []
    for problem in problems:
        path = re.split(r":? ", problem, maxsplit=1)[0]
        name, sentence = path.split(".")[0], problem.removeprefix(f"{path}: ")
        place = next((n for n, field in enumerate(found) if field.name == name), None)
        if place is None:
            rest.append(problem)
        else:
            field = found[place]
            found[place] = replace(field, errors=(*field.errors, sentence))
    return found, rest


def _is_same(typed: str, shown: str) -> bool:
    return typed.replace("\r\n", "\n") == shown.replace("\r\n", "\n")


def _field(name: str, part: Mapping[str, Any], value: Any, is_required: bool) -> ArgumentField:
    widget = _widget(part, value)
    choices = tuple(str(each) for each in part.get("enum", ())) if widget is Widget.CHOICE else ()
    hint = str(part.get("description", ""))
    return ArgumentField(name, widget, _typed(widget, value), is_required, choices, hint)


def _widget(part: Mapping[str, Any], value: Any) -> Widget:
    is_text = value is None or isinstance(value, str)
    match part.get("type"):
        case "string" if is_text:
            return Widget.CHOICE if part.get("enum") else Widget.TEXT
        case "array" if part.get("items", {}).get("type") == "string" and _is_lines(value):
            return Widget.LINES
        case "number" | "integer" if value is None or isinstance(value, int | float):
            return Widget.NUMBER
        case "boolean":
            return Widget.FLAG
        case _:
            return Widget.JSON


def _is_lines(value: Any) -> bool:
    if value is None:
        return True
    return isinstance(value, list) and all(isinstance(i, str) and "\n" not in i for i in value)


def _typed(widget: Widget, value: Any) -> str:
    match widget:
        case Widget.LINES:
            return "\n".join(value or ())
        case Widget.FLAG:
            return "on" if value else ""
        case Widget.JSON:
            return "" if value is None else json.dumps(value, indent=1, ensure_ascii=False)
        case _:
            return "" if value is None else str(value)


def _value(field: ArgumentField) -> Any:
    """Return the value that was typed.

    Raises:
        ValueError: It cannot be read; the message is for people.
    """
    text = field.value
    match field.widget:
        case Widget.LINES:
            return [line.strip() for line in text.splitlines() if line.strip()]
        case Widget.FLAG:
            return bool(text)
        case Widget.NUMBER:
            return _number(text)
        case Widget.JSON:
            try:
                return json.loads(text)
            except (ValueError, RecursionError):
                raise ValueError(f"{text[:40]!r} is no JSON.") from None
        case _:
            return text.strip()


def _number(text: str) -> int | float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no number.") from None
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]!r} is no finite number.")
    return int(number) if number.is_integer() else number
